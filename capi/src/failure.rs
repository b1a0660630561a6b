//! From the errors of the library to a cause and its words.

use tokenbinding::{
    Error, InvalidTarget, Rejection,
    config::ConfigError,
    key_map::{StoreError, StoreErrorKind},
    message::{EncodeError, ParseError, ParseErrorKind},
};
use tokenbinding_backend::{ErrorKind, InvalidPublicKey, private::PrivateError};

use crate::status::Cause;

/// A failed call: the cause, from which the status follows, and what to tell people.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) cause: Cause,
    pub(crate) text: String,
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn new(cause: Cause, text: impl Into<String>) -> Self {
        Self {
            cause,
            text: text.into(),
        }
    }

    /// An argument that may not be what it is.
    pub(crate) fn argument(text: impl Into<String>) -> Self {
        Self::new(Cause::InvalidArgument, text)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let cause = match &error {
            Error::Target(_) => Cause::InvalidTarget,
            Error::Config(ConfigError::NoHome(_)) => Cause::Configuration,
            Error::Store(error) => of_store(error),
            Error::Backend(error) => of_device(error.kind()),
            Error::Encode(error) => of_encoding(error),
            Error::NotFound { .. } => Cause::KeyNotFound,
            Error::BadDeviceSignature { .. } => Cause::BadDeviceSignature,
            Error::Contended { .. } => Cause::KeyContended,
            Error::NotBuiltIn { .. } => Cause::NotSupported,
            Error::NoProvider => Cause::DeviceNotFound,
            Error::NoMaster { .. } => Cause::MasterMissing,
            Error::NoPassphrase => Cause::PinRequired,
            Error::Config(_) | Error::NoToken | Error::NoCredential => Cause::Configuration,
            #[cfg(feature = "pkcs11")]
            Error::Pkcs11Uri(_) => Cause::Configuration,
            _ => Cause::Unknown,
        };
        Self::new(cause, error.to_string())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Cause::Configuration, error.to_string())
    }
}

impl From<InvalidTarget> for Failure {
    fn from(error: InvalidTarget) -> Self {
        Self::new(Cause::InvalidTarget, error.to_string())
    }
}

impl From<InvalidPublicKey> for Failure {
    fn from(error: InvalidPublicKey) -> Self {
        Self::new(Cause::BadPublicKey, error.to_string())
    }
}

impl From<ParseError> for Failure {
    fn from(error: ParseError) -> Self {
        Self::new(of_parsing(error), error.to_string())
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        let cause = match rejection {
            Rejection::Header(_) => Cause::MalformedMessage,
            Rejection::Malformed(error) => of_parsing(error),
            Rejection::NoProvidedBinding
            | Rejection::SeveralProvidedBindings { .. }
            | Rejection::SeveralReferredBindings { .. } => Cause::BindingCount,
            Rejection::NotNegotiated { .. } => Cause::NotNegotiated,
            Rejection::BadSignature { .. } => Cause::BadSignature,
        };
        Self::new(cause, rejection.to_string())
    }
}

const fn of_device(kind: ErrorKind) -> Cause {
    match kind {
        ErrorKind::Unavailable | ErrorKind::DeviceRemoved => Cause::DeviceNotFound,
        ErrorKind::Busy => Cause::DeviceBusy,
        ErrorKind::PinRequired => Cause::PinRequired,
        ErrorKind::PinIncorrect => Cause::PinIncorrect,
        ErrorKind::PinFinalTry | ErrorKind::PinLocked => Cause::PinLocked,
        ErrorKind::DeviceLocked { .. } => Cause::DeviceLocked,
        ErrorKind::DeviceFull => Cause::DeviceFull,
        ErrorKind::KeyLost => Cause::KeyLost,
        ErrorKind::Unsupported => Cause::NotSupported,
        ErrorKind::Denied => Cause::DeviceDenied,
        ErrorKind::Corrupt => Cause::KeyCorrupt,
        ErrorKind::Internal => Cause::DeviceFailed,
        _ => Cause::Unknown,
    }
}

fn of_store(error: &StoreError) -> Cause {
    match error.kind() {
        StoreErrorKind::Private(error) if error.is_open_to_others() => Cause::StoreDenied,
        StoreErrorKind::ReadOnly => Cause::StoreDenied,
        StoreErrorKind::Private(PrivateError::Io { source, .. }) => match source.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                Cause::StoreDenied
            }
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Cause::StoreFull,
            _ => Cause::StoreFailed,
        },
        StoreErrorKind::Corrupt(_)
        | StoreErrorKind::ForeignLog(_)
        | StoreErrorKind::Gone
        | StoreErrorKind::Missing(_)
        | StoreErrorKind::Newer { .. } => Cause::StoreCorrupt,
        StoreErrorKind::Busy => Cause::StoreBusy,
        StoreErrorKind::Full => Cause::StoreFull,
        _ => Cause::StoreFailed,
    }
}

const fn of_encoding(error: &EncodeError) -> Cause {
    match error {
        EncodeError::Empty | EncodeError::TooMany { .. } => Cause::TooManyBindings,
        EncodeError::Binding { error, .. } => of_parsing(*error),
        EncodeError::TooLong { .. } => Cause::BadLength,
    }
}

const fn of_parsing(error: ParseError) -> Cause {
    match error.kind {
        ParseErrorKind::Truncated { .. } => Cause::BadLength,
        ParseErrorKind::PublicKey(_) => Cause::BadPublicKey,
        _ => Cause::MalformedMessage,
    }
}
