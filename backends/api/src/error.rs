//! Why a device call failed, in kinds that a program can act on.

use std::{error::Error as StdError, fmt, time::Duration};

/// The result of a device call.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, as far as it matters for what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The device, its driver or its files cannot be reached.
    Unavailable,
    /// The device is there but has no room for this call now.
    Busy,
    /// A PIN or passphrase is needed and none was given.
    PinRequired,
    /// The PIN or passphrase is wrong. It was sent once and is not sent again.
    PinIncorrect,
    /// One wrong PIN more locks the token, so it was not tried.
    PinFinalTry,
    /// The token has locked its PIN.
    PinLocked,
    /// The device refuses every authorization for a while (a TPM in lockout).
    DeviceLocked {
        /// How long until it relents, where the device tells.
        retry_after: Option<Duration>,
    },
    /// The token was taken out, or the device went away.
    DeviceRemoved,
    /// The device has no room for another key.
    DeviceFull,
    /// The device does not hold this key any more, or it is another device.
    KeyLost,
    /// This device cannot do that.
    Unsupported,
    /// The system or the device does not permit it.
    Denied,
    /// What was stored for the key is damaged.
    Corrupt,
    /// A defect in the driver, the device or this library.
    Internal,
}

impl ErrorKind {
    /// Whether the same call may succeed later without anybody doing anything about it.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Busy | Self::DeviceLocked { .. })
    }

    /// Whether the key itself is unusable for good, as opposed to out of reach for now.
    #[must_use]
    pub const fn is_key_unusable(self) -> bool {
        matches!(self, Self::KeyLost | Self::Corrupt)
    }

    const fn text(self) -> &'static str {
        match self {
            Self::Unavailable => "not available",
            Self::Busy => "busy",
            Self::PinRequired => "a PIN is required",
            Self::PinIncorrect => "the PIN is wrong",
            Self::PinFinalTry => "one wrong PIN more would lock the token",
            Self::PinLocked => "the PIN is locked",
            Self::DeviceLocked { .. } => "the device is locked out",
            Self::DeviceRemoved => "the device was removed",
            Self::DeviceFull => "the device is full",
            Self::KeyLost => "the device does not hold this key",
            Self::Unsupported => "not supported",
            Self::Denied => "not permitted",
            Self::Corrupt => "stored data is damaged",
            Self::Internal => "internal error",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())?;
        match self {
            Self::DeviceLocked {
                retry_after: Some(wait),
            } => write!(f, ", wait {} s", wait.as_secs()),
            _ => Ok(()),
        }
    }
}

/// A failed device call: its kind, the backend and operation, and the cause in the device's own
/// words (`TPM_RC_…`, `CKR_…`, an errno).
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    backend: &'static str,
    operation: &'static str,
    source: Box<dyn StdError + Send + Sync>,
}

impl Error {
    /// `operation` of `backend` failed with `kind` because of `source`, which must hold no secret.
    pub fn new(
        kind: ErrorKind,
        backend: &'static str,
        operation: &'static str,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self {
            kind,
            backend,
            operation,
            source: source.into(),
        }
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The backend's name: `software`, `tpm`, `pkcs11`.
    #[must_use]
    pub const fn backend(&self) -> &'static str {
        self.backend
    }

    /// What was being done.
    #[must_use]
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// Whether the same call may succeed later; see [`ErrorKind::is_transient`].
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        self.kind.is_transient()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            backend,
            operation,
            source,
        } = self;
        write!(f, "{backend}: cannot {operation}: {kind}: {source}")
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_backend_operation_kind_and_cause() {
        let kind = ErrorKind::DeviceLocked {
            retry_after: Some(Duration::from_secs(9)),
        };
        let error = Error::new(kind, "tpm", "sign", "TPM_RC_LOCKOUT");
        assert_eq!(
            error.to_string(),
            "tpm: cannot sign: the device is locked out, wait 9 s: TPM_RC_LOCKOUT"
        );
        assert!(error.is_transient());
        assert!(error.source().is_some());
    }
}
