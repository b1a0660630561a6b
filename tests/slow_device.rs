//! A device that takes its time holds up those who wait for it, and nobody else.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, Sender},
    },
    thread,
};

use tokenbinding::{Binder, Ekm, KeyType, TokenBindingType, Verifier, key_map::KeyMap};
use tokenbinding_backend::{
    Backend, BackendInfo, DeviceKey, KeyId, PublicKey, Result, Signature, SignedData, StoredKey,
    fake::FakeDevice,
};

const P256: KeyType = KeyType::EcdsaP256;
const TARGET: &str = "https://a.example/";

/// A device each of whose signatures says that it was begun and then waits to be let go.
#[derive(Debug)]
struct Slow {
    device: Arc<dyn Backend>,
    gate: Arc<Gate>,
}

#[derive(Debug)]
struct Gate {
    begun: Sender<()>,
    go: Mutex<Receiver<()>>,
}

impl Slow {
    fn key(&self, key: Arc<dyn DeviceKey>) -> Arc<dyn DeviceKey> {
        let gate = Arc::clone(&self.gate);
        Arc::new(SlowKey { key, gate })
    }
}

impl Backend for Slow {
    fn info(&self) -> &BackendInfo {
        self.device.info()
    }

    fn create(&self, id: &KeyId, kind: KeyType) -> Result<(StoredKey, Arc<dyn DeviceKey>)> {
        let (stored, key) = self.device.create(id, kind)?;
        Ok((stored, self.key(key)))
    }

    fn open(&self, stored: &StoredKey) -> Result<Arc<dyn DeviceKey>> {
        Ok(self.key(self.device.open(stored)?))
    }

    fn find(&self, id: &KeyId, kind: KeyType) -> Result<Option<StoredKey>> {
        self.device.find(id, kind)
    }

    fn delete(&self, stored: &StoredKey) -> Result<()> {
        self.device.delete(stored)
    }
}

#[derive(Debug)]
struct SlowKey {
    key: Arc<dyn DeviceKey>,
    gate: Arc<Gate>,
}

impl DeviceKey for SlowKey {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn sign(&self, data: &SignedData) -> Result<Signature> {
        self.gate.begun.send(()).unwrap();
        self.gate.go.lock().unwrap().recv().unwrap();
        self.key.sign(data)
    }
}

fn ekm() -> Ekm {
    Ekm::new([0x5a; 32])
}

/// A message with the binding of `target`.
fn message(binder: &Binder, target: &str) -> Vec<u8> {
    let provided = TokenBindingType::Provided;
    let binding = binder.generate_binding(target, P256, provided, &ekm());
    Binder::generate_message(&[binding.unwrap()]).unwrap()
}

fn verifies(message: &[u8]) {
    Verifier::new(P256).verify(message, &ekm()).unwrap();
}

/// Were any lock held while the device signs, this test would never end.
#[test]
fn while_a_device_signs_nothing_else_waits() {
    let ((begun, has_begun), (go, may_go)) = (mpsc::channel(), mpsc::channel());
    let device = FakeDevice::new("slow").open();
    let go_on = Mutex::new(may_go);
    let gate = Arc::new(Gate { begun, go: go_on });
    let slow = Binder::with_backend(
        KeyMap::in_memory().unwrap(),
        Arc::new(Slow { device, gate }),
    );
    let other_device = FakeDevice::new("other").open();
    let other = Binder::with_backend(KeyMap::in_memory().unwrap(), other_device);
    let before = message(&other, TARGET);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| message(&slow, TARGET));
        has_begun.recv().unwrap();

        verifies(&before);
        verifies(&message(&other, "https://b.example/"));
        // The slow device's own binder: every call that asks no signature of it.
        let known = slow.id(TARGET, P256).unwrap();
        assert!(!known.created);
        slow.id("https://c.example/", P256).unwrap();
        assert_eq!(slow.list().unwrap().len(), 2);
        slow.delete("https://c.example/").unwrap();

        go.send(()).unwrap();
        verifies(&waiting.join().unwrap());
    });
}
