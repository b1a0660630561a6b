//! A device that fails at each call in turn: map and device end consistent, whatever happened.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use tempfile::TempDir;
use tokenbinding::{
    Binder, Ekm, Error, KeyType, Profile, TokenBindingId, TokenBindingType, Verifier,
    key_map::KeyMap,
};
use tokenbinding_backend::{
    Backend as _, ErrorKind, PublicKey,
    fake::{FakeDevice, Fault, FaultKind},
};

const P256: KeyType = KeyType::EcdsaP256;
const A: &str = "https://a.example/";
const B: &str = "https://b.example/";
const ERRORS: [ErrorKind; 14] = [
    ErrorKind::Unavailable,
    ErrorKind::Busy,
    ErrorKind::PinRequired,
    ErrorKind::PinIncorrect,
    ErrorKind::PinFinalTry,
    ErrorKind::PinLocked,
    ErrorKind::DeviceLocked { retry_after: None },
    ErrorKind::DeviceRemoved,
    ErrorKind::DeviceFull,
    ErrorKind::KeyLost,
    ErrorKind::Unsupported,
    ErrorKind::Denied,
    ErrorKind::Corrupt,
    ErrorKind::Internal,
];

/// Whether the steps of a scenario are done by one process or each by its own.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Processes {
    One,
    OneEachStep,
}

/// A device, and a key map whose rows are on it.
struct Machine {
    store: TempDir,
    device: FakeDevice,
    processes: Processes,
    binder: Option<Binder>,
    /// Whether any step left a row set aside.
    set_aside: bool,
}

impl Machine {
    fn new(processes: Processes) -> Self {
        Self {
            store: folder_in_memory(),
            device: FakeDevice::new("1"),
            processes,
            binder: None,
            set_aside: false,
        }
    }

    fn open(&self) -> Binder {
        Binder::with_backend(self.map(), self.device.open())
    }

    fn map(&self) -> KeyMap {
        KeyMap::open(self.store.path()).unwrap()
    }

    /// Does a step, and once again when it fails.
    fn step<T>(&mut self, step: impl Fn(&Binder) -> Result<T, Error>) -> Result<T, Error> {
        if self.processes == Processes::OneEachStep {
            self.binder = None;
        }
        let binder = self.binder.take().unwrap_or_else(|| self.open());
        let done = step(&binder).or_else(|_| step(&binder));
        let listed = binder.list().unwrap();
        self.set_aside |= listed.iter().any(|key| key.set_aside.is_some());
        self.binder = Some(binder);
        done
    }

    fn generate(&mut self, target: &str) -> TokenBindingId {
        self.step(|binder| generate(binder, target)).unwrap()
    }

    fn scenario(&mut self) {
        let first = self.generate(A);
        assert_eq!(self.generate(A), first, "a has a second key");
        assert_ne!(self.generate(B), first);
        match self.step(|binder| binder.delete(A)) {
            // What failed first had deleted it already.
            Ok(_) | Err(Error::NotFound { .. }) => (),
            Err(error) => panic!("{error}"),
        }
        assert_ne!(self.generate(A), first, "a deleted key came back");
        self.step(Binder::delete_all).unwrap();
    }

    /// The public keys of the rows in use, each of which opens on the device and signs.
    fn usable_keys(&self) -> Vec<PublicKey> {
        let backend = self.device.open();
        let rows = self.map().contents(&Profile::default()).unwrap().in_use;
        rows.iter()
            .map(|row| {
                let key = backend.open(&row.stored_key().unwrap()).unwrap();
                let data = ekm().signed_data(TokenBindingType::Provided, P256);
                let signature = key.sign(&data).unwrap();
                let public_key = key.public_key();
                public_key
                    .verify(P256, &data, signature.as_bytes())
                    .unwrap();
                public_key.clone()
            })
            .collect()
    }

    /// Every row is of use, and no key on the device is unknown to the map once its target has
    /// been asked for.
    fn assert_consistent(&mut self) {
        self.usable_keys();
        self.binder = None;
        for target in [A, B] {
            let id = self.generate(target);
            assert_eq!(self.generate(target), id);
        }
        let mut known = self.usable_keys();
        let mut held = self.device.keys();
        known.sort_by_key(|key| format!("{key:?}"));
        held.sort_by_key(|key| format!("{key:?}"));
        assert_eq!(held, known);
    }
}

/// These tests are about devices that fail, a thousand times over: no disk need take part.
fn folder_in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

fn ekm() -> Ekm {
    Ekm::new([0x5a; 32])
}

/// A binding of `target`, which verifies whatever the device does.
fn generate(binder: &Binder, target: &str) -> Result<TokenBindingId, Error> {
    let binding = binder.generate_binding(target, P256, TokenBindingType::Provided, &ekm())?;
    let message = Binder::generate_message(&[&binding]).unwrap();
    let verified = Verifier::new(P256).verify(&message, &ekm()).unwrap();
    assert_eq!(*verified.provided().unwrap().id(), binding.key().id);
    Ok(binding.key().id.clone())
}

/// Runs the scenario with a fault at each call in turn, until it ends before the fault.
fn at_each_call(kinds: &[FaultKind], check: impl Fn(&mut Machine)) {
    for processes in [Processes::One, Processes::OneEachStep] {
        for &kind in kinds {
            for call in 0.. {
                let mut machine = Machine::new(processes);
                machine.device.inject(Some(Fault { call, kind }));
                machine.scenario();
                let calls = machine.device.calls();
                machine.device.inject(None);
                check(&mut machine);
                if calls <= call {
                    assert!(call >= 10, "the scenario ended early");
                    break;
                }
            }
        }
    }
}

#[test]
fn a_call_that_fails_leaves_map_and_device_consistent() {
    let kinds = ERRORS.map(FaultKind::Fails);
    at_each_call(&kinds, Machine::assert_consistent);
}

#[test]
fn an_answer_that_is_lost_leaves_map_and_device_consistent() {
    let kinds = ERRORS.map(FaultKind::AnswerLost);
    at_each_call(&kinds, Machine::assert_consistent);
}

#[test]
fn an_answer_that_is_wrong_leaves_map_and_device_consistent() {
    at_each_call(&[FaultKind::WrongAnswer], Machine::assert_consistent);
}

#[test]
fn a_device_that_is_out_of_reach_for_now_loses_no_key() {
    for fault in [FaultKind::Fails, FaultKind::AnswerLost] {
        let kinds = [ErrorKind::Busy, ErrorKind::PinRequired].map(fault);
        at_each_call(&kinds, |machine| assert!(!machine.set_aside));
    }
}

#[test]
fn a_key_whose_creation_was_answered_by_nobody_is_adopted_by_the_next_call() {
    let machine = Machine::new(Processes::One);
    // Looking for the key comes first.
    let kind = FaultKind::AnswerLost(ErrorKind::DeviceRemoved);
    machine.device.inject(Some(Fault { call: 1, kind }));
    let binder = machine.open();
    assert!(generate(&binder, A).is_err());
    let made = machine.device.keys();
    assert_eq!(made.len(), 1);
    let adopted = generate(&binder, A).unwrap();
    assert_eq!(adopted, TokenBindingId::new(P256, &made[0]));
    assert_eq!(machine.device.keys(), made);
}

#[test]
fn a_bad_signature_is_an_error_and_the_key_stays() {
    let machine = Machine::new(Processes::One);
    let binder = machine.open();
    let id = generate(&binder, A).unwrap();
    let kind = FaultKind::WrongAnswer;
    machine.device.inject(Some(Fault { call: 0, kind }));
    let error = generate(&binder, A).unwrap_err();
    assert!(matches!(error, Error::BadDeviceSignature { .. }), "{error}");
    assert_eq!(generate(&binder, A).unwrap(), id);
}

#[test]
fn after_the_device_was_cleared_there_is_a_new_key_and_the_old_one_is_set_aside() {
    for reopened in [false, true] {
        let machine = Machine::new(Processes::One);
        let mut binder = machine.open();
        let old = generate(&binder, A).unwrap();
        machine.device.clear();
        if reopened {
            binder = machine.open();
        }
        let new = generate(&binder, A).unwrap();
        assert_ne!(new, old);
        let listed = binder.list().unwrap();
        let ids: Vec<_> = listed
            .iter()
            .map(|key| (key.id.clone().unwrap(), key.set_aside.is_some()))
            .collect();
        assert_eq!(ids, [(new, false), (old, true)]);
    }
}

#[test]
fn a_key_that_is_set_aside_by_one_thread_is_not_set_aside_again() {
    let machine = Machine::new(Processes::One);
    let binder = Arc::new(machine.open());
    generate(&binder, A).unwrap();
    machine.device.clear();
    let ids: Vec<_> = std::thread::scope(|scope| {
        let ask = || generate(&binder, A).unwrap();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]));
    let aside = machine
        .map()
        .contents(&Profile::default())
        .unwrap()
        .set_aside;
    assert_eq!((aside.len(), machine.device.keys().len()), (1, 1));
}
