//! TPM response codes: which one it is, what it means, and what to do next.
//!
//! A code of the TPM itself or of its resource manager is told apart from one of the TSS, which
//! says that the TPM was not reached. TPM 2.0 Library, Part 2, §6.6; TSS 2.0 Overview §2.4.

use std::{error::Error as _, fmt};

use tokenbinding_backend::ErrorKind;
use tss_esapi::constants::response_code::Tss2ResponseCode;

/// A response code, with its layer and its parameter, handle or session number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResponseCode(u32);

/// The meaning of one code.
struct Meaning {
    code: u32,
    name: &'static str,
    kind: ErrorKind,
    text: &'static str,
}

const fn meaning(code: u32, name: &'static str, kind: ErrorKind, text: &'static str) -> Meaning {
    Meaning {
        code,
        name,
        kind,
        text,
    }
}

const LOCKED: ErrorKind = ErrorKind::DeviceLocked { retry_after: None };

/// The codes of the TPM that a user can do something about, or that name a defect. Format-one
/// codes stand here without their number.
#[rustfmt::skip]
const TPM: &[Meaning] = &[
    meaning(0x082, "TPM_RC_ATTRIBUTES", ErrorKind::Unsupported, "the TPM refuses these key attributes"),
    meaning(0x083, "TPM_RC_HASH", ErrorKind::Unsupported, "the TPM has no SHA-256 for this use"),
    meaning(0x084, "TPM_RC_VALUE", ErrorKind::Internal, "the TPM refuses a value"),
    meaning(0x085, "TPM_RC_HIERARCHY", ErrorKind::Denied, "the hierarchy is disabled; enable the owner hierarchy in the firmware setup"),
    meaning(0x087, "TPM_RC_KEY_SIZE", ErrorKind::Unsupported, "the TPM has no keys of this size"),
    meaning(0x08b, "TPM_RC_HANDLE", ErrorKind::Busy, "the TPM has no object at this handle any more; try again"),
    meaning(0x08e, "TPM_RC_AUTH_FAIL", ErrorKind::PinIncorrect, "the authorization is wrong and was counted; it is not sent again"),
    meaning(0x092, "TPM_RC_SCHEME", ErrorKind::Unsupported, "the TPM does not have this signature scheme"),
    meaning(0x095, "TPM_RC_SIZE", ErrorKind::Corrupt, "a structure has the wrong size"),
    meaning(0x099, "TPM_RC_SELECTOR", ErrorKind::Unsupported, "the TPM does not know this kind of key"),
    meaning(0x09a, "TPM_RC_INSUFFICIENT", ErrorKind::Corrupt, "a structure ends early"),
    meaning(0x09c, "TPM_RC_KEY", ErrorKind::Internal, "the key does not fit its use"),
    meaning(0x09f, "TPM_RC_INTEGRITY", ErrorKind::KeyLost, "the key was wrapped by another TPM, before a TPM2_Clear, or is damaged"),
    meaning(0x0a2, "TPM_RC_BAD_AUTH", ErrorKind::PinIncorrect, "the authorization is wrong; it is not sent again"),
    meaning(0x0a5, "TPM_RC_BINDING", ErrorKind::Corrupt, "the public and the private half do not belong together"),
    meaning(0x0a6, "TPM_RC_CURVE", ErrorKind::Unsupported, "the TPM does not have the curve P-256"),
    meaning(0x100, "TPM_RC_INITIALIZE", ErrorKind::Unavailable, "the TPM was not started; run tpm2_startup -c"),
    meaning(0x101, "TPM_RC_FAILURE", ErrorKind::Unavailable, "the TPM is in failure mode; power the machine off and on"),
    meaning(0x120, "TPM_RC_DISABLED", ErrorKind::Denied, "the command is disabled"),
    meaning(0x12d, "TPM_RC_UPGRADE", ErrorKind::Unavailable, "the TPM's firmware is being updated"),
    meaning(0x12f, "TPM_RC_AUTH_UNAVAILABLE", ErrorKind::Denied, "the object cannot be authorized with a password"),
    meaning(0x130, "TPM_RC_REBOOT", ErrorKind::Unavailable, "the TPM wants a reset; reboot the machine"),
    meaning(0x143, "TPM_RC_COMMAND_CODE", ErrorKind::Unsupported, "the TPM does not have this command"),
    meaning(0x153, "TPM_RC_BAD_CONTEXT", ErrorKind::Busy, "the saved context is not valid any more; try again"),
    meaning(0x155, "TPM_RC_SENSITIVE", ErrorKind::Corrupt, "the private half is damaged"),
    meaning(0x902, "TPM_RC_OBJECT_MEMORY", ErrorKind::Busy, "every object slot is taken by others; use /dev/tpmrm0 or tpm2-abrmd, or run tpm2_flushcontext -t"),
    meaning(0x903, "TPM_RC_SESSION_MEMORY", ErrorKind::Busy, "every session slot is taken by others; run tpm2_flushcontext -l"),
    meaning(0x904, "TPM_RC_MEMORY", ErrorKind::Busy, "the TPM is out of memory; run tpm2_flushcontext -t"),
    meaning(0x905, "TPM_RC_SESSION_HANDLES", ErrorKind::Busy, "every session handle is taken; run tpm2_flushcontext -s"),
    meaning(0x906, "TPM_RC_OBJECT_HANDLES", ErrorKind::Busy, "the TPM is out of object handles; reboot the machine"),
    meaning(0x907, "TPM_RC_LOCALITY", ErrorKind::Denied, "the TPM does not permit this from the system's locality"),
    meaning(0x908, "TPM_RC_YIELDED", ErrorKind::Busy, "the TPM was doing something else; try again"),
    meaning(0x909, "TPM_RC_CANCELED", ErrorKind::Busy, "the command was cancelled; try again"),
    meaning(0x90a, "TPM_RC_TESTING", ErrorKind::Busy, "the TPM is testing itself; try again"),
    meaning(0x910, "TPM_RC_REFERENCE_H0", ErrorKind::Busy, "the TPM does not have the key loaded any more; try again"),
    meaning(0x918, "TPM_RC_REFERENCE_S0", ErrorKind::Busy, "the TPM does not have the session any more; try again"),
    meaning(0x920, "TPM_RC_NV_RATE", ErrorKind::Busy, "the TPM protects its memory from wear; try again"),
    meaning(0x921, "TPM_RC_LOCKOUT", LOCKED, "too many wrong authorizations; wait, or run tpm2_dictionarylockout -c"),
    meaning(0x922, "TPM_RC_RETRY", ErrorKind::Busy, "the TPM was not able to start; try again"),
    meaning(0x923, "TPM_RC_NV_UNAVAILABLE", ErrorKind::Busy, "the TPM's memory is not accessible; try again"),
];

impl ResponseCode {
    pub(crate) const AUTH_FAIL: u32 = 0x08e;
    pub(crate) const BAD_AUTH: u32 = 0x0a2;
    pub(crate) const LOCKOUT: u32 = 0x921;
    pub(crate) const OBJECT_MEMORY: u32 = 0x902;

    /// The layers whose codes are the TPM's own: the TPM, and a resource manager that answers in
    /// its place.
    const TPM_LAYERS: [u32; 2] = [0, 11];

    /// The TPM's own code without its number, or `None` when the TPM was not reached.
    pub(crate) fn of_tpm(self) -> Option<u32> {
        let Self(code) = self;
        let format_one = code & 0x080 != 0;
        Self::TPM_LAYERS
            .contains(&(code >> 16))
            .then_some(if format_one {
                code & 0x0bf
            } else {
                code & 0xfff
            })
    }

    /// Whether this is the TPM's own `code`, whatever its number.
    pub(crate) fn is(self, code: u32) -> bool {
        self.of_tpm() == Some(code)
    }

    /// Whether the same command may succeed at once or a little later.
    pub(crate) fn is_retry(self) -> bool {
        [0x908, 0x90a, 0x920, 0x922].iter().any(|c| self.is(*c))
    }

    /// Whether an object or session that was loaded is not there any more: the TPM was reset, or
    /// somebody flushed it.
    pub(crate) fn is_gone(self) -> bool {
        self.of_tpm()
            .is_some_and(|code| (0x910..=0x91f).contains(&code) || code == 0x08b)
    }

    /// Whether the TPM could not read a structure that it was given.
    pub(crate) fn is_malformed(self) -> bool {
        const STRUCTURE: [u32; 8] = [0x084, 0x08a, 0x08d, 0x095, 0x096, 0x099, 0x09a, 0x0a1];
        STRUCTURE.iter().any(|code| self.is(*code))
    }

    /// Whether the authorization was refused.
    pub(crate) fn is_auth(self) -> bool {
        self.is(Self::AUTH_FAIL) || self.is(Self::BAD_AUTH)
    }

    fn meaning(self) -> Option<&'static Meaning> {
        let code = self.of_tpm()?;
        TPM.iter().find(|meaning| meaning.code == code)
    }

    pub(crate) fn kind(self) -> ErrorKind {
        match (self.of_tpm(), self.meaning()) {
            (None, _) => ErrorKind::Unavailable,
            (Some(_), Some(meaning)) => meaning.kind,
            (Some(_), None) => ErrorKind::Internal,
        }
    }
}

impl From<Tss2ResponseCode> for ResponseCode {
    /// tss-esapi keeps the number to itself and shows it in the text of the error's source.
    fn from(code: Tss2ResponseCode) -> Self {
        let text = code.source().map(ToString::to_string).unwrap_or_default();
        let digits = text.rsplit("0x").next().unwrap_or_default();
        Self(u32::from_str_radix(digits, 16).unwrap_or(u32::MAX))
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.0;
        match (self.of_tpm(), self.meaning()) {
            (None, _) => write!(
                f,
                "TSS2 response code {code:#x}: the TPM did not answer; the next call connects again"
            ),
            (Some(_), Some(Meaning { name, text, .. })) => write!(f, "{name} ({code:#x}): {text}"),
            (Some(_), None) => write!(f, "TPM response code {code:#x}"),
        }
    }
}

impl fmt::Debug for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResponseCode({:#x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_code_survives_tss_esapi() {
        for number in [0x101, 0x922, 0x9a2, 0x1df, 0x000a_000a, 0x000b_0143] {
            let code = ResponseCode::from(Tss2ResponseCode::from(number));
            assert_eq!(code, ResponseCode(number));
        }
    }

    #[test]
    fn a_code_is_known_whatever_its_number_and_layer() {
        assert!(ResponseCode(0x9a2).is(ResponseCode::BAD_AUTH));
        assert!(ResponseCode(0x000b_0902).is(ResponseCode::OBJECT_MEMORY));
        assert_eq!(ResponseCode(0x1df).kind(), ErrorKind::KeyLost);
        assert_eq!(ResponseCode(0x000a_000a).kind(), ErrorKind::Unavailable);
        assert_eq!(ResponseCode(0x000a_000a).of_tpm(), None);
    }

    #[test]
    fn the_text_says_name_number_and_what_to_do() {
        let text = ResponseCode(0x921).to_string();
        assert!(text.starts_with("TPM_RC_LOCKOUT (0x921): "), "{text}");
        assert!(text.contains("tpm2_dictionarylockout -c"), "{text}");
    }
}
