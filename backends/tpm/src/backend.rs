//! The TPM as a provider of keys.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use aws_lc_rs::rand;
use tokenbinding_backend::{
    Backend, BackendInfo, DeviceKey, Error, ErrorKind, KeyId, KeyType, Result, StoredKey,
};
use zeroize::Zeroizing;

use crate::{
    authorization::Role,
    config::{P256Keys, TpmConfig},
    connection::Connection,
    failure::{self, Failure, NAME},
    key::TpmKey,
    loading::KnownKey,
    pss::PssSupport,
    slots::Tag,
    status::TpmStatus,
    turnstile::Turnstile,
};

const WITH_PSS: &[KeyType] = &KeyType::ALL;
const WITHOUT_PSS: &[KeyType] = &[KeyType::EcdsaP256, KeyType::Rsa2048Pkcs1_5];

/// A TPM 2.0.
///
/// Dropping the last of the backend and its keys flushes what they have loaded. A program that
/// leaves by `exit` without dropping them leaves up to two objects in a TPM that has no resource
/// manager.
pub struct TpmBackend {
    info: BackendInfo,
    tpm: Arc<Turnstile<Connection>>,
    derive_p256: bool,
    pss: OnceLock<PssSupport>,
}

impl TpmBackend {
    /// Connects to the TPM of `config`, and learns which one it is: one command.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) when there is no TPM or no way to it,
    /// [`Denied`](ErrorKind::Denied) when the system does not permit it; the text says which group
    /// to join or what to start.
    pub fn open(config: &TpmConfig) -> Result<Self> {
        const OPEN: &str = "open the TPM";
        let mut ephemeral = Zeroizing::new([0; 32]);
        rand::fill(ephemeral.as_mut_slice()).map_err(|_| {
            let text = "the system gives no random numbers";
            Error::new(ErrorKind::Internal, NAME, OPEN, text)
        })?;
        let connection =
            Connection::open(config, ephemeral).map_err(|failure| failure.during(OPEN))?;
        let tcti = connection.tcti();
        let device = connection.device().map(ToString::to_string);
        let what = if tcti.is_simulator() {
            "simulated TPM 2.0"
        } else {
            "TPM 2.0"
        };
        let info = BackendInfo {
            name: NAME,
            model: format!("{what} ({})", tcti.as_str()),
            hardware: !tcti.is_simulator(),
            device: device.unwrap_or_default(),
            key_types: WITHOUT_PSS.to_vec(),
        };
        let with_auth = connection.authorization.has(Role::Key);
        Ok(Self {
            info,
            tpm: Arc::new(Turnstile::new(connection)),
            // Whoever has the salt can derive a key, without any authorization of its own.
            derive_p256: config.p256 == P256Keys::Derived && !with_auth,
            pss: OnceLock::new(),
        })
    }

    /// What the TPM says of itself: some 15 commands, and the proof of RSASSA-PSS if it was not
    /// made yet.
    ///
    /// # Errors
    /// Whatever keeps the TPM from answering.
    pub fn status(&self) -> Result<TpmStatus> {
        self.work("ask for the status", |connection| {
            let pss = self.pss_support(connection)?;
            connection.status(types(pss), pss)
        })
    }

    fn work<T>(
        &self,
        operation: &'static str,
        f: impl FnOnce(&mut Connection) -> failure::Result<T>,
    ) -> Result<T> {
        f(&mut self.tpm.pass()).map_err(|failure| failure.during(operation))
    }

    fn pss_support(&self, connection: &mut Connection) -> failure::Result<PssSupport> {
        if let Some(pss) = self.pss.get() {
            return Ok(*pss);
        }
        let pss = connection.prove_pss()?;
        Ok(*self.pss.get_or_init(|| pss))
    }

    fn key(&self, key: KnownKey) -> Arc<dyn DeviceKey> {
        Arc::new(TpmKey::new(Arc::clone(&self.tpm), key))
    }
}

const fn types(pss: PssSupport) -> &'static [KeyType] {
    match pss {
        PssSupport::Proven => WITH_PSS,
        PssSupport::OtherSalt | PssSupport::Refused => WITHOUT_PSS,
    }
}

impl Backend for TpmBackend {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn key_types(&self) -> &[KeyType] {
        let proven = self.work("prove RSASSA-PSS", |connection| {
            self.pss_support(connection)
        });
        proven.map_or_else(
            |error| {
                tracing::warn!(%error, "rsa2048_pss is not offered");
                WITHOUT_PSS
            },
            types,
        )
    }

    fn details(&self) -> Result<Vec<(&'static str, String)>> {
        Ok(self.status()?.details())
    }

    fn create(&self, id: &KeyId, kind: KeyType) -> Result<(StoredKey, Arc<dyn DeviceKey>)> {
        self.work("create a key", |connection| {
            if id.is_ephemeral() {
                connection.ensure()?;
            } else {
                connection.ensure_same_tpm()?;
            }
            if kind == KeyType::Rsa2048Pss {
                let pss = self.pss_support(connection)?;
                if pss != PssSupport::Proven {
                    let text = format!("the TPM cannot be used for rsa2048_pss: {pss}");
                    return Err(Failure::stated(ErrorKind::Unsupported, text));
                }
            }
            let derived = kind == KeyType::EcdsaP256 && (self.derive_p256 || id.is_ephemeral());
            let stored = connection.create(id, kind, derived)?;
            let key = KnownKey::new(&stored)?;
            Ok((stored, self.key(key)))
        })
    }

    fn open(&self, stored: &StoredKey) -> Result<Arc<dyn DeviceKey>> {
        self.work("open a key", |connection| {
            let key = KnownKey::new(stored)?;
            connection.open_key(&key)?;
            Ok(self.key(key))
        })
    }

    /// Always `None`: a TPM keeps no keys of ours.
    fn find(&self, _: &KeyId, _: KeyType) -> Result<Option<StoredKey>> {
        Ok(None)
    }

    /// Forgets the key here. Nothing of it is in the TPM; without its `stored` it cannot be made
    /// again.
    fn delete(&self, stored: &StoredKey) -> Result<()> {
        self.tpm.pass().forget_key(Tag::of(stored));
        Ok(())
    }
}

impl fmt::Debug for TpmBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TpmBackend")
            .field("info", &self.info)
            .field("derive_p256", &self.derive_p256)
            .field("pss", &self.pss.get())
            .finish_non_exhaustive()
    }
}
