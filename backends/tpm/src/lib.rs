//! Token Binding keys in a TPM 2.0.
//!
//! P-256 keys are derived inside the TPM, per target: `TPM2_CreatePrimary` from a seed that never
//! leaves it and a salt that is kept outside, so nothing secret is stored and forgetting the salt
//! forgets the key. RSA keys, and P-256 keys where derivation is not wanted, are made by
//! `TPM2_Create` and kept outside wrapped by the TPM's storage root. Ephemeral keys live under the
//! NULL hierarchy and die with the backend.
//!
//! The crate talks to the TPM through tpm2-tss ([`tss_esapi`]). It never evicts, overwrites or
//! makes persistent anything, and sends a refused authorization only once.

mod authorization;
mod backend;
mod config;
mod connection;
mod failure;
mod identity;
mod key;
mod loading;
mod pss;
mod recipe;
mod response_code;
mod slots;
mod status;
mod storage_root;
mod tcti;
mod template;
mod turnstile;

pub use backend::TpmBackend;
pub use config::{P256Keys, TpmConfig};
pub use pss::PssSupport;
pub use status::{Lockout, ObjectSlots, TpmStatus};

/// For `fuzz/` alone.
#[doc(hidden)]
pub mod fuzzing {
    /// What a stored key's own bytes encode to again, if they are a recipe.
    #[must_use]
    pub fn recipe(bytes: &[u8]) -> Option<Vec<u8>> {
        let recipe = crate::recipe::Recipe::decode(bytes).ok()?;
        Some(recipe.encode())
    }
}
