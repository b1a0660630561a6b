//! What is stored of a key so that this TPM, and no other, can bring it back.
//!
//! Encoded: version 1 (1 byte) ‖ form (1) ‖
//! - form 1, derived: hierarchy (1: 1 owner, 2 NULL) ‖ salt (32)
//! - form 2, wrapped: root (1: 1 persistent, 2 owner, 3 NULL) ‖ has an authorization (1: 0 or 1)
//!   ‖ length of the root's Name (1) ‖ Name ‖ the contents of its `TPM2B_PRIVATE` (the rest)
//!
//! Nothing here is secret: the salt is of no use without the TPM's seed, and the private half is
//! encrypted by the storage root.

use sha2::{Digest as _, Sha256};
use tokenbinding_backend::{ErrorKind, KeyName};

use crate::failure::{Failure, Result};

const VERSION: u8 = 1;
const DERIVED: u8 = 1;
const WRAPPED: u8 = 2;
const DOMAIN_TAG: &[u8] = b"tokenbinding tpm derived key v1\0";
/// The longest `TPM2B_NAME`: a hash algorithm and a SHA-512 digest.
const MAX_NAME_LEN: usize = 66;

/// How to bring a key back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recipe {
    /// `TPM2_CreatePrimary` makes it again.
    Derived { ephemeral: bool, salt: [u8; 32] },
    /// `TPM2_Load` loads it.
    Wrapped(Wrapped),
}

/// A key that a storage root has wrapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrapped {
    pub(crate) root: Root,
    /// Whether it has an authorization of its own.
    pub(crate) with_auth: bool,
    /// The Name of the root that wrapped it.
    pub(crate) root_name: Vec<u8>,
    /// Encrypted by the root.
    pub(crate) private: Vec<u8>,
}

/// Where the storage root of a wrapped key was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// At 0x81000001.
    Persistent,
    /// Made from the TCG's template under the owner hierarchy.
    Owner,
    /// Made for this backend under the NULL hierarchy.
    Null,
}

impl Root {
    const fn octet(self) -> u8 {
        match self {
            Self::Persistent => 1,
            Self::Owner => 2,
            Self::Null => 3,
        }
    }
}

impl Recipe {
    /// `unique.x` of a derived key's template: what makes it this key. `ephemeral` is empty for
    /// lasting keys.
    pub(crate) fn unique_x(salt: &[u8; 32], name: &KeyName, ephemeral: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(DOMAIN_TAG);
        hash.update(salt);
        hash.update(name.as_bytes());
        hash.update(ephemeral);
        hash.finalize().into()
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Derived { ephemeral, salt } => {
                let head = [VERSION, DERIVED, 1 + u8::from(*ephemeral)];
                [&head[..], salt].concat()
            }
            Self::Wrapped(wrapped) => {
                let name = &wrapped.root_name;
                let head = [
                    VERSION,
                    WRAPPED,
                    wrapped.root.octet(),
                    u8::from(wrapped.with_auth),
                    u8::try_from(name.len()).unwrap_or(u8::MAX),
                ];
                [&head[..], name, &wrapped.private].concat()
            }
        }
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let recipe = match bytes {
            [VERSION, DERIVED, hierarchy @ (1 | 2), salt @ ..] => {
                salt.try_into().ok().map(|salt| Self::Derived {
                    ephemeral: *hierarchy == 2,
                    salt,
                })
            }
            [VERSION, WRAPPED, rest @ ..] => Wrapped::decode(rest).map(Self::Wrapped),
            _ => None,
        };
        let damaged = "what is stored for the key is no recipe of version 1; make a new key";
        recipe.ok_or_else(|| Failure::stated(ErrorKind::Corrupt, damaged))
    }
}

impl Wrapped {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let [root, with_auth @ (0 | 1), name_len, rest @ ..] = bytes else {
            return None;
        };
        let root = [Root::Persistent, Root::Owner, Root::Null]
            .into_iter()
            .find(|known| known.octet() == *root)?;
        let (root_name, private) = rest.split_at_checked(usize::from(*name_len))?;
        (root_name.len() <= MAX_NAME_LEN && !private.is_empty()).then(|| Self {
            root,
            with_auth: *with_auth == 1,
            root_name: root_name.to_vec(),
            private: private.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipes() -> Vec<Recipe> {
        let salt = [7; 32];
        let wrapped = Wrapped {
            root: Root::Owner,
            with_auth: true,
            root_name: vec![5; 34],
            private: vec![6; 9],
        };
        vec![
            Recipe::Derived {
                ephemeral: false,
                salt,
            },
            Recipe::Derived {
                ephemeral: true,
                salt,
            },
            Recipe::Wrapped(wrapped),
        ]
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        for recipe in recipes() {
            let decoded = Recipe::decode(&recipe.encode()).expect("well-formed");
            assert_eq!(decoded, recipe);
        }
    }

    #[test]
    fn a_recipe_of_another_version_or_form_is_corrupt() {
        for recipe in recipes() {
            for at in 0..3 {
                let mut bytes = recipe.encode();
                bytes[at] ^= 0x10;
                assert!(Recipe::decode(&bytes).is_err());
                assert!(Recipe::decode(&bytes[..at]).is_err());
            }
        }
    }
}
