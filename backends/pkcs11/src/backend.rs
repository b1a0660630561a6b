//! The backend: keys of a PKCS#11 token under the names that the library gives them.

use std::{cell::Cell, sync::Arc};

use cryptoki_sys::*;
use tokenbinding_backend::{
    Backend, BackendInfo, DeviceKey, ErrorKind, KeyId, KeyType, PublicKey, Result as BackendResult,
    StoredKey,
};

use crate::{
    Callbacks, Pkcs11Config, Pkcs11Uri, TokenInfo,
    ckr::Ckr,
    core::{Core, RESTARTS},
    fault::{BACKEND, Fault, Result},
    key::{self, Key},
    link::Link,
    locate, mechanism,
    module::{Attributes, Module, Session},
    objects::{Halves, Objects, PrivateKey},
    public_key,
    template::{self, Templates},
    token::{self, Missing},
    uri::UriPin,
};

/// The version of what [`StoredKey::opaque`] holds: this byte alone. The name and the public key
/// find the pair.
const OPAQUE: [u8; 1] = [1];

/// Keys on one PKCS#11 token.
///
/// Opening it needs no PIN; the first operation with keys logs in. It may be used by several
/// threads, and by a child of `fork`. Ephemeral keys live until it and its keys are dropped.
#[derive(Debug)]
pub struct Pkcs11Backend {
    pub(crate) core: Arc<Core>,
}

impl Pkcs11Backend {
    /// Opens the token that `config` names. `callbacks` are asked for the PIN, when it is needed
    /// and comes from nowhere else.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when the module cannot be loaded, or no token or several are the
    /// one that is meant.
    pub fn open(config: &Pkcs11Config, callbacks: Arc<dyn Callbacks>) -> BackendResult<Self> {
        let core =
            Self::core(config, callbacks).map_err(|fault| fault.into_error("open the token"))?;
        Ok(Self {
            core: Arc::new(core),
        })
    }

    fn core(config: &Pkcs11Config, callbacks: Arc<dyn Callbacks>) -> Result<Core> {
        if let Some(UriPin::Value(_)) = &config.uri.pin {
            tracing::warn!(
                "the URI holds the PIN, which others may see: pin-source=file:… is safer"
            );
        }
        let module = Module::load(&locate::module(&config.uri)?)?;
        module.initialize()?;
        let token = select(&module, &config.uri)?;
        let support = mechanism::support(&module, token.slot)?;
        let offered = support.iter().filter(|support| support.missing.is_none());
        let info = BackendInfo {
            name: BACKEND,
            model: token.display_name(),
            hardware: token.hardware,
            device: token.device_id(),
            key_types: offered.map(|support| support.kind).collect(),
        };
        let config = config.clone();
        Ok(Core::new(module, &token, info, support, config, callbacks))
    }

    fn require(&self, kind: KeyType) -> Result<()> {
        let support = self
            .core
            .support
            .iter()
            .find(|support| support.kind == kind);
        match support.and_then(|support| support.missing.as_ref()) {
            None => Ok(()),
            Some(why) => Err(Fault::new(ErrorKind::Unsupported, why.as_str())),
        }
    }

    /// Makes a pair, proves it, and returns its halves.
    fn generate(
        &self,
        link: &Link,
        session: Session,
        id: &KeyId,
        kind: KeyType,
    ) -> Result<(PublicKey, PrivateKey)> {
        if !id.is_ephemeral() {
            link.require_writable()?;
        }
        let templates = Templates::new(id, kind);
        match self.generate_as(link, session, &templates, (id, kind)) {
            Err(fault) if fault.ckr().is_some_and(Ckr::may_be_the_template) => {
                // The pair may have been made all the same, and its answer lost.
                if !id.is_ephemeral()
                    && let Some(made) = self.made_before(link, session, id, kind)?
                {
                    return Ok(made);
                }
                tracing::debug!(%fault, "asking for a plainer key");
                let templates = templates.without_modifiable();
                self.generate_as(link, session, &templates, (id, kind))
            }
            result => result,
        }
    }

    fn generate_as(
        &self,
        link: &Link,
        session: Session,
        templates: &Templates,
        (id, kind): (&KeyId, KeyType),
    ) -> Result<(PublicKey, PrivateKey)> {
        let module = link.module();
        let (mechanism, _) = mechanism::generation(kind);
        let pair = |session| {
            let Templates {
                public, private, ..
            } = templates;
            module.c_generate_key_pair(session, mechanism, public, private)
        };
        let (public, private) = if templates.ephemeral {
            link.with_ephemeral(pair)?
        } else {
            pair(session)?
        };
        let objects = Objects {
            module,
            session,
            name: id.name(kind),
            kind,
        };
        // What does not turn out to be the new pair is not destroyed either.
        let told = (objects.public(public)?, objects.private(private)?);
        let proven = self.prove(link, session, (private, told), kind);
        if proven.is_err() {
            for half in [private, public] {
                if let Err(fault) = module.c_destroy_object(session, half) {
                    tracing::warn!(%fault, "a key that is not used could not be destroyed");
                }
            }
        }
        proven
    }

    fn prove(
        &self,
        link: &Link,
        session: Session,
        (private, (public, told)): (CK_OBJECT_HANDLE, (Attributes, Attributes)),
        kind: KeyType,
    ) -> Result<(PublicKey, PrivateKey)> {
        if let Some(attribute) = template::unproven(&told) {
            return Err(Fault::new(
                ErrorKind::Unsupported,
                format!("the token does not vouch by {attribute} that the key cannot leave it"),
            ));
        }
        let private = PrivateKey::new(private, &told);
        let public = public_key::public_key(kind, &public).ok_or_else(|| {
            let text = format!("the token does not show a well-formed {kind} public key");
            Fault::new(ErrorKind::Internal, text)
        })?;
        // A type whose signatures turn out not to be those of RFC 8471 is found out here, before
        // anybody relies on the key.
        if self.core.proven.get(kind).is_none() {
            self.core
                .prove_scheme(link, session, private, (kind, &public))?;
        }
        Ok((public, private))
    }

    /// The halves of a pair of this name that is on the token already.
    fn made_before(
        &self,
        link: &Link,
        session: Session,
        id: &KeyId,
        kind: KeyType,
    ) -> Result<Option<(PublicKey, PrivateKey)>> {
        let Some(stored) = self.find_pair(link, session, id, kind)? else {
            return Ok(None);
        };
        let private = key::find_private(&self.core, link, session, &stored)?;
        Ok(Some((stored.public_key().clone(), private)))
    }

    /// The pair of this name that every process agrees on: the smallest public key that has its
    /// private half.
    fn find_pair(
        &self,
        link: &Link,
        session: Session,
        id: &KeyId,
        kind: KeyType,
    ) -> Result<Option<StoredKey>> {
        let name = id.name(kind);
        let halves = Halves::find(link.module(), session, name, kind)?;
        link.require_login(session, halves.private.is_empty())?;
        for half in &halves.public {
            let pair = (kind, &half.key);
            if self
                .core
                .private_half(link, session, &halves, pair)?
                .is_some()
            {
                return Ok(Some(StoredKey::new(name, kind, half.key.clone(), OPAQUE)));
            }
        }
        Ok(None)
    }

    /// Destroys the halves of `stored`, and no others of its name.
    fn destroy(&self, link: &Link, session: Session, stored: &StoredKey) -> Result<()> {
        let (kind, key) = (stored.kind(), stored.public_key());
        let module = link.module();
        let halves = Halves::find(module, session, *stored.name(), kind)?;
        link.require_login(session, halves.private.is_empty())?;
        // The private half first: a pair whose deletion is cut short must not sign any more.
        if let Some(private) = self
            .core
            .private_half(link, session, &halves, (kind, key))?
        {
            module.c_destroy_object(session, private.handle)?;
        }
        for half in halves.public.iter().filter(|half| half.key == *key) {
            module.c_destroy_object(session, half.handle)?;
        }
        Ok(())
    }
}

/// Selects the token. SoftHSM 2.6.1 overlooks one that another process is writing to, until it
/// starts again.
fn select(module: &Module, uri: &Pkcs11Uri) -> Result<TokenInfo> {
    let mut starts = 0;
    loop {
        match token::select(module, uri) {
            Err(Missing::None(_)) if starts < RESTARTS && module.restart(starts)? => starts += 1,
            result => return result.map_err(Missing::into_fault),
        }
    }
}

impl Backend for Pkcs11Backend {
    fn info(&self) -> &BackendInfo {
        &self.core.info
    }

    fn details(&self) -> BackendResult<Vec<(&'static str, String)>> {
        Ok(self.status()?.details())
    }

    fn create(&self, id: &KeyId, kind: KeyType) -> BackendResult<(StoredKey, Arc<dyn DeviceKey>)> {
        const OPERATION: &str = "create a key";
        self.require(kind)
            .map_err(|fault| fault.into_error(OPERATION))?;
        let again = Cell::new(false);
        let (public, private) = self.core.run(OPERATION, |link, session| {
            // The pair may have been made and the answer lost.
            let made = if again.replace(true) && !id.is_ephemeral() {
                self.made_before(link, session, id, kind)?
            } else {
                None
            };
            let (public, private) = match made {
                Some(made) => made,
                None => self.generate(link, session, id, kind)?,
            };
            Ok((public, (link.number(), private)))
        })?;
        let stored = StoredKey::new(id.name(kind), kind, public, OPAQUE);
        let key = Key::new(Arc::clone(&self.core), stored.clone(), private);
        Ok((stored, Arc::new(key)))
    }

    fn open(&self, stored: &StoredKey) -> BackendResult<Arc<dyn DeviceKey>> {
        const OPERATION: &str = "open a key";
        if stored.opaque() != OPAQUE {
            let fault = Fault::new(ErrorKind::Corrupt, "it was not stored by this version");
            return Err(fault.into_error(OPERATION));
        }
        let private = self.core.run(OPERATION, |link, session| {
            let private = key::find_private(&self.core, link, session, stored)?;
            Ok((link.number(), private))
        })?;
        let key = Key::new(Arc::clone(&self.core), stored.clone(), private);
        Ok(Arc::new(key))
    }

    fn find(&self, id: &KeyId, kind: KeyType) -> BackendResult<Option<StoredKey>> {
        self.core.run("find a key", |link, session| {
            self.find_pair(link, session, id, kind)
        })
    }

    fn delete(&self, stored: &StoredKey) -> BackendResult<()> {
        self.core.run("delete a key", |link, session| {
            self.destroy(link, session, stored)
        })
    }
}
