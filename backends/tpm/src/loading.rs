//! Making keys, and making keys usable again.
//!
//! A key that was brought back is compared with the public key that was stored before it is used:
//! another TPM, or this one after `TPM2_Clear`, derives another key from the same recipe.

use aws_lc_rs::rand;
use tokenbinding_backend::{ErrorKind, KeyId, KeyName, KeyType, PublicKey, StoredKey};
use tss_esapi::{
    handles::KeyHandle,
    interface_types::resource_handles::Hierarchy,
    structures::{Private, Public},
};

use crate::{
    authorization::{Role, Session},
    connection::Connection,
    failure::{Failure, Result},
    recipe::{Recipe, Wrapped},
    response_code::ResponseCode,
    slots::Tag,
    storage_root::StorageRoot,
    template,
};

/// A key of this TPM: all that is needed to bring it back.
#[derive(Clone, Debug)]
pub(crate) struct KnownKey {
    pub(crate) tag: Tag,
    pub(crate) name: KeyName,
    pub(crate) kind: KeyType,
    pub(crate) public_key: PublicKey,
    pub(crate) recipe: Recipe,
}

impl KnownKey {
    pub(crate) fn new(stored: &StoredKey) -> Result<Self> {
        Ok(Self {
            tag: Tag::of(stored),
            name: *stored.name(),
            kind: stored.kind(),
            public_key: stored.public_key().clone(),
            recipe: Recipe::decode(stored.opaque())?,
        })
    }

    /// Whose authorization signing needs.
    pub(crate) const fn role(&self) -> Role {
        match &self.recipe {
            Recipe::Wrapped(Wrapped {
                with_auth: true, ..
            }) => Role::Key,
            _ => Role::Nobody,
        }
    }
}

impl Connection {
    /// The handle of `key`, which is loaded if it is not: one command where its context was saved.
    pub(crate) fn acquire(&mut self, key: &KnownKey) -> Result<KeyHandle> {
        if let Some(handle) = self.slots.loaded(key.tag) {
            return Ok(handle);
        }
        self.with_room(|connection| {
            let (handle, proven) = match connection.load_context(key)? {
                Some(handle) => (handle, false),
                None => (connection.load(key)?, true),
            };
            connection.slots.insert(key.tag, handle, proven);
            Ok(handle)
        })
    }

    /// Makes a key of type `kind` for `id`, and leaves it loaded.
    pub(crate) fn create(&mut self, id: &KeyId, kind: KeyType, derived: bool) -> Result<StoredKey> {
        if !derived {
            return self.with_room(|connection| connection.create_wrapped(id, kind));
        }
        match self.with_room(|connection| connection.create_derived(id, kind)) {
            // The owner keeps the hierarchy to himself; the storage root may still be open to all.
            Err(Failure::Refused { given: false, .. }) => {
                self.with_room(|connection| connection.create_wrapped(id, kind))
            }
            result => result,
        }
    }

    /// Runs `f` with two object slots free, as far as that is up to us.
    fn with_room<T>(&mut self, mut f: impl FnMut(&mut Self) -> Result<T>) -> Result<T> {
        self.make_room(1)?;
        match f(self) {
            Err(failure) if failure.is(ResponseCode::OBJECT_MEMORY) => {
                self.make_room(0)?;
                f(self)
            }
            result => result,
        }
    }

    fn load_context(&mut self, key: &KnownKey) -> Result<Option<KeyHandle>> {
        let Some(context) = self.slots.saved(key.tag) else {
            return Ok(None);
        };
        let loaded = self.run("TPM2_ContextLoad", |c| c.context_load(context.clone()));
        match loaded {
            Ok(handle) => {
                self.set_auth(handle, key.role())?;
                Ok(Some(handle.into()))
            }
            Err(failure) if failure.is(ResponseCode::OBJECT_MEMORY) => Err(failure),
            // The TPM was reset since.
            Err(failure) if failure.code().is_some_and(|code| code.of_tpm().is_some()) => {
                self.slots.unsave(key.tag);
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    fn load(&mut self, key: &KnownKey) -> Result<KeyHandle> {
        match &key.recipe {
            Recipe::Derived { ephemeral, salt } => {
                let (handle, public_key) = self.derive(&key.name, *ephemeral, salt)?;
                if public_key == key.public_key {
                    return Ok(handle);
                }
                self.flush(handle.into());
                Err(lost(
                    "the TPM derives another key: it was cleared, or it is another TPM",
                ))
            }
            Recipe::Wrapped(wrapped) => self.load_wrapped(key, wrapped),
        }
    }

    fn derive(
        &mut self,
        name: &KeyName,
        ephemeral: bool,
        salt: &[u8; 32],
    ) -> Result<(KeyHandle, PublicKey)> {
        let (hierarchy, secret): (_, &[u8]) = if ephemeral {
            (Hierarchy::Null, self.ephemeral.as_slice())
        } else {
            (Hierarchy::Owner, &[])
        };
        let x = Recipe::unique_x(salt, name, secret);
        let made = self.create_primary(hierarchy, &template::derived(&x, salt)?)?;
        let Some(public_key) = template::public_key(&made.out_public) else {
            self.flush(made.key_handle.into());
            return Err(Failure::senseless("TPM2_CreatePrimary"));
        };
        Ok((made.key_handle, public_key))
    }

    fn create_derived(&mut self, id: &KeyId, kind: KeyType) -> Result<StoredKey> {
        let mut salt = [0; 32];
        rand::fill(&mut salt).map_err(|_| {
            Failure::stated(ErrorKind::Internal, "the system gives no random numbers")
        })?;
        let name = id.name(kind);
        let ephemeral = id.is_ephemeral();
        let (handle, public_key) = self.derive(&name, ephemeral, &salt)?;
        let recipe = Recipe::Derived { ephemeral, salt };
        let stored = StoredKey::new(name, kind, public_key, recipe.encode());
        self.slots.insert(Tag::of(&stored), handle, true);
        Ok(stored)
    }

    fn load_wrapped(&mut self, key: &KnownKey, wrapped: &Wrapped) -> Result<KeyHandle> {
        let public = template::wrapped(key.kind, wrapped.with_auth, &key.public_key)?;
        let private = Private::try_from(wrapped.private.as_slice())
            .map_err(|_| Failure::stated(ErrorKind::Corrupt, "the private half is too long"))?;
        let role = key.role();
        self.with_root_of(wrapped, |connection, root| {
            let handle = connection.load_under(root, &private, &public)?;
            connection.set_auth(handle.into(), role)?;
            Ok(handle)
        })
    }

    fn load_under(
        &mut self,
        root: &StorageRoot,
        private: &Private,
        public: &Public,
    ) -> Result<KeyHandle> {
        let session = Session::IfSecret(Some(root.handle));
        let loaded = self.authorized(root.role(), session, "TPM2_Load", |context| {
            context.load(root.handle, private.clone(), public.clone())
        });
        loaded.map_err(|failure| match failure {
            Failure::Response { command, code } if code.is_malformed() => {
                Failure::stated(ErrorKind::Corrupt, format!("{command}: {code}"))
            }
            failure => failure,
        })
    }

    fn create_wrapped(&mut self, id: &KeyId, kind: KeyType) -> Result<StoredKey> {
        let ephemeral = id.is_ephemeral();
        let with_auth = self.authorization.has(Role::Key) && !ephemeral;
        self.with_new_root(ephemeral, |connection, root| {
            let stored = connection.create_under(root, id, kind, with_auth)?;
            let key = KnownKey::new(&stored)?;
            if let Recipe::Wrapped(wrapped) = &key.recipe {
                let public = template::wrapped(kind, with_auth, &key.public_key)?;
                let private = Private::try_from(wrapped.private.as_slice())
                    .map_err(|error| Failure::of("TPM2_Load", error))?;
                let handle = connection.load_under(root, &private, &public)?;
                connection.set_auth(handle.into(), key.role())?;
                connection.slots.insert(key.tag, handle, true);
            }
            Ok(stored)
        })
    }

    fn create_under(
        &mut self,
        root: &StorageRoot,
        id: &KeyId,
        kind: KeyType,
        with_auth: bool,
    ) -> Result<StoredKey> {
        let template = template::new_wrapped(kind, with_auth)?;
        let (auth, session) = if with_auth {
            (
                self.authorization.auth(Role::Key)?,
                Session::Always(Some(root.handle)),
            )
        } else {
            (None, Session::IfSecret(Some(root.handle)))
        };
        let made = self.authorized(root.role(), session, "TPM2_Create", |context| {
            let template = template.clone();
            context.create(root.handle, template, auth.clone(), None, None, None)
        })?;
        let public_key = template::public_key(&made.out_public)
            .ok_or_else(|| Failure::senseless("TPM2_Create"))?;
        let recipe = Recipe::Wrapped(Wrapped {
            root: root.root,
            with_auth,
            root_name: root.name.clone(),
            private: made.out_private.value().to_vec(),
        });
        Ok(StoredKey::new(
            id.name(kind),
            kind,
            public_key,
            recipe.encode(),
        ))
    }
}

fn lost(text: &'static str) -> Failure {
    Failure::stated(ErrorKind::KeyLost, text)
}
