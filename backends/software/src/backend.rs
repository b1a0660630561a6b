//! The backend: a master and what hangs on it.

use std::{fmt::Write as _, sync::Arc};

use tokenbinding_backend::{Backend, BackendInfo, DeviceKey, KeyId, KeyType, Result, StoredKey};

use crate::{
    Master, MasterSource, NAME,
    derive::{Use, derive},
    p256_key::P256Key,
    rsa_key::RsaKey,
    stack::wiped_after,
};

/// Keys under one master, in this process' memory while they are open.
#[derive(Debug)]
pub struct SoftwareBackend {
    master: Master,
    info: BackendInfo,
}

impl SoftwareBackend {
    /// Opens a lasting keystore, and starts it where there is none yet.
    ///
    /// # Errors
    /// Those of [`MasterSource::open`].
    pub fn open(source: &MasterSource) -> Result<Self> {
        Ok(Self::new(source.open()?, "software keystore"))
    }

    /// A keystore under a random master that dies with it: nothing is written.
    ///
    /// # Errors
    /// Those of [`Master::random`].
    pub fn ephemeral() -> Result<Self> {
        Ok(Self::new(Master::random()?, "software keystore in memory"))
    }

    fn new(master: Master, model: &str) -> Self {
        let info = BackendInfo {
            name: NAME,
            model: model.to_owned(),
            hardware: false,
            device: device_id(&master),
            key_types: KeyType::ALL.to_vec(),
        };
        Self { master, info }
    }
}

/// `software:` and 16 bytes in hex that are derived from the master and tell nothing of it.
fn device_id(master: &Master) -> String {
    let id = wiped_after(|| derive(master, &[], Use::DeviceId, &[]));
    let mut text = format!("{NAME}:");
    for byte in &id[..16] {
        write!(text, "{byte:02x}").expect("a string takes any text");
    }
    text
}

impl Backend for SoftwareBackend {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn create(&self, id: &KeyId, kind: KeyType) -> Result<(StoredKey, Arc<dyn DeviceKey>)> {
        let name = id.name(kind);
        wiped_after(|| -> Result<(StoredKey, Arc<dyn DeviceKey>)> {
            if kind.is_rsa() {
                let (stored, key) = RsaKey::create(&self.master, name, kind)?;
                Ok((stored, Arc::new(key)))
            } else {
                let (stored, key) = P256Key::create(&self.master, name)?;
                Ok((stored, Arc::new(key)))
            }
        })
    }

    fn open(&self, stored: &StoredKey) -> Result<Arc<dyn DeviceKey>> {
        wiped_after(|| -> Result<Arc<dyn DeviceKey>> {
            if stored.kind().is_rsa() {
                Ok(Arc::new(RsaKey::open(&self.master, stored)?))
            } else {
                Ok(Arc::new(P256Key::open(&self.master, stored)?))
            }
        })
    }

    /// A keystore keeps nothing but its master.
    fn find(&self, _: &KeyId, _: KeyType) -> Result<Option<StoredKey>> {
        Ok(None)
    }

    /// Forgetting what is stored forgets the key.
    fn delete(&self, _: &StoredKey) -> Result<()> {
        Ok(())
    }
}
