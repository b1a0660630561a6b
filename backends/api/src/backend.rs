//! The two traits of a key provider.

use std::{fmt::Debug, sync::Arc};

use crate::{KeyId, KeyType, PublicKey, Result, Signature, SignedData, StoredKey};

/// What a backend is and what it can do. Fixed while the backend is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendInfo {
    /// The provider's name: `software`, `tpm`, `pkcs11`.
    pub name: &'static str,
    /// The device as its maker calls it, for people.
    pub model: String,
    /// Whether private keys live in hardware of their own.
    pub hardware: bool,
    /// Tells this very device from every other one. Rows of the key map belong to it.
    pub device: String,
    /// The key types that it is known to make without asking the device, the most preferred first.
    pub key_types: Vec<KeyType>,
}

/// A device, or what stands for one, that makes and keeps key pairs.
///
/// Implementations hold no lock while they wait for a person, and never log, print or return a
/// private key, a PIN or a master secret.
pub trait Backend: Send + Sync + Debug {
    /// What this backend is.
    fn info(&self) -> &BackendInfo;

    /// The key types that it can make, the most preferred first. Some devices have to be asked: the
    /// first call may take as long as a few signatures.
    fn key_types(&self) -> &[KeyType] {
        &self.info().key_types
    }

    /// What a person may want to know of the device beside its [`info`](Self::info), by name: its
    /// maker, its firmware, its room. The device is asked.
    ///
    /// # Errors
    /// Whatever keeps the device from answering.
    fn details(&self) -> Result<Vec<(&'static str, String)>> {
        Ok(Vec::new())
    }

    /// Makes a new key pair of type `kind` for `id`, whether or not there is one already.
    ///
    /// The private half cannot be exported (RFC 8471 §4.1). A pair for an ephemeral `id` leaves
    /// nothing behind when the process ends.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for a type that is not among the
    /// [`key_types`](Self::key_types); otherwise whatever keeps the device from it. Nothing is left
    /// on the device then.
    fn create(&self, id: &KeyId, kind: KeyType) -> Result<(StoredKey, Arc<dyn DeviceKey>)>;

    /// Makes a stored key usable again.
    ///
    /// # Errors
    /// [`KeyLost`](crate::ErrorKind::KeyLost) when the device does not hold the key, or holds
    /// another in its place; [`Corrupt`](crate::ErrorKind::Corrupt) when `stored` is damaged.
    fn open(&self, stored: &StoredKey) -> Result<Arc<dyn DeviceKey>>;

    /// Looks for a pair on a token that carries its keys with it. `None` where there is none, and
    /// from every device that keeps nothing of its own.
    ///
    /// # Errors
    /// Whatever keeps the device from looking. A device that cannot be asked is an error, never
    /// `None`.
    fn find(&self, id: &KeyId, kind: KeyType) -> Result<Option<StoredKey>>;

    /// Destroys the key pair as far as it lives on the device. Deleting twice is no error. The
    /// caller forgets `stored`, without which no other backend can bring the pair back.
    ///
    /// # Errors
    /// Whatever keeps the device from it; the pair is then still there.
    fn delete(&self, stored: &StoredKey) -> Result<()>;
}

/// A key pair that is ready to sign.
pub trait DeviceKey: Send + Sync + Debug {
    /// The public half: kept at hand, without device I/O.
    fn public_key(&self) -> &PublicKey;

    /// Signs with the scheme of the key's type (RFC 8471 §3.3).
    ///
    /// # Errors
    /// Whatever keeps the device from signing.
    fn sign(&self, data: &SignedData) -> Result<Signature>;
}
