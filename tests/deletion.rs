//! What is deleted is gone from device and map, and stays gone, whatever the device said meanwhile.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tempfile::TempDir;
use tokenbinding::{Binder, KeyType, Profile, TokenBindingId, key_map::KeyMap};
use tokenbinding_backend::{
    ErrorKind,
    fake::{FakeDevice, Fault, FaultKind},
};

const P256: KeyType = KeyType::EcdsaP256;
const A: &str = "https://a.example/";
const B: &str = "https://b.example/";

/// A device, and a key map whose rows are on it.
struct Machine {
    store: TempDir,
    device: FakeDevice,
}

impl Machine {
    fn new() -> Self {
        Self {
            store: tempfile::tempdir().unwrap(),
            device: FakeDevice::new("1"),
        }
    }

    fn open(&self) -> Binder {
        Binder::with_backend(self.map(), self.device.open())
    }

    fn map(&self) -> KeyMap {
        KeyMap::open(self.store.path()).unwrap()
    }

    fn set_aside(&self) -> usize {
        let aside = self.map().contents(&Profile::default());
        aside.unwrap().set_aside.len()
    }
}

fn id(binder: &Binder) -> TokenBindingId {
    binder.id(A, P256).unwrap().id
}

#[test]
fn a_key_that_the_device_does_not_let_go_of_stays_in_the_map() {
    let machine = Machine::new();
    let binder = machine.open();
    let kept = id(&binder);
    let kind = FaultKind::Fails(ErrorKind::DeviceRemoved);
    machine.device.inject(Some(Fault { call: 0, kind }));
    assert!(binder.delete_all().is_err());
    assert_eq!(id(&binder), kept);
    assert_eq!(binder.delete_all().unwrap().keys, 1);
}

#[test]
fn a_key_whose_creation_was_answered_by_nobody_can_be_deleted() {
    let machine = Machine::new();
    let kind = FaultKind::AnswerLost(ErrorKind::DeviceRemoved);
    machine.device.inject(Some(Fault { call: 1, kind }));
    let binder = machine.open();
    assert!(binder.id(A, P256).is_err());
    assert_eq!(binder.delete(A).unwrap().keys, 1);
    assert_eq!(machine.device.keys(), []);
}

/// A device that gave a wrong answer once still has the key, and so does a process that took the
/// answer for true and was killed.
#[test]
fn a_key_that_was_set_aside_while_its_device_had_it_does_not_come_back_after_deletion() {
    let delete_all = |binder: &Binder| binder.delete_all();
    let delete = |binder: &Binder| binder.delete(A);
    for delete in [delete_all, delete] {
        let machine = Machine::new();
        let old = id(&machine.open());
        let rows = machine.map().contents(&Profile::default()).unwrap().in_use;
        machine.map().set_aside(&rows[0], "wrong answer").unwrap();
        let binder = machine.open();
        assert_eq!(delete(&binder).unwrap().keys, 1);
        assert_eq!((machine.set_aside(), machine.device.keys().len()), (0, 0));
        assert_ne!(id(&binder), old);
    }
}

#[test]
fn a_key_that_was_set_aside_and_taken_up_again_counts_once() {
    let machine = Machine::new();
    let binder = machine.open();
    let old = id(&binder);
    binder.id(B, P256).unwrap();
    let kind = FaultKind::WrongAnswer;
    machine
        .device
        .inject([0, 1].map(|call| Fault { call, kind }));
    let binder = machine.open();
    assert_eq!((id(&binder), machine.set_aside()), (old, 1));
    assert_eq!(binder.delete(A).unwrap().keys, 1);
    assert_eq!((machine.set_aside(), machine.device.keys().len()), (0, 1));
}

#[test]
fn one_wrong_answer_does_not_set_a_key_aside() {
    let machine = Machine::new();
    let old = id(&machine.open());
    machine.open().id(B, P256).unwrap();
    let kind = FaultKind::WrongAnswer;
    machine.device.inject([Fault { call: 0, kind }]);
    assert_eq!((id(&machine.open()), machine.set_aside()), (old, 0));
}

/// A store that was moved to another device holds what its own device alone can delete.
#[test]
fn a_key_on_a_device_that_is_not_at_hand_is_told_and_stays() {
    let machine = Machine::new();
    id(&machine.open());
    let binder = Binder::with_backend(machine.map(), FakeDevice::new("2").open());
    let deleted = binder.delete(A).unwrap();
    assert_eq!((deleted.keys, deleted.unreachable.len()), (0, 1));
    assert_eq!(
        machine
            .map()
            .contents(&Profile::default())
            .unwrap()
            .in_use
            .len(),
        1
    );
}
