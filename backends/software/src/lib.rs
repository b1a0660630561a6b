//! Token Binding keys in software, for machines with neither a TPM nor a token.
//!
//! All keys hang on one [`Master`] of 32 bytes, which is a file, comes from a passphrase, or is
//! handed over by the service manager. A P-256 private key is derived from the master and a random
//! salt; an RSA key is random and sealed under the master. Either way what is stored for a key is
//! of no use without the master, and forgetting it forgets the key.
//!
//! No private key and no master is ever returned, printed or logged.

mod backend;
mod derive;
mod master;
mod p256_key;
mod page;
mod passphrase;
mod rsa_key;
mod stack;
#[cfg(test)]
mod wiped;

pub use backend::SoftwareBackend;
pub use master::{Master, MasterSource};

use tokenbinding_backend::{Error, ErrorKind};

const NAME: &str = "software";

/// An error of this backend.
fn error(
    kind: ErrorKind,
    operation: &'static str,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::new(kind, NAME, operation, cause)
}

/// For `fuzz/` alone.
#[doc(hidden)]
pub mod fuzzing {
    /// What the file beside a passphrase encodes to again, if its bytes are such a record.
    #[must_use]
    pub fn passphrase_record(bytes: &[u8]) -> Option<Vec<u8>> {
        let record = crate::passphrase::Record::decode(bytes)?;
        Some(record.encode())
    }
}
