//! Deleting keys: first on their device, then in the map, so that none can come back.

use std::{collections::HashMap, sync::Arc};

use tokenbinding_backend::{Backend, Error as BackendError, ErrorKind, KeyId, KeyType};

use super::Binder;
use crate::{Error, ProviderChoice, key_map::KeyRow};

/// Rows that are removed from the map in one transaction.
const BATCH: usize = 256;

/// The device of each provider, by its name; `None` where it is not at hand.
type Devices = HashMap<&'static str, Option<Arc<dyn Backend>>>;

/// What was deleted, and what could not be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// How many keys are gone for good.
    pub keys: usize,
    /// Keys whose device is not at hand. They are still there.
    pub unreachable: Vec<UnreachableKey>,
}

/// A key whose device is not at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreachableKey {
    /// The provider of its device.
    pub provider: String,
    /// Its device.
    pub device: String,
    /// Its type.
    pub key_type: KeyType,
}

impl Binder {
    /// Deletes the keys of `target`, of every type, in use or set aside, from their devices and the
    /// map. They never come back; other processes stop using them within a second.
    ///
    /// With `auto` this goes for every provider that is at hand, otherwise for the named one.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no key; otherwise whatever kept a device or the map from
    /// it. What was not deleted is still there.
    pub fn delete(&self, target: &str) -> Result<Deleted, Error> {
        let scope = self.scope(target)?;
        let id = self.key_id(&scope);
        // What tokens carry is looked for whatever the map says; a software keystore carries
        // nothing, and looking at it could make one.
        let contents = self.map.contents_of(&id)?;
        let unreadable = !contents.unreadable.is_empty();
        let rows = contents.keys();
        let carries = |name: &str| name != ProviderChoice::Software.name();
        let devices =
            self.devices(|name| carries(name) || rows.iter().any(|row| row.provider == name));
        let mut deleted = self.delete_rows(rows, &devices)?;
        if unreadable {
            let scope = Some(id.scope());
            deleted.keys += self.map.remove_unreadable(&self.profile, scope)?;
        }
        for (name, backend) in devices {
            if let Some(backend) = backend.filter(|_| carries(name)) {
                deleted.keys += self.delete_unknown_to_the_map(&*backend, &id)?;
            }
        }
        if deleted == Deleted::default() {
            return Err(Error::NotFound { scope });
        }
        Ok(deleted)
    }

    /// Deletes every key of the profile that is in the map, like [`delete`](Self::delete) does. What
    /// a token carries for scopes that the map does not know stays.
    ///
    /// # Errors
    /// Whatever kept a device or the map from it. What was not deleted is still there.
    pub fn delete_all(&self) -> Result<Deleted, Error> {
        // Those that were set aside, too: their device may have the keys after all, or what is
        // stored may bring them back.
        let rows = self.map.contents(&self.profile)?.keys();
        let devices = self.devices(|name| rows.iter().any(|row| row.provider == name));
        let mut deleted = self.delete_rows(rows, &devices)?;
        deleted.keys += self.map.remove_unreadable(&self.profile, None)?;
        Ok(deleted)
    }

    /// Removes keys that were set aside because their device had lost them, and rows that cannot be
    /// read. Tells how many.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn prune(&self) -> Result<usize, Error> {
        let unreadable = self.map.remove_unreadable(&self.profile, None)?;
        Ok(self.map.prune(&self.profile)? + unreadable)
    }

    /// Forgets the keys of a device that is gone for good, by the id that
    /// [`list`](Self::list) shows. The device itself is not asked. Tells how many there were.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn forget_device(&self, device: &str) -> Result<usize, Error> {
        let mut gone = self.map.contents(&self.profile)?.keys();
        gone.retain(|row| row.device == device);
        self.map.remove(&gone)?;
        self.cache.keys_were_removed();
        Ok(gone.len())
    }

    fn delete_rows(&self, rows: Vec<KeyRow>, devices: &Devices) -> Result<Deleted, Error> {
        let mut deleted = Deleted::default();
        let mut reachable = Vec::new();
        for row in rows {
            match devices.get(&*row.provider) {
                // Another provider's than the named one.
                None => (),
                Some(Some(backend)) if backend.info().device == row.device => {
                    reachable.push((row, Arc::clone(backend)));
                }
                Some(_) => deleted.unreachable.push(UnreachableKey {
                    provider: row.provider,
                    device: row.device,
                    key_type: row.kind,
                }),
            }
        }
        for batch in reachable.chunks(BATCH) {
            deleted.keys += self.delete_batch(batch)?;
        }
        Ok(deleted)
    }

    /// The device of each provider whose name is `wanted`, each asked for once; `None` where it is
    /// not at hand.
    fn devices(&self, wanted: impl Fn(&str) -> bool) -> Devices {
        let opened = self.providers.each(wanted).map(|(name, opened)| {
            if let Err(error) = &opened {
                tracing::info!(%error, "keys of this provider are not deleted");
            }
            (name, opened.ok())
        });
        opened.collect()
    }

    /// Deletes on the devices as far as they let us, and from the map exactly what is gone there.
    fn delete_batch(&self, batch: &[(KeyRow, Arc<dyn Backend>)]) -> Result<usize, Error> {
        let mut gone = Vec::with_capacity(batch.len());
        let mut failure = None;
        for (row, backend) in batch {
            // A damaged row tells the device nothing; forgetting it is all that can be done.
            let outcome = row
                .stored_key()
                .map_or(Ok(()), |stored| backend.delete(&stored));
            match outcome {
                Ok(()) => gone.push(row.clone()),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        self.map.remove(&gone)?;
        self.cache.keys_were_removed();
        failure.map_or(Ok(gone.len()), |error| Err(error.into()))
    }

    /// Deletes what a token carries for `id` beside the rows of the map: a key that another store
    /// made, or that a failed call left there.
    fn delete_unknown_to_the_map(&self, backend: &dyn Backend, id: &KeyId) -> Result<usize, Error> {
        let mut deleted = 0;
        for &kind in &backend.info().key_types {
            deleted += self.delete_unknown_of_type(backend, id, kind)?;
        }
        Ok(deleted)
    }

    fn delete_unknown_of_type(
        &self,
        backend: &dyn Backend,
        id: &KeyId,
        kind: KeyType,
    ) -> Result<usize, Error> {
        let mut deleted = 0;
        let mut last = None;
        while let Some(stored) = backend.find(id, kind)? {
            let row = self.map.get(id, kind, &backend.info().device)?;
            if row.is_some_and(|row| row.holds(&stored)) {
                // Another process has made it since.
                break;
            }
            if last.as_ref() == Some(&stored) {
                let cause = "the token says that it deleted a key, and still finds it";
                let (name, kind) = (backend.info().name, ErrorKind::Internal);
                return Err(BackendError::new(kind, name, "delete a key", cause).into());
            }
            backend.delete(&stored)?;
            deleted += 1;
            last = Some(stored);
        }
        Ok(deleted)
    }
}
