//! What a module's return values (`CK_RV`) are called, mean, and ask for.
//!
//! PKCS#11 v2.40, "Function return values". A code that is not in the table is shown by its number:
//! nothing that a token answers is lost on the way to the reader.

use std::fmt;

use cryptoki_sys::*;
use tokenbinding_backend::ErrorKind;

/// A return value other than `CKR_OK`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ckr(pub(crate) CK_RV);

/// What may make the same call succeed, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recovery {
    /// Sessions and handles are gone: find the token again.
    Relink,
    /// The module may have lost sight of the token or of an object: start it again, if it is ours.
    Restart,
    /// The login is gone.
    Login,
    /// The object's handle is gone: look for the object again.
    Find,
    /// The session is in a state that it should not be in: take another one.
    Session,
}

struct Meaning {
    code: CK_RV,
    name: &'static str,
    kind: ErrorKind,
    text: &'static str,
}

macro_rules! meanings {
    ($($code:ident $kind:ident $text:literal)*) => {
        &[$(Meaning { code: $code, name: stringify!($code), kind: ErrorKind::$kind, text: $text }),*]
    };
}

const MEANINGS: &[Meaning] = meanings! {
    CKR_HOST_MEMORY Busy "the module is out of memory"
    CKR_SLOT_ID_INVALID DeviceRemoved "the slot is gone; insert the token or reader again"
    CKR_GENERAL_ERROR Internal "the module failed without saying why; its own log may tell"
    CKR_FUNCTION_FAILED Internal "the module failed without saying why; its own log may tell"
    CKR_ARGUMENTS_BAD Internal "the module does not take these arguments"
    CKR_NEED_TO_CREATE_THREADS Unavailable "the module needs threads of its own"
    CKR_CANT_LOCK Unavailable "the module cannot lock"
    CKR_ATTRIBUTE_READ_ONLY Unsupported "the token does not let a key template set an attribute"
    CKR_ATTRIBUTE_SENSITIVE Denied "the token does not show this attribute"
    CKR_ATTRIBUTE_TYPE_INVALID Unsupported "the token does not know an attribute of the key template"
    CKR_ATTRIBUTE_VALUE_INVALID Unsupported "the token does not take a value of the key template"
    CKR_ACTION_PROHIBITED Denied "the token's policy forbids it"
    CKR_DATA_LEN_RANGE Unsupported "the mechanism does not take input of this length"
    CKR_DEVICE_ERROR Unavailable "the token failed; take it out and insert it again"
    CKR_DEVICE_MEMORY DeviceFull "the token has no room left; delete keys that are no longer used"
    CKR_DEVICE_REMOVED DeviceRemoved "the token was taken out; insert it again"
    CKR_FUNCTION_CANCELED Denied "it was cancelled at the token, or nobody touched it in time"
    CKR_FUNCTION_NOT_SUPPORTED Unsupported "the module does not have this function"
    CKR_CURVE_NOT_SUPPORTED Unsupported "the token does not have the curve P-256"
    CKR_KEY_HANDLE_INVALID Internal "the module does not know a handle that it gave out"
    CKR_KEY_SIZE_RANGE Unsupported "the token does not have keys of this size"
    CKR_KEY_TYPE_INCONSISTENT Unsupported "the key is of another type than the mechanism"
    CKR_KEY_FUNCTION_NOT_PERMITTED Denied "the key is not allowed to sign"
    CKR_MECHANISM_INVALID Unsupported "the token does not have this mechanism"
    CKR_MECHANISM_PARAM_INVALID Unsupported "the token does not take the mechanism's parameters"
    CKR_OBJECT_HANDLE_INVALID Internal "the module does not know a handle that it gave out"
    CKR_OPERATION_ACTIVE Internal "another operation is active in the session"
    CKR_OPERATION_NOT_INITIALIZED Internal "the module forgot the operation that was begun"
    CKR_PIN_INCORRECT PinIncorrect "the token refused the PIN; it was sent once and is not sent again"
    CKR_PIN_INVALID PinIncorrect "the PIN has characters that the token does not take"
    CKR_PIN_LEN_RANGE PinIncorrect "the PIN is too short or too long for the token"
    CKR_PIN_EXPIRED Denied "the PIN has expired; set a new one with the token's own tool"
    CKR_PIN_LOCKED PinLocked "too many wrong PINs; unblock the token with its PUK or SO PIN"
    CKR_SESSION_CLOSED DeviceRemoved "the session was closed during the call"
    CKR_SESSION_COUNT Busy "the token has no session left; close other programs that use it"
    CKR_SESSION_HANDLE_INVALID DeviceRemoved "the session is gone, as after taking the token out"
    CKR_SESSION_READ_ONLY Denied "the session cannot write"
    CKR_SESSION_READ_WRITE_SO_EXISTS Busy "the security officer is logged in; log out there first"
    CKR_TEMPLATE_INCOMPLETE Unsupported "the token wants more attributes than the key template has"
    CKR_TEMPLATE_INCONSISTENT Unsupported "the token does not take the key template"
    CKR_TOKEN_NOT_PRESENT DeviceRemoved "there is no token in the slot; insert it again"
    CKR_TOKEN_NOT_RECOGNIZED Unavailable "the module does not know this kind of token"
    CKR_TOKEN_WRITE_PROTECTED Denied "the token is write-protected"
    CKR_USER_ALREADY_LOGGED_IN Internal "the user is logged in already"
    CKR_USER_ANOTHER_ALREADY_LOGGED_IN Busy "the security officer is logged in; log out there first"
    CKR_USER_NOT_LOGGED_IN PinRequired "the token wants its PIN for this"
    CKR_USER_PIN_NOT_INITIALIZED Unavailable "the token has no user PIN yet; set one with `pkcs11-tool --init-pin`"
    CKR_USER_TOO_MANY_TYPES Busy "other users are logged in; log out there first"
    CKR_BUFFER_TOO_SMALL Internal "the answer is longer than any that is expected"
    CKR_CRYPTOKI_NOT_INITIALIZED Unavailable "the module is not initialised"
    CKR_CRYPTOKI_ALREADY_INITIALIZED Internal "the module is initialised already"
    CKR_FUNCTION_REJECTED Denied "it was rejected at the token"
};

impl Ckr {
    fn meaning(self) -> Option<&'static Meaning> {
        MEANINGS.iter().find(|meaning| meaning.code == self.0)
    }

    /// The kind of error it stands for. A code that nobody knows is a defect.
    pub(crate) fn kind(self) -> ErrorKind {
        self.meaning().map_or(ErrorKind::Internal, |m| m.kind)
    }

    /// What may help against it, where anything may.
    pub(crate) const fn recovery(self) -> Option<Recovery> {
        match self.0 {
            CKR_SESSION_HANDLE_INVALID
            | CKR_SESSION_CLOSED
            | CKR_DEVICE_REMOVED
            | CKR_DEVICE_ERROR
            | CKR_TOKEN_NOT_PRESENT
            | CKR_SLOT_ID_INVALID
            | CKR_CRYPTOKI_NOT_INITIALIZED => Some(Recovery::Relink),
            CKR_USER_NOT_LOGGED_IN => Some(Recovery::Login),
            CKR_OBJECT_HANDLE_INVALID | CKR_KEY_HANDLE_INVALID => Some(Recovery::Find),
            CKR_OPERATION_ACTIVE | CKR_OPERATION_NOT_INITIALIZED => Some(Recovery::Session),
            _ => None,
        }
    }

    /// Whether it says that a mechanism, or this form of it, is not there.
    pub(crate) const fn is_no_mechanism(self) -> bool {
        matches!(
            self.0,
            CKR_MECHANISM_INVALID | CKR_MECHANISM_PARAM_INVALID | CKR_FUNCTION_NOT_SUPPORTED
        )
    }

    /// Whether it says that a key template has something the token does not take, or may: not every
    /// module finds the right word for it (tpm2-pkcs11 1.9: `CKR_GENERAL_ERROR`).
    pub(crate) const fn may_be_the_template(self) -> bool {
        matches!(
            self.0,
            CKR_ATTRIBUTE_READ_ONLY
                | CKR_ATTRIBUTE_TYPE_INVALID
                | CKR_ATTRIBUTE_VALUE_INVALID
                | CKR_TEMPLATE_INCONSISTENT
                | CKR_ARGUMENTS_BAD
                | CKR_FUNCTION_FAILED
                | CKR_GENERAL_ERROR
        )
    }

    /// Whether the token has counted, or may have counted, a wrong PIN.
    pub(crate) const fn is_refused_pin(self) -> bool {
        matches!(
            self.0,
            CKR_PIN_INCORRECT | CKR_PIN_INVALID | CKR_PIN_LEN_RANGE | CKR_PIN_LOCKED
        )
    }
}

impl fmt::Display for Ckr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.meaning() {
            Some(Meaning { name, text, .. }) => write!(f, "{name} ({:#x}): {text}", self.0),
            None if self.0 >= CKR_VENDOR_DEFINED => {
                write!(
                    f,
                    "CKR_VENDOR_DEFINED ({:#x}): see the vendor's list",
                    self.0
                )
            }
            None => write!(
                f,
                "CKR {:#x}: a code that PKCS#11 does not explain here",
                self.0
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_shown_by_name_number_and_meaning() {
        let text = Ckr(CKR_PIN_LOCKED).to_string();
        assert!(
            text.starts_with("CKR_PIN_LOCKED (0xa4): too many wrong PINs"),
            "{text}"
        );
    }

    #[test]
    fn a_vendors_code_keeps_its_number() {
        assert!(Ckr(0x8000_0042).to_string().contains("0x80000042"));
        assert_eq!(Ckr(0x8000_0042).kind(), ErrorKind::Internal);
    }

    #[test]
    fn each_code_is_explained_once() {
        for (at, meaning) in MEANINGS.iter().enumerate() {
            let again = MEANINGS[..at]
                .iter()
                .any(|other| other.code == meaning.code);
            assert!(!again, "{} twice", meaning.name);
        }
    }
}
