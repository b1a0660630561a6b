//! The halves of key pairs, as objects of the token.
//!
//! Two pairs may share one `CKA_ID`: two processes that made a key for one site at once. Which
//! private half belongs to which public one the token may not tell (a private EC key has no point),
//! so where there is a choice it is settled by a signature.

use cryptoki_sys::*;
use tokenbinding_backend::{KeyName, KeyType, PublicKey};

use crate::{
    fault::Result,
    module::Module,
    public_key,
    template::{self, PROOF},
};

/// The private half of a pair, good for one link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PrivateKey {
    pub(crate) handle: CK_OBJECT_HANDLE,
    /// `CKA_ALWAYS_AUTHENTICATE`: it wants a login for each signature.
    pub(crate) always_authenticate: bool,
}

/// The public half of a pair.
#[derive(Clone, Debug)]
pub(crate) struct PublicHalf {
    pub(crate) handle: CK_OBJECT_HANDLE,
    pub(crate) key: PublicKey,
}

/// All halves that bear one name.
#[derive(Debug)]
pub(crate) struct Halves {
    pub(crate) private: Vec<PrivateKey>,
    /// In the order of their keys' bytes, which is the same for every process.
    pub(crate) public: Vec<PublicHalf>,
}

impl Halves {
    /// Looks for them. A private key that could have been read or brought in is not among them.
    pub(crate) fn find(
        module: &Module,
        session: CK_SESSION_HANDLE,
        name: &KeyName,
        kind: KeyType,
    ) -> Result<Self> {
        let search = |class| {
            let template = template::search(name, kind, class);
            module.find_objects(session, &template)
        };
        let mut private = Vec::new();
        for handle in search(CKO_PRIVATE_KEY)? {
            let told = module.attributes(session, handle, &PROOF)?;
            if let Some(attribute) = template::unproven(&told) {
                tracing::warn!(?name, attribute, "a key without its proof is left alone");
                continue;
            }
            let always_authenticate = told.flag(CKA_ALWAYS_AUTHENTICATE).unwrap_or(false);
            private.push(PrivateKey {
                handle,
                always_authenticate,
            });
        }
        let mut public = Vec::new();
        for handle in search(CKO_PUBLIC_KEY)? {
            let told = module.attributes(session, handle, &public_key::attributes(kind))?;
            if let Some(key) = public_key::public_key(kind, &told) {
                public.push(PublicHalf { handle, key });
            }
        }
        public.sort_by_cached_key(|half| public_key::bytes(&half.key));
        Ok(Self { private, public })
    }

    /// Whether there is one pair, and it is the one of `key`, so that nothing has to be proven.
    pub(crate) fn are_only(&self, key: &PublicKey) -> bool {
        self.private.len() == 1 && matches!(&self.public[..], [only] if only.key == *key)
    }
}
