//! The device and the backend on it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};

use super::{Fault, FaultKind};
use crate::{
    Backend, BackendInfo, DeviceKey, Error, ErrorKind, KeyId, KeyName, KeyType, P256PublicKey,
    PublicKey, Result, Signature, SignedData, StoredKey,
};

const NAME: &str = "fake";

/// A device in memory. Clones are the same device; the device outlives the backends on it.
#[derive(Clone)]
pub struct FakeDevice {
    info: Arc<BackendInfo>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    keys: BTreeMap<u64, Held>,
    next: u64,
    calls: usize,
    faults: Vec<Fault>,
}

/// A key pair on the device.
struct Held {
    name: KeyName,
    pair: Arc<EcdsaKeyPair>,
    /// The backend that an ephemeral pair dies with.
    session: Option<u64>,
}

impl FakeDevice {
    /// A new device without keys, told from others by `id`.
    #[must_use]
    pub fn new(id: &str) -> Self {
        let info = BackendInfo {
            name: NAME,
            model: "device in memory".to_owned(),
            hardware: true,
            device: format!("{NAME}:{id}"),
            key_types: vec![KeyType::EcdsaP256],
        };
        Self {
            info: Arc::new(info),
            state: Arc::default(),
        }
    }

    /// A backend on this device.
    #[must_use]
    pub fn open(&self) -> Arc<FakeBackend> {
        let mut state = self.lock();
        state.next += 1;
        Arc::new(FakeBackend {
            device: self.clone(),
            session: state.next,
        })
    }

    /// Plans faults, in place of those planned before, and counts calls from 0 again.
    pub fn inject(&self, faults: impl IntoIterator<Item = Fault>) {
        let mut state = self.lock();
        state.faults = faults.into_iter().collect();
        state.calls = 0;
    }

    /// How many calls the device has had since [`inject`](Self::inject).
    #[must_use]
    pub fn calls(&self) -> usize {
        self.lock().calls
    }

    /// The public keys of the pairs that live on the device.
    #[must_use]
    pub fn keys(&self) -> Vec<PublicKey> {
        let state = self.lock();
        state
            .keys
            .values()
            .map(|held| public_key(&held.pair))
            .collect()
    }

    /// Destroys every key, as clearing a token does.
    pub fn clear(&self) {
        self.lock().keys.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one call with whatever fault is planned for it. `work` is told whether its answer must
    /// be wrong.
    fn call<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut State, bool) -> Result<T>,
    ) -> Result<T> {
        let mut state = self.lock();
        let now = state.calls;
        state.calls += 1;
        let planned = state.faults.iter().find(|fault| fault.call == now).copied();
        let fail = |kind| Err(Error::new(kind, NAME, operation, "injected fault"));
        match planned.map(|fault| fault.kind) {
            None => work(&mut state, false),
            Some(FaultKind::Fails(kind)) => fail(kind),
            Some(FaultKind::AnswerLost(kind)) => work(&mut state, false).and(fail(kind)),
            Some(FaultKind::WrongAnswer) => work(&mut state, true),
        }
    }
}

impl fmt::Debug for FakeDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FakeDevice({})", self.info.device)
    }
}

/// A backend on a [`FakeDevice`].
#[derive(Debug)]
pub struct FakeBackend {
    device: FakeDevice,
    session: u64,
}

impl FakeBackend {
    fn key(&self, number: u64, pair: &EcdsaKeyPair) -> Arc<dyn DeviceKey> {
        Arc::new(FakeKey {
            device: self.device.clone(),
            number,
            public_key: public_key(pair),
        })
    }
}

impl Drop for FakeBackend {
    fn drop(&mut self) {
        let mut state = self.device.lock();
        state
            .keys
            .retain(|_, held| held.session != Some(self.session));
    }
}

impl Backend for FakeBackend {
    fn info(&self) -> &BackendInfo {
        &self.device.info
    }

    fn create(&self, id: &KeyId, kind: KeyType) -> Result<(StoredKey, Arc<dyn DeviceKey>)> {
        const CREATE: &str = "create a key";
        if kind != KeyType::EcdsaP256 {
            return Err(Error::new(
                ErrorKind::Unsupported,
                NAME,
                CREATE,
                "P-256 only",
            ));
        }
        self.device.call(CREATE, |state, _| {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .map_err(|error| Error::new(ErrorKind::Internal, NAME, CREATE, error))?;
            state.next += 1;
            let number = state.next;
            let held = Held {
                name: id.name(kind),
                pair: Arc::new(pair),
                session: id.is_ephemeral().then_some(self.session),
            };
            let created = (stored(number, &held), self.key(number, &held.pair));
            state.keys.insert(number, held);
            Ok(created)
        })
    }

    fn open(&self, stored: &StoredKey) -> Result<Arc<dyn DeviceKey>> {
        const OPEN: &str = "open a key";
        self.device.call(OPEN, |state, wrong| {
            let number = number(stored, OPEN)?;
            let held = state.keys.get(&number).ok_or_else(|| lost(OPEN))?;
            if wrong {
                let mut others = state.keys.iter().filter(|(at, _)| **at != number);
                let (at, other) = others.next().ok_or_else(|| lost(OPEN))?;
                return Ok(self.key(*at, &other.pair));
            }
            if public_key(&held.pair) != *stored.public_key() {
                return Err(lost(OPEN));
            }
            Ok(self.key(number, &held.pair))
        })
    }

    fn find(&self, id: &KeyId, kind: KeyType) -> Result<Option<StoredKey>> {
        self.device.call("look for a key", |state, _| {
            let name = id.name(kind);
            let found = state.keys.iter().find(|(_, held)| held.name == name);
            Ok(found.map(|(number, held)| stored(*number, held)))
        })
    }

    fn delete(&self, stored: &StoredKey) -> Result<()> {
        const DELETE: &str = "delete a key";
        self.device.call(DELETE, |state, _| {
            state.keys.remove(&number(stored, DELETE)?);
            Ok(())
        })
    }
}

#[derive(Debug)]
struct FakeKey {
    device: FakeDevice,
    number: u64,
    public_key: PublicKey,
}

impl DeviceKey for FakeKey {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn sign(&self, data: &SignedData) -> Result<Signature> {
        const SIGN: &str = "sign";
        let defect = |cause: &'static str| Error::new(ErrorKind::Internal, NAME, SIGN, cause);
        self.device.call(SIGN, |state, wrong| {
            let held = state.keys.get(&self.number).ok_or_else(|| lost(SIGN))?;
            let signature = held
                .pair
                .sign(&SystemRandom::new(), data.as_bytes())
                .map_err(|_| defect("the library did not sign"))?;
            let signature = signature.as_ref().try_into();
            let mut bytes: [u8; 64] = signature.map_err(|_| defect("not 64 bytes"))?;
            bytes[9] ^= u8::from(wrong);
            Ok(Signature::EcdsaP256(bytes))
        })
    }
}

fn lost(operation: &'static str) -> Error {
    Error::new(
        ErrorKind::KeyLost,
        NAME,
        operation,
        "no such key on the device",
    )
}

fn public_key(pair: &EcdsaKeyPair) -> PublicKey {
    let xy = pair.public_key().as_ref().last_chunk().expect("65 bytes");
    P256PublicKey::from_xy(xy)
        .expect("a generated point is on the curve")
        .into()
}

fn stored(number: u64, held: &Held) -> StoredKey {
    let public_key = public_key(&held.pair);
    StoredKey::new(
        held.name,
        KeyType::EcdsaP256,
        public_key,
        number.to_be_bytes(),
    )
}

fn number(stored: &StoredKey, operation: &'static str) -> Result<u64> {
    let bytes = stored.opaque().try_into().map_err(|_| {
        Error::new(
            ErrorKind::Corrupt,
            NAME,
            operation,
            "not the number of a key",
        )
    })?;
    Ok(u64::from_be_bytes(bytes))
}
