//! Getting the key of a scope: from the cache, the map, the token, or new.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, MutexGuard, PoisonError},
};

use tokenbinding_backend::{
    Backend, DeviceKey, ErrorKind, InvalidStoredKey, KeyId, KeyType, StoredKey,
};

use super::{ATTEMPTS, Binder, KeyChoice, KeyDescription, cache::Generation};
use crate::{
    Error, Scope, TokenBindingId,
    key_map::{Added, DamagedRow, KeyRow},
    provider::is_absent,
};

/// A key that is ready to sign, and the row that it was opened from.
#[derive(Debug)]
pub(super) struct OpenKey {
    row: KeyRow,
    key: Arc<dyn DeviceKey>,
    id: TokenBindingId,
    backend_name: &'static str,
}

impl OpenKey {
    fn new(row: KeyRow, key: Arc<dyn DeviceKey>, backend: &dyn Backend) -> Arc<Self> {
        Arc::new(Self {
            id: TokenBindingId::new(row.kind, key.public_key()),
            row,
            key,
            backend_name: backend.info().name,
        })
    }

    pub(super) const fn row(&self) -> &KeyRow {
        &self.row
    }

    pub(super) const fn kind(&self) -> KeyType {
        self.row.kind
    }

    pub(super) fn device_key(&self) -> &dyn DeviceKey {
        &*self.key
    }

    pub(super) fn shared_device_key(&self) -> Arc<dyn DeviceKey> {
        Arc::clone(&self.key)
    }

    pub(super) const fn id(&self) -> &TokenBindingId {
        &self.id
    }

    pub(super) const fn backend_name(&self) -> &'static str {
        self.backend_name
    }

    pub(super) fn describe(&self, scope: Scope, created: bool) -> KeyDescription {
        KeyDescription {
            scope,
            key_type: self.kind(),
            id: self.id.clone(),
            provider: self.backend_name,
            created,
        }
    }
}

impl Binder {
    /// The key that `choice` means, and whether it was made for this call.
    pub(super) fn key(
        &self,
        scope: &Scope,
        choice: KeyChoice,
    ) -> Result<(Arc<OpenKey>, bool), Error> {
        let (types, otherwise) = match choice {
            KeyChoice::Type(kind) => return self.get_or_make(scope, kind),
            KeyChoice::Prefer(kind) => (&KeyType::ALL[..], Some(kind)),
            KeyChoice::Existing(ref kind) => (std::slice::from_ref(kind), None),
            KeyChoice::AnyExisting => (&KeyType::ALL[..], None),
        };
        for kind in otherwise.iter().chain(types) {
            if let Some(key) = self.existing(scope, *kind)? {
                return Ok((key, false));
            }
        }
        match otherwise {
            Some(kind) => self.get_or_make(scope, kind),
            None => Err(Error::NotFound {
                scope: scope.clone(),
            }),
        }
    }

    fn get_or_make(&self, scope: &Scope, kind: KeyType) -> Result<(Arc<OpenKey>, bool), Error> {
        if let Some(key) = self.cached(scope, kind)? {
            return Ok((key, false));
        }
        let _alone = self.making_lock(scope, kind);
        // Another thread may have opened it while this one waited.
        if let Some(key) = self.cached(scope, kind)? {
            return Ok((key, false));
        }
        for attempt in 1..=ATTEMPTS {
            let generation = self.cache.generation(&self.map)?;
            if let Some(key) = self.find(scope, kind, generation)? {
                return Ok((key, false));
            }
            match self.make(scope, kind) {
                Ok(Some((key, made))) => {
                    self.cache.insert(scope, Arc::clone(&key), generation);
                    return Ok((key, made));
                }
                Ok(None) => (),
                // Not the device that was opened, or cleared since: it has another id now.
                Err(Error::Backend(error))
                    if error.kind() == ErrorKind::KeyLost && attempt < ATTEMPTS =>
                {
                    tracing::warn!(%error, "opening the device again");
                    self.providers.reopen();
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::Contended {
            scope: scope.clone(),
        })
    }

    pub(super) fn existing(
        &self,
        scope: &Scope,
        kind: KeyType,
    ) -> Result<Option<Arc<OpenKey>>, Error> {
        match self.cached(scope, kind)? {
            Some(key) => Ok(Some(key)),
            None => self.find(scope, kind, self.cache.generation(&self.map)?),
        }
    }

    fn cached(&self, scope: &Scope, kind: KeyType) -> Result<Option<Arc<OpenKey>>, Error> {
        let generation = self.cache.generation(&self.map)?;
        Ok(self.cache.get(scope, kind, generation, &self.map)?)
    }

    /// Keeps other threads from making the same key. Threads that make different keys rarely meet.
    fn making_lock(&self, scope: &Scope, kind: KeyType) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        (scope, kind).hash(&mut hasher);
        let slots = self.making.len() as u64;
        let slot = usize::try_from(hasher.finish() % slots).unwrap_or_default();
        self.making[slot]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the key that the map has, or that the token carries. Makes none.
    fn find(
        &self,
        scope: &Scope,
        kind: KeyType,
        generation: Generation,
    ) -> Result<Option<Arc<OpenKey>>, Error> {
        let id = self.key_id(scope);
        let main = self.providers.main()?;
        let found = match self.open_row_of(&main, &id, kind)? {
            Some(key) => Some(key),
            None => match self.open_elsewhere(&main, &id, kind)? {
                Some(key) => Some(key),
                None => self.adopt(&main, &id, kind)?,
            },
        };
        if let Some(key) = &found {
            self.cache.insert(scope, Arc::clone(key), generation);
        }
        Ok(found)
    }

    /// Opens the map's key on `backend`. A key that its device has not got any more is set aside,
    /// so that nothing is lost and the next one can be made.
    fn open_row_of(
        &self,
        backend: &Arc<dyn Backend>,
        id: &KeyId,
        kind: KeyType,
    ) -> Result<Option<Arc<OpenKey>>, Error> {
        let Some(row) = self.map.get(id, kind, &backend.info().device)? else {
            return Ok(None);
        };
        let reason = match row.stored_key() {
            Err(DamagedRow::Bytes(InvalidStoredKey::Newer { version })) => {
                return Err(Error::NewerKey {
                    scope: id.scope().to_owned(),
                    version,
                });
            }
            Err(damaged) => damaged.to_string(),
            Ok(stored) => match open_surely(&**backend, &stored)? {
                Ok(key) => return Ok(Some(OpenKey::new(row, key, &**backend))),
                Err(reason) => reason,
            },
        };
        tracing::warn!(
            scope = id.scope(),
            %kind,
            reason,
            "a key cannot be used any more and was set aside (`keys prune` removes it)"
        );
        self.map.set_aside(&row, &reason)?;
        Ok(None)
    }

    /// Opens a key of the map that is on another device than the main one, where that may be used
    /// and is at hand.
    fn open_elsewhere(
        &self,
        main: &Arc<dyn Backend>,
        id: &KeyId,
        kind: KeyType,
    ) -> Result<Option<Arc<OpenKey>>, Error> {
        let mut rows = self.map.rows_of(id)?;
        rows.retain(|row| row.kind == kind && row.device != main.info().device);
        for row in &rows {
            match self.providers.named(&row.provider) {
                None => (),
                Some(Ok(backend)) if backend.info().device == row.device => {
                    if let Some(key) = self.open_row_of(&backend, id, kind)? {
                        return Ok(Some(key));
                    }
                }
                // A device that is out of reach gives way to a new key; one that fails does not.
                Some(Err(error)) if !is_absent(&error) => return Err(error),
                Some(_) => tracing::warn!(
                    scope = id.scope(),
                    %kind,
                    device = row.device,
                    "the key is on another device, or the device was cleared: if it is gone for \
                     good, `keys prune --device` forgets its keys"
                ),
            }
        }
        Ok(None)
    }

    /// Takes up a key that the token carries and the map does not know.
    fn adopt(
        &self,
        backend: &Arc<dyn Backend>,
        id: &KeyId,
        kind: KeyType,
    ) -> Result<Option<Arc<OpenKey>>, Error> {
        if !backend.info().key_types.contains(&kind) {
            return Ok(None);
        }
        let Some(stored) = backend.find(id, kind)? else {
            return Ok(None);
        };
        let key = match open_same(&**backend, &stored) {
            Ok(Some(key)) => key,
            Ok(None) => return Ok(None),
            // Deleted since it was found.
            Err(error) if error.kind().is_key_unusable() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let row = row(&**backend, id, &stored);
        match self.map.add(&row)? {
            Added::New => Ok(Some(OpenKey::new(row, key, &**backend))),
            Added::Existing(_) => self.open_row_of(backend, id, kind),
        }
    }

    /// Makes a key and puts it into the map. Who comes second destroys his own and takes the other,
    /// unless the other found this very key on the token and put it into the map. The answer tells
    /// whether the key is this call's. `None` when the other's is gone already.
    fn make(&self, scope: &Scope, kind: KeyType) -> Result<Option<(Arc<OpenKey>, bool)>, Error> {
        let id = self.key_id(scope);
        let backend = &self.providers.main()?;
        let (stored, key) = backend.create(&id, kind)?;
        let row = row(&**backend, &id, &stored);
        match self.map.add(&row) {
            Ok(Added::New) => Ok(Some((OpenKey::new(row, key, &**backend), true))),
            Ok(Added::Existing(adopted)) if adopted.holds(&stored) => {
                Ok(Some((OpenKey::new(adopted, key, &**backend), true)))
            }
            Ok(Added::Existing(_)) => {
                destroy_unused(&**backend, &stored);
                let other = self.open_row_of(backend, &id, kind)?;
                Ok(other.map(|key| (key, false)))
            }
            Err(error) => {
                destroy_unused(&**backend, &stored);
                Err(error.into())
            }
        }
    }
}

fn row(backend: &dyn Backend, id: &KeyId, stored: &StoredKey) -> KeyRow {
    let info = backend.info();
    KeyRow::new(id.clone(), stored, &info.device, info.name)
}

/// Destroys a key that never came into use. When even that fails, a token keeps it and finds it
/// again for this very scope; no other device has anything to keep.
fn destroy_unused(backend: &dyn Backend, stored: &StoredKey) {
    if let Err(error) = backend.delete(stored) {
        tracing::warn!(%error, "a key that is not used stays on its device");
    }
}

/// Opens a stored key, or says why it is unusable. A device is believed that only when it says so
/// twice: the key is not used again afterwards.
fn open_surely(
    backend: &dyn Backend,
    stored: &StoredKey,
) -> tokenbinding_backend::Result<Result<Arc<dyn DeviceKey>, String>> {
    let try_once = || match open_same(backend, stored) {
        Ok(Some(key)) => Ok(Ok(key)),
        Ok(None) => Ok(Err("the device holds another key in its place".to_owned())),
        Err(error) if error.kind().is_key_unusable() => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    };
    match try_once()? {
        Ok(key) => Ok(Ok(key)),
        Err(_) => try_once(),
    }
}

/// Opens a stored key; `None` when what opens is another key.
fn open_same(
    backend: &dyn Backend,
    stored: &StoredKey,
) -> tokenbinding_backend::Result<Option<Arc<dyn DeviceKey>>> {
    let key = backend.open(stored)?;
    Ok((key.public_key() == stored.public_key()).then_some(key))
}
