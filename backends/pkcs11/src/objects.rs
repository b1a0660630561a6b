//! The halves of key pairs, as objects of the token.
//!
//! Two pairs may share one `CKA_ID`: two processes that made a key for one site at once. Which
//! private half belongs to which public one the token may not tell (a private EC key has no point),
//! so where there is a choice it is settled by a signature.

use cryptoki_sys::*;
use tokenbinding_backend::{ErrorKind, KeyName, KeyType, PublicKey};

use crate::{
    fault::{Fault, Result},
    module::{Attributes, Module, Session},
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

impl PrivateKey {
    /// The key of `handle`, of which the token told this.
    pub(crate) fn new(handle: CK_OBJECT_HANDLE, told: &Attributes) -> Self {
        Self {
            handle,
            always_authenticate: told.flag(CKA_ALWAYS_AUTHENTICATE).unwrap_or(false),
        }
    }
}

/// The public half of a pair.
#[derive(Clone, Debug)]
pub(crate) struct PublicHalf {
    pub(crate) handle: CK_OBJECT_HANDLE,
    pub(crate) key: PublicKey,
}

/// The objects of one name, as one session sees them.
#[derive(Debug)]
pub(crate) struct Objects<'a> {
    pub(crate) module: &'a Module,
    pub(crate) session: Session,
    pub(crate) name: KeyName,
    pub(crate) kind: KeyType,
}

impl Objects<'_> {
    fn find(&self, class: CK_OBJECT_CLASS) -> Result<Vec<CK_OBJECT_HANDLE>> {
        let template = template::search(&self.name, self.kind, class);
        self.module.find_objects(self.session, &template)
    }

    /// What the token tells of a private half, and proves of it.
    pub(crate) fn private(&self, handle: CK_OBJECT_HANDLE) -> Result<Attributes> {
        self.read(handle, CKO_PRIVATE_KEY, &PROOF)
    }

    /// What the token tells of a public half.
    pub(crate) fn public(&self, handle: CK_OBJECT_HANDLE) -> Result<Attributes> {
        let kinds = public_key::attributes(self.kind);
        self.read(handle, CKO_PUBLIC_KEY, &kinds)
    }

    /// Reads `kinds` of an object that must be of this name and class. Handles are not taken on
    /// trust: tpm2-pkcs11 1.9 gives a new object the handle of an older one after a deletion, and
    /// whoever deletes by it deletes the wrong key.
    fn read(
        &self,
        handle: CK_OBJECT_HANDLE,
        class: CK_OBJECT_CLASS,
        kinds: &[CK_ATTRIBUTE_TYPE],
    ) -> Result<Attributes> {
        let kinds = [&[CKA_CLASS, CKA_ID], kinds].concat();
        let told = self.module.attributes(self.session, handle, &kinds)?;
        let is_meant = told.get(CKA_CLASS) == Some(&class.to_ne_bytes())
            && told.get(CKA_ID) == Some(self.name.as_bytes());
        if is_meant {
            return Ok(told);
        }
        Err(Fault::new(
            ErrorKind::Internal,
            "the module's handle for the key belongs to another object; start the program again",
        ))
    }
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
        session: Session,
        name: KeyName,
        kind: KeyType,
    ) -> Result<Self> {
        let objects = Objects {
            module,
            session,
            name,
            kind,
        };
        let mut private = Vec::new();
        for handle in objects.find(CKO_PRIVATE_KEY)? {
            let told = objects.private(handle)?;
            match template::unproven(&told) {
                None => private.push(PrivateKey::new(handle, &told)),
                Some(attribute) => {
                    tracing::warn!(?name, attribute, "a key without its proof is left alone");
                }
            }
        }
        let mut public = Vec::new();
        for handle in objects.find(CKO_PUBLIC_KEY)? {
            let told = objects.public(handle)?;
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
