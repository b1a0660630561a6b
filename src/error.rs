//! Why a binder could not do what it was asked for.

use std::path::PathBuf;

use tokenbinding_backend::ErrorKind;

use crate::{
    InvalidTarget, ProviderChoice, Scope,
    config::{ConfigError, NoHome},
    key_map::StoreError,
    message::EncodeError,
};

/// A failed call of a [`Binder`](crate::Binder). Every text says what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The target names no scope.
    #[error(transparent)]
    Target(#[from] InvalidTarget),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The key map cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The device failed.
    #[error("{}{}", .0, advice(.0.kind()))]
    Backend(#[from] tokenbinding_backend::Error),
    /// The bindings make no message.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// There is no key, and none was to be made.
    #[error("there is no key for {scope}: `generate` or `id` with a key type makes one")]
    NotFound {
        /// The scope that was looked for.
        scope: Scope,
    },
    /// A later version of this program stored the key. It is left as it is.
    #[error(
        "a later version of this program made the key of {scope} (format {version}): use that or \
         a later one, or delete the key with `keys delete`"
    )]
    NewerKey {
        /// The scope of the key, as the key map has it.
        scope: String,
        /// The version of what is stored.
        version: u8,
    },
    /// The device returned a signature that is none.
    #[error(
        "{backend}: the device returned a bad signature, which was thrown away: try again, and \
         check the device and its driver if it happens again"
    )]
    BadDeviceSignature {
        /// The backend of the device.
        backend: &'static str,
    },
    /// The key was lost or deleted again and again while it was being made.
    #[error(
        "the key of {scope} did not stay: another process keeps deleting it, or its device keeps \
         losing it; try again"
    )]
    Contended {
        /// The scope of the key.
        scope: Scope,
    },
    /// This build has not got the provider.
    #[error(
        "this build has no {provider} provider: build it with `--features {provider}`, or choose \
         one that `tokenbinding providers` lists"
    )]
    NotBuiltIn {
        /// The provider that was asked for.
        provider: ProviderChoice,
    },
    /// No provider can be used at all.
    #[error("no provider can be used: `tokenbinding providers` says why")]
    NoProvider,
    /// No token is configured.
    #[error(
        "no PKCS#11 token is configured: name one with --pkcs11-uri or TOKENBINDING_PKCS11_URI"
    )]
    NoToken,
    /// The PKCS#11 URI is none.
    #[cfg(feature = "pkcs11")]
    #[error("the PKCS#11 URI: {0}: write one such as pkcs11:token=NAME?module-path=FILE")]
    Pkcs11Uri(#[from] tokenbinding_pkcs11::InvalidPkcs11Uri),
    /// The master is gone and its keys are still in the map.
    #[error(
        "the master {path:?} is missing, and the key map holds keys that need it: put it back, or \
         forget those keys with `keys prune --device` (`keys list --json` names the device)"
    )]
    NoMaster {
        /// Where the master should be.
        path: PathBuf,
    },
    /// The keystore needs a passphrase and none was given.
    #[error("the keystore needs its passphrase: give it with --pin-file or TOKENBINDING_PIN")]
    NoPassphrase,
    /// The service manager handed nothing over.
    #[error(
        "no master was handed over: set CREDENTIALS_DIRECTORY (LoadCredential= of systemd) or \
         name its file in the configuration"
    )]
    NoCredential,
}

impl From<NoHome> for Error {
    fn from(error: NoHome) -> Self {
        Self::Config(error.into())
    }
}

/// What to do about a device error of a kind whose cause does not say so itself.
const fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Busy | ErrorKind::DeviceLocked { .. } => ": try again later",
        ErrorKind::PinRequired => ": give it with --pin-file",
        ErrorKind::PinFinalTry | ErrorKind::PinLocked => ": unblock it with the token's own tool",
        ErrorKind::DeviceRemoved => ": put it back and try again",
        ErrorKind::DeviceFull => ": delete keys that are not needed",
        ErrorKind::Unsupported => ": choose another key type or provider",
        ErrorKind::Internal => ": try again, and report it if it happens again",
        _ => "",
    }
}
