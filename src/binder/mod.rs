//! The generator: from a target and an EKM to a signed token binding.
//!
//! ```text
//! target ─ Scope ─► KeyId ─ KeyMap ─► StoredKey ─ Backend ─► DeviceKey ─ sign ─► TokenBinding
//! ```
//!
//! A key is in the key map before its first signature, and out of it after its device has
//! destroyed it. Whatever call fails in between, what is in the map can be used or is found to be
//! unusable and kept apart.

mod cache;
mod deletion;
mod keys;
mod listing;

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use tokenbinding_backend::{Backend, Callbacks, DeviceKey, KeyId, KeyType, Nobody, Profile};

pub(crate) use self::cache::Generation;
use self::{cache::Cache, keys::OpenKey};
pub use self::{
    deletion::{Deleted, UnreachableKey},
    listing::{ListedKey, SetAside},
};
use crate::{
    Config, Ekm, Error, ProviderChoice, Scope, ScopeRule, TokenBindingId, TokenBindingType,
    key_map::KeyMap,
    message::{TbExtensions, encode_message, encode_token_binding},
    provider::{Opening, Providers},
};

/// How often a call starts over when a key vanishes under its hands.
const ATTEMPTS: usize = 3;
/// Locks that keep the threads of this process from making the same key twice.
const MAKING_LOCKS: usize = 16;

/// Which key of a target to sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyChoice {
    /// The key of this type, made if there is none.
    Type(KeyType),
    /// The key of this type, else one of another type, else a new one of this type: for a referred
    /// binding, whose key was made for another server (RFC 8473 §5.3).
    Prefer(KeyType),
    /// The key of this type that is there already. None is made.
    Existing(KeyType),
    /// A key that is there already, in the order of [`KeyType::ALL`]. None is made.
    AnyExisting,
}

impl From<KeyType> for KeyChoice {
    fn from(kind: KeyType) -> Self {
        Self::Type(kind)
    }
}

/// A key of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDescription {
    /// What the key belongs to.
    pub scope: Scope,
    /// Its type.
    pub key_type: KeyType,
    /// Its name on the wire.
    pub id: TokenBindingId,
    /// The provider that holds it.
    pub provider: &'static str,
    /// Whether this call made it.
    pub created: bool,
}

/// A signed `TokenBinding`, ready to go into a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedBinding {
    bytes: Vec<u8>,
    binding_type: TokenBindingType,
    key: KeyDescription,
}

impl GeneratedBinding {
    /// The encoded `TokenBinding`: 137 bytes for ecdsap256, 526 for RSA with the exponent 65537.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it is for.
    #[must_use]
    pub const fn binding_type(&self) -> TokenBindingType {
        self.binding_type
    }

    /// The key that signed it.
    #[must_use]
    pub const fn key(&self) -> &KeyDescription {
        &self.key
    }
}

impl AsRef<[u8]> for GeneratedBinding {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Makes token bindings, and looks after the keys that sign them. Threads may share it.
pub struct Binder {
    map: Arc<KeyMap>,
    providers: Providers,
    profile: Profile,
    scope_rule: ScopeRule,
    verify_after_sign: Option<bool>,
    cache: Cache,
    making: [Mutex<()>; MAKING_LOCKS],
}

impl fmt::Debug for Binder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Binder")
            .field("map", &self.map)
            .field("providers", &self.providers)
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

impl Binder {
    /// Opens the store of `config`, and makes it where there is none. The provider is opened when
    /// it is first needed.
    ///
    /// # Errors
    /// [`Error`] when the store cannot be used, or this build has not got the provider.
    pub fn open(config: &Config) -> Result<Self, Error> {
        Self::open_with(config, Arc::new(Nobody))
    }

    /// Like [`open`](Self::open), with somebody to ask for PINs.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_with(config: &Config, callbacks: Arc<dyn Callbacks>) -> Result<Self, Error> {
        let profile = config.profile.clone().unwrap_or_default();
        let map = if profile.is_ephemeral() {
            KeyMap::in_memory()?
        } else {
            KeyMap::open(&config.store_dir()?)?
        };
        let map = Arc::new(map);
        let providers = Providers::of(&Opening {
            config: config.clone(),
            callbacks,
            map: Some(Arc::clone(&map)),
        })?;
        Ok(Self {
            profile,
            scope_rule: config.scope.unwrap_or_default(),
            verify_after_sign: config.verify_after_sign,
            ..Self::new(map, providers)
        })
    }

    /// Works with a key map and a device of the caller's own, in the default profile.
    #[must_use]
    pub fn with_backend(map: KeyMap, backend: Arc<dyn Backend>) -> Self {
        Self::new(Arc::new(map), Providers::only(backend))
    }

    fn new(map: Arc<KeyMap>, providers: Providers) -> Self {
        Self {
            map,
            providers,
            profile: Profile::default(),
            scope_rule: ScopeRule::default(),
            verify_after_sign: None,
            cache: Cache::default(),
            making: Default::default(),
        }
    }

    /// The device that makes new keys.
    ///
    /// # Errors
    /// [`Error`] when none can be used.
    pub fn backend(&self) -> Result<Arc<dyn Backend>, Error> {
        self.providers.main()
    }

    /// The scope of a target by this binder's rule.
    ///
    /// # Errors
    /// [`Error::Target`].
    pub fn scope(&self, target: &str) -> Result<Scope, Error> {
        Ok(Scope::of(target, self.scope_rule)?)
    }

    fn key_id(&self, scope: &Scope) -> KeyId {
        KeyId::new(self.profile.clone(), scope.canonical())
    }

    /// Signs the EKM of a connection with the key of `target` (RFC 8471 §3.3).
    ///
    /// # Errors
    /// [`Error`]; [`Error::NotFound`] when `key` asks for an existing key and there is none.
    pub fn generate_binding(
        &self,
        target: &str,
        key: impl Into<KeyChoice>,
        binding_type: TokenBindingType,
        ekm: &Ekm,
    ) -> Result<GeneratedBinding, Error> {
        let scope = self.scope(target)?;
        let choice = key.into();
        for _ in 0..ATTEMPTS {
            let (key, created) = self.key(&scope, choice)?;
            let Some(bytes) = self.sign(&scope, &key, binding_type, ekm)? else {
                continue;
            };
            return Ok(GeneratedBinding {
                bytes,
                binding_type,
                key: key.describe(scope, created),
            });
        }
        Err(Error::Contended { scope })
    }

    /// The binding's bytes; `None` when the device turned out not to hold the key any more, which
    /// the next look-up deals with.
    fn sign(
        &self,
        scope: &Scope,
        key: &OpenKey,
        binding_type: TokenBindingType,
        ekm: &Ekm,
    ) -> Result<Option<Vec<u8>>, Error> {
        let kind = key.kind();
        let data = ekm.signed_data(binding_type, kind);
        let signature = match key.device_key().sign(&data) {
            Ok(signature) => signature,
            Err(error) if error.kind().is_key_unusable() => {
                tracing::debug!(%scope, %error, "the key is gone from its device");
                self.cache.remove(scope, kind);
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let backend = key.backend_name();
        let checks = || backend != ProviderChoice::Software.name();
        let good = if self.verify_after_sign.unwrap_or_else(checks) {
            key.device_key()
                .public_key()
                .verify(kind, &data, signature.as_bytes())
                .is_ok()
        } else {
            signature.as_bytes().len() == kind.signature_len()
        };
        if !good {
            return Err(Error::BadDeviceSignature { backend });
        }
        let extensions = TbExtensions::default();
        Ok(Some(encode_token_binding(
            binding_type,
            key.id(),
            &signature,
            extensions,
        )))
    }

    /// The present generation of keys: while it stays, no key that was there is known to be gone.
    pub(crate) fn generation(&self) -> Result<Generation, Error> {
        Ok(self.cache.generation(&self.map)?)
    }

    /// Whether `key` is the key of its scope still.
    pub(crate) fn still_has(&self, key: &KeyDescription) -> Result<bool, Error> {
        let present = self.existing(&key.scope, key.key_type)?;
        Ok(present.is_some_and(|present| *present.id() == key.id))
    }

    /// The key of `target` as its device offers it, without what a binding adds: for measurements.
    ///
    /// # Errors
    /// As for [`generate_binding`](Self::generate_binding).
    pub fn device_key(
        &self,
        target: &str,
        key: impl Into<KeyChoice>,
    ) -> Result<Arc<dyn DeviceKey>, Error> {
        let (key, _) = self.key(&self.scope(target)?, key.into())?;
        Ok(key.shared_device_key())
    }

    /// Puts bindings together to the message that goes to the server, in their order.
    ///
    /// # Errors
    /// [`Error::Encode`] when they are not 1 to 16, or one of them is none.
    pub fn generate_message<B: AsRef<[u8]>>(bindings: &[B]) -> Result<Vec<u8>, Error> {
        Ok(encode_message(bindings)?)
    }

    /// The key of `target`, made if there is none and `key` asks for a type.
    ///
    /// # Errors
    /// As for [`generate_binding`](Self::generate_binding).
    pub fn id(&self, target: &str, key: impl Into<KeyChoice>) -> Result<KeyDescription, Error> {
        let scope = self.scope(target)?;
        let (key, created) = self.key(&scope, key.into())?;
        Ok(key.describe(scope, created))
    }
}
