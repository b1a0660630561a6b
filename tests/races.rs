//! Two processes on one token and one key map, at the worst moments.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex},
};

use tempfile::TempDir;
use tokenbinding::{Binder, KeyChoice, KeyType, TokenBindingId, key_map::KeyMap};
use tokenbinding_backend::{
    Backend, BackendInfo, DeviceKey, KeyId, Result, StoredKey,
    fake::{FakeBackend, FakeDevice},
};

const P256: KeyType = KeyType::EcdsaP256;
const A: &str = "https://a.example/";

type Event = Box<dyn FnOnce() + Send>;

/// A backend during whose next call something else happens: just before or after a key is created,
/// or just after one was deleted.
struct Interrupted {
    inner: Arc<FakeBackend>,
    before_create: Mutex<Option<Event>>,
    after_create: Mutex<Option<Event>>,
    after_delete: Mutex<Option<Event>>,
}

impl Interrupted {
    fn happen(event: &Mutex<Option<Event>>) {
        let event = event.lock().unwrap().take();
        if let Some(event) = event {
            event();
        }
    }
}

impl fmt::Debug for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl Backend for Interrupted {
    fn info(&self) -> &BackendInfo {
        self.inner.info()
    }

    fn create(&self, id: &KeyId, kind: KeyType) -> Result<(StoredKey, Arc<dyn DeviceKey>)> {
        Self::happen(&self.before_create);
        let created = self.inner.create(id, kind);
        Self::happen(&self.after_create);
        created
    }

    fn open(&self, stored: &StoredKey) -> Result<Arc<dyn DeviceKey>> {
        self.inner.open(stored)
    }

    fn find(&self, id: &KeyId, kind: KeyType) -> Result<Option<StoredKey>> {
        self.inner.find(id, kind)
    }

    fn delete(&self, stored: &StoredKey) -> Result<()> {
        self.inner.delete(stored)?;
        Self::happen(&self.after_delete);
        Ok(())
    }
}

/// A token and a store that two processes use: ours, which is interrupted, and another.
struct Machine {
    store: TempDir,
    device: FakeDevice,
    ours: Arc<Interrupted>,
    other: Arc<Binder>,
}

impl Machine {
    fn new() -> Self {
        let store = tempfile::tempdir().unwrap();
        let device = FakeDevice::new("1");
        let ours = Arc::new(Interrupted {
            inner: device.open(),
            before_create: Mutex::default(),
            after_create: Mutex::default(),
            after_delete: Mutex::default(),
        });
        let other = Arc::new(binder(store.path(), device.open()));
        Self {
            store,
            device,
            ours,
            other,
        }
    }

    fn ours(&self) -> Binder {
        binder(self.store.path(), Arc::clone(&self.ours) as _)
    }

    /// The other process asks for the key of the target; the answer is what it got.
    fn other_asks(
        &self,
        when: &Mutex<Option<Event>>,
        choice: KeyChoice,
    ) -> Arc<Mutex<Option<TokenBindingId>>> {
        let answer = Arc::new(Mutex::default());
        let (other, told) = (Arc::clone(&self.other), Arc::clone(&answer));
        let event = move || *told.lock().unwrap() = Some(other.id(A, choice).unwrap().id);
        *when.lock().unwrap() = Some(Box::new(event));
        answer
    }
}

fn binder(store: &Path, backend: Arc<dyn Backend>) -> Binder {
    Binder::with_backend(KeyMap::open(store).unwrap(), backend)
}

/// The other makes the key between our look for it and our making it.
#[test]
fn who_comes_second_destroys_his_own_key_and_takes_the_other() {
    let machine = Machine::new();
    let theirs = machine.other_asks(&machine.ours.before_create, KeyChoice::Type(P256));
    let ours = machine.ours().id(A, P256).unwrap();
    assert_eq!(theirs.lock().unwrap().as_ref(), Some(&ours.id));
    assert!(!ours.created);
    assert_eq!(machine.device.keys().len(), 1);
}

/// The other finds our key on the token before we have put it into the map, and puts it there.
#[test]
fn a_new_key_that_another_process_found_first_is_not_destroyed() {
    for choice in [KeyChoice::Type(P256), KeyChoice::AnyExisting] {
        let machine = Machine::new();
        let theirs = machine.other_asks(&machine.ours.after_create, choice);
        let ours = machine.ours().id(A, P256).unwrap().id;
        assert_eq!(theirs.lock().unwrap().as_ref(), Some(&ours));
        assert_eq!(machine.other.id(A, P256).unwrap().id, ours);
        assert_eq!(machine.device.keys().len(), 1);
    }
}

/// The other makes a key between our deletion on the token and that in the map.
#[test]
fn a_key_that_another_process_made_during_a_deletion_is_not_destroyed() {
    let machine = Machine::new();
    let ours = machine.ours();
    let old = ours.id(A, P256).unwrap().id;
    let theirs = machine.other_asks(&machine.ours.after_delete, KeyChoice::Type(P256));
    ours.delete(A).unwrap();
    let theirs = theirs.lock().unwrap().take().unwrap();
    assert_ne!(theirs, old);
    assert_eq!(machine.other.id(A, P256).unwrap().id, theirs);
    assert_eq!(ours.id(A, P256).unwrap().id, theirs);
    assert_eq!(machine.device.keys().len(), 1);
}
