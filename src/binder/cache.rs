//! Open keys of this process, and how long they may be trusted.
//!
//! Another process may delete a key at any time. Every half second the key map is asked whether
//! anything changed; if so, each open key is compared with its row before it is used again. So a
//! deleted key is used for less than a second.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Duration, Instant},
};

use tokenbinding_backend::KeyType;

use super::keys::OpenKey;
use crate::{
    Scope,
    key_map::{DataVersion, KeyMap, StoreError},
};

/// How long the key map is not asked again.
const TRUSTED: Duration = Duration::from_millis(500);
/// The most open keys. One more closes another, which is opened again when it is needed.
const CAPACITY: usize = 16_384;

/// Counts the changes of the key map that this process knows of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Generation(u64);

#[derive(Debug)]
struct Entry {
    key: Arc<OpenKey>,
    /// The last generation in which the key was seen in the map.
    seen: Generation,
}

/// What is known of the key map's state.
#[derive(Debug, Default)]
struct Watch {
    generation: Generation,
    asked: Option<Instant>,
    data_version: Option<DataVersion>,
}

/// The open keys of a binder.
#[derive(Debug, Default)]
pub(super) struct Cache {
    keys: RwLock<HashMap<(Scope, KeyType), Entry>>,
    watch: Mutex<Watch>,
}

impl Cache {
    /// The present generation, after asking the key map for changes if it is time to.
    pub(super) fn generation(&self, map: &KeyMap) -> Result<Generation, StoreError> {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        if watch.asked.is_none_or(|asked| asked.elapsed() >= TRUSTED) {
            let data_version = map.data_version()?;
            if watch.data_version != Some(data_version) {
                watch.data_version = Some(data_version);
                watch.generation.0 += 1;
            }
            watch.asked = Some(Instant::now());
        }
        Ok(watch.generation)
    }

    /// Says that this process has removed keys from the map.
    pub(super) fn keys_were_removed(&self) {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        watch.generation.0 += 1;
    }

    /// The open key, if it still is the one that the map has.
    pub(super) fn get(
        &self,
        scope: &Scope,
        kind: KeyType,
        now: Generation,
        map: &KeyMap,
    ) -> Result<Option<Arc<OpenKey>>, StoreError> {
        let name = (scope.clone(), kind);
        let key = match self.read().get(&name) {
            None => return Ok(None),
            Some(entry) if entry.seen == now => return Ok(Some(Arc::clone(&entry.key))),
            Some(entry) => Arc::clone(&entry.key),
        };
        let row = key.row();
        if map.get(&row.id, kind, &row.device)?.as_ref() == Some(row) {
            self.insert(scope, Arc::clone(&key), now);
            Ok(Some(key))
        } else {
            self.remove(scope, kind);
            Ok(None)
        }
    }

    /// Keeps an open key that was seen in the map in generation `seen`.
    pub(super) fn insert(&self, scope: &Scope, key: Arc<OpenKey>, seen: Generation) {
        let name = (scope.clone(), key.kind());
        let mut keys = self.write();
        if keys.len() >= CAPACITY
            && !keys.contains_key(&name)
            && let Some(other) = keys.keys().next().cloned()
        {
            keys.remove(&other);
        }
        keys.insert(name, Entry { key, seen });
    }

    pub(super) fn remove(&self, scope: &Scope, kind: KeyType) {
        self.write().remove(&(scope.clone(), kind));
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<(Scope, KeyType), Entry>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<(Scope, KeyType), Entry>> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }
}
