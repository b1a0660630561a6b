//! The backend: keys of a PKCS#11 token under the names that the library gives them.

use std::sync::Arc;

use cryptoki_sys::*;
use tokenbinding_backend::{
    Backend, BackendInfo, DeviceKey, ErrorKind, KeyId, KeyType, PublicKey, Result as BackendResult,
    StoredKey,
};

use crate::{
    Callbacks, Pkcs11Config,
    ckr::Ckr,
    core::Core,
    fault::{BACKEND, Fault, Result},
    key::{self, Key},
    link::Link,
    locate, mechanism,
    module::Module,
    objects::{Halves, PrivateKey},
    public_key,
    template::{self, Templates},
    token,
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
        let core = Self::core(config, callbacks).map_err(|fault| fault.into_error("open the token"))?;
        Ok(Self {
            core: Arc::new(core),
        })
    }

    fn core(config: &Pkcs11Config, callbacks: Arc<dyn Callbacks>) -> Result<Core> {
        let module = Module::load(&locate::module(&config.uri)?)?;
        module.initialize()?;
        let token = token::select(&module, &config.uri)?;
        let support = mechanism::support(&module, token.slot as CK_SLOT_ID)?;
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
        let support = self.core.support.iter().find(|support| support.kind == kind);
        match support.and_then(|support| support.missing.as_ref()) {
            None => Ok(()),
            Some(why) => Err(Fault::new(ErrorKind::Unsupported, why.as_str())),
        }
    }

    /// Makes a pair, proves it, and returns its halves.
    fn generate(
        &self,
        link: &Link,
        session: CK_SESSION_HANDLE,
        id: &KeyId,
        kind: KeyType,
    ) -> Result<(PublicKey, PrivateKey)> {
        let handles = if id.is_ephemeral() {
            link.with_ephemeral(|session| generate_pair(link.module(), session, id, kind))?
        } else {
            link.require_writable()?;
            generate_pair(link.module(), session, id, kind)?
        };
        let proven = self.prove(link, session, handles, kind);
        if proven.is_err() {
            let (public, private) = handles;
            for half in [private, public] {
                if let Err(fault) = link.module().c_destroy_object(session, half) {
                    tracing::warn!(%fault, "a key that is not used could not be destroyed");
                }
            }
        }
        proven
    }

    fn prove(
        &self,
        link: &Link,
        session: CK_SESSION_HANDLE,
        (public, private): (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE),
        kind: KeyType,
    ) -> Result<(PublicKey, PrivateKey)> {
        let module = link.module();
        let told = module.attributes(session, private, &template::PROOF)?;
        if let Some(attribute) = template::unproven(&told) {
            return Err(Fault::new(
                ErrorKind::Unsupported,
                format!("the token does not vouch by {attribute} that the key cannot leave it"),
            ));
        }
        let private = PrivateKey {
            handle: private,
            always_authenticate: told.flag(CKA_ALWAYS_AUTHENTICATE).unwrap_or(false),
        };
        let told = module.attributes(session, public, &public_key::attributes(kind))?;
        let public = public_key::public_key(kind, &told).ok_or_else(|| {
            let text = format!("the token does not show a well-formed {kind} public key");
            Fault::new(ErrorKind::Internal, text)
        })?;
        // A type whose signatures turn out not to be those of RFC 8471 is found out here, before
        // anybody relies on the key.
        if self.core.proven.get(kind).is_none() {
            self.core.prove_scheme(link, session, private, (kind, &public))?;
        }
        Ok((public, private))
    }

    /// The pair of this name that every process agrees on: the smallest public key that has its
    /// private half.
    fn find_pair(
        &self,
        link: &Link,
        session: CK_SESSION_HANDLE,
        id: &KeyId,
        kind: KeyType,
    ) -> Result<Option<StoredKey>> {
        let name = id.name(kind);
        let halves = Halves::find(link.module(), session, &name, kind)?;
        link.require_login(session, halves.private.is_empty())?;
        for half in &halves.public {
            let pair = (kind, &half.key);
            if self.core.private_half(link, session, &halves, pair)?.is_some() {
                return Ok(Some(StoredKey::new(name, kind, half.key.clone(), OPAQUE)));
            }
        }
        Ok(None)
    }

    /// Destroys the halves of `stored`, and no others of its name.
    fn destroy(&self, link: &Link, session: CK_SESSION_HANDLE, stored: &StoredKey) -> Result<()> {
        let (kind, key) = (stored.kind(), stored.public_key());
        let module = link.module();
        let halves = Halves::find(module, session, stored.name(), kind)?;
        link.require_login(session, halves.private.is_empty())?;
        // The private half first: a pair whose deletion is cut short must not sign any more.
        if let Some(private) = self.core.private_half(link, session, &halves, (kind, key))? {
            module.c_destroy_object(session, private.handle)?;
        }
        for half in halves.public.iter().filter(|half| half.key == *key) {
            module.c_destroy_object(session, half.handle)?;
        }
        Ok(())
    }
}

fn generate_pair(
    module: &Module,
    session: CK_SESSION_HANDLE,
    id: &KeyId,
    kind: KeyType,
) -> Result<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
    let (mechanism, _) = mechanism::generation(kind);
    let generate = |Templates { public, private }: &Templates| {
        module.c_generate_key_pair(session, mechanism, public, private)
    };
    let templates = Templates::new(id, kind);
    match generate(&templates) {
        Err(fault) if fault.ckr().is_some_and(Ckr::is_about_the_template) => {
            tracing::debug!(%fault, "asking for a plainer key");
            generate(&templates.without_refinements())
        }
        result => result,
    }
}

impl Backend for Pkcs11Backend {
    fn info(&self) -> &BackendInfo {
        &self.core.info
    }

    fn create(&self, id: &KeyId, kind: KeyType) -> BackendResult<(StoredKey, Arc<dyn DeviceKey>)> {
        const OPERATION: &str = "create a key";
        self.require(kind)
            .map_err(|fault| fault.into_error(OPERATION))?;
        let (public, private) = self.core.run(OPERATION, |link, session| {
            let (public, private) = self.generate(link, session, id, kind)?;
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
