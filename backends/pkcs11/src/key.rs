//! A key pair on the token, ready to sign.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use tokenbinding_backend::{
    DeviceKey, ErrorKind, PublicKey, Result as BackendResult, Signature, SignedData, StoredKey,
};

use crate::{
    ckr::Recovery,
    core::Core,
    fault::{Fault, Result},
    link::Link,
    module::Session,
    objects::{Halves, PrivateKey},
    sync::lock,
};

/// A pair by its name and public half. The handle of the private half is kept for as long as the
/// link that it belongs to.
pub(crate) struct Key {
    core: Arc<Core>,
    stored: StoredKey,
    private: Mutex<Option<(u64, PrivateKey)>>,
}

impl Key {
    /// The pair `stored`, whose private half was found by the link of this number.
    pub(crate) fn new(core: Arc<Core>, stored: StoredKey, private: (u64, PrivateKey)) -> Self {
        Self {
            core,
            stored,
            private: Mutex::new(Some(private)),
        }
    }

    fn private(&self, link: &Link, session: Session) -> Result<PrivateKey> {
        let kept = *lock(&self.private);
        if let Some((number, private)) = kept
            && number == link.number()
        {
            return Ok(private);
        }
        let private = find_private(&self.core, link, session, &self.stored)?;
        *lock(&self.private) = Some((link.number(), private));
        Ok(private)
    }

    fn sign_once(&self, link: &Link, session: Session, data: &SignedData) -> Result<Signature> {
        let private = self.private(link, session)?;
        let pair = (self.stored.kind(), self.stored.public_key());
        let result = self.core.sign(link, session, private, pair, data);
        if let Err(fault) = &result
            && fault.recovery() == Some(Recovery::Find)
        {
            *lock(&self.private) = None;
        }
        result
    }
}

/// The private half of `stored` on the token of `link`.
pub(crate) fn find_private(
    core: &Core,
    link: &Link,
    session: Session,
    stored: &StoredKey,
) -> Result<PrivateKey> {
    let kind = stored.kind();
    let halves = Halves::find(link.module(), session, *stored.name(), kind)?;
    link.require_login(session, halves.private.is_empty())?;
    let pair = (kind, stored.public_key());
    let found = core.private_half(link, session, &halves, pair)?;
    found.ok_or_else(|| {
        Fault::new(
            ErrorKind::KeyLost,
            "the token has no private key of this name that belongs to the stored public key",
        )
    })
}

impl DeviceKey for Key {
    fn public_key(&self) -> &PublicKey {
        self.stored.public_key()
    }

    fn sign(&self, data: &SignedData) -> BackendResult<Signature> {
        self.core
            .run("sign", |link, session| self.sign_once(link, session, data))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkcs11Key")
            .field("device", &self.core.info.device)
            .field("stored", &self.stored)
            .finish_non_exhaustive()
    }
}
