//! A key that is ready to sign.

use std::{fmt, sync::Arc};

use tokenbinding_backend::{
    DeviceKey, ErrorKind, KeyType, PublicKey, Result, Signature, SignedData,
};
use tss_esapi::{
    constants::{StructureTag, tss::TPM2_RH_NULL},
    handles::KeyHandle,
    interface_types::session_handles::AuthSession,
    structures::{Digest, HashcheckTicket, SignatureScheme},
    tss2_esys::TPMT_TK_HASHCHECK,
};

use crate::{
    authorization::{Role, Session},
    connection::Connection,
    failure::{self, Failure},
    loading::KnownKey,
    recipe::{Recipe, Wrapped},
    template,
    turnstile::Turnstile,
};

/// A key of the TPM. It stays loaded while it is among the last ones used, and comes back by
/// itself otherwise.
pub(crate) struct TpmKey {
    tpm: Arc<Turnstile<Connection>>,
    key: KnownKey,
}

impl TpmKey {
    pub(crate) const fn new(tpm: Arc<Turnstile<Connection>>, key: KnownKey) -> Self {
        Self { tpm, key }
    }
}

impl DeviceKey for TpmKey {
    fn public_key(&self) -> &PublicKey {
        &self.key.public_key
    }

    fn sign(&self, data: &SignedData) -> Result<Signature> {
        let mut connection = self.tpm.pass();
        connection
            .sign(&self.key, data)
            .map_err(|failure| failure.during("sign"))
    }
}

impl fmt::Debug for TpmKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TpmKey")
            .field("name", &self.key.name)
            .field("kind", &self.key.kind)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Makes sure that the TPM holds `key`, which stays loaded.
    pub(crate) fn open_key(&mut self, key: &KnownKey) -> failure::Result<()> {
        self.ensure()?;
        self.again_if_gone(|connection| connection.acquire(key).map(drop))
    }

    /// Signs. Where the handle may have become another key's, the signature is looked at, and the
    /// key brought back anew if it is not its own.
    pub(crate) fn sign(&mut self, key: &KnownKey, data: &SignedData) -> failure::Result<Signature> {
        self.ensure()?;
        let digest = data.sha256();
        for _ in 0..2 {
            let signature = self.again_if_gone(|connection| connection.sign_once(key, &digest))?;
            if self.slots.is_proven(key.tag) {
                return Ok(signature);
            }
            let checked = key.public_key.verify(key.kind, data, signature.as_bytes());
            if checked.is_ok() {
                self.slots.prove(key.tag);
                return Ok(signature);
            }
            self.slots.unsave(key.tag);
            self.unload();
        }
        let text = "the TPM's signatures do not verify";
        Err(Failure::stated(ErrorKind::Internal, text))
    }

    fn sign_once(&mut self, key: &KnownKey, digest: &[u8; 32]) -> failure::Result<Signature> {
        let session = match &key.recipe {
            Recipe::Wrapped(wrapped) if wrapped.with_auth => {
                Session::Kept(self.key_session(wrapped)?)
            }
            _ => Session::IfSecret(None),
        };
        let handle = self.acquire(key)?;
        self.sign_loaded(handle, key.kind, key.role(), session, digest)
    }

    /// Runs `f` once more when the TPM has lost what was loaded.
    fn again_if_gone<T>(
        &mut self,
        mut f: impl FnMut(&mut Self) -> failure::Result<T>,
    ) -> failure::Result<T> {
        match f(self) {
            Err(failure) if failure.is_gone() => {
                self.unload();
                f(self)
            }
            result => result,
        }
    }

    /// Signs with an object that is loaded: one command.
    pub(crate) fn sign_loaded(
        &mut self,
        handle: KeyHandle,
        kind: KeyType,
        role: Role,
        session: Session,
        digest: &[u8; 32],
    ) -> failure::Result<Signature> {
        const SIGN: &str = "TPM2_Sign";
        let defect = |error| Failure::of(SIGN, error);
        let digest = Digest::try_from(digest.as_slice()).map_err(defect)?;
        let ticket = no_ticket().map_err(defect)?;
        let signature = self.authorized(role, session, SIGN, |context| {
            let (digest, ticket) = (digest.clone(), ticket.clone());
            context.sign(handle, digest, SignatureScheme::Null, ticket)
        })?;
        template::signature(kind, &signature).ok_or_else(|| Failure::senseless(SIGN))
    }

    /// The session that keys with an authorization sign in. It is salted with the storage root
    /// that wrapped the key, told by its Name.
    fn key_session(&mut self, wrapped: &Wrapped) -> failure::Result<AuthSession> {
        if let Some(session) = self.key_session {
            return Ok(session);
        }
        if !self.authorization.has(Role::Key) {
            // An empty authorization would be a wrong one, and be counted.
            return Err(Failure::Refused {
                role: Role::Key,
                given: false,
                code: None,
            });
        }
        self.make_room(1)?;
        let session = self.with_root_of(wrapped, |connection, root| {
            connection.start_session(Some(root.handle))
        })?;
        self.key_session = Some(session);
        Ok(session)
    }
}

/// Says that the digest was not made by the TPM, which an unrestricted key does not ask for.
fn no_ticket() -> tss_esapi::Result<HashcheckTicket> {
    TPMT_TK_HASHCHECK {
        tag: StructureTag::Hashcheck.into(),
        hierarchy: TPM2_RH_NULL,
        digest: Default::default(),
    }
    .try_into()
}
