//! What every key provider of `tokenbinding` implements, and what it is measured by.
//!
//! A [`Backend`] makes key pairs whose private half never leaves its device, finds them again, and
//! signs the 34 bytes of RFC 8471 §3.3 with them. It knows no wire format, no URL and no file of
//! ours: the library hands it a [`KeyId`] and keeps the [`StoredKey`] that comes back.
//!
//! A new provider is a crate that implements [`Backend`] and [`DeviceKey`] and passes the
//! `conformance` suite (feature `conformance`) on its real device.

mod backend;
mod callbacks;
pub mod environment;
mod error;
mod key_id;
mod key_type;
pub mod private;
mod public_key;
mod signature;
mod stored_key;

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "fake")]
pub mod fake;

pub use backend::{Backend, BackendInfo, DeviceKey};
pub use callbacks::{Callbacks, Nobody, PinTries, TokenName};
pub use error::{Error, ErrorKind, Result};
pub use key_id::{InvalidProfile, KeyId, KeyName, Profile};
pub use key_type::{KeyType, UnknownKeyType};
pub use public_key::{InvalidPublicKey, P256PublicKey, PublicKey, Rsa2048PublicKey};
pub use signature::{BadSignature, Signature, SignedData};
pub use stored_key::{InvalidStoredKey, StoredKey};
