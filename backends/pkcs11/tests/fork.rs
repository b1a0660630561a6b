//! Forks: parent and child both go on, with sessions of their own.

mod support;

use std::{
    process,
    sync::{Arc, Barrier, Mutex},
    thread,
};

use tokenbinding_backend::{Backend as _, KeyType};
use tokenbinding_devices::softhsm;
use tokenbinding_pkcs11::{Callbacks, PinSource, PinTries, TokenName};
use zeroize::Zeroizing;

use support::{assert_signs, create, fork::fork, id, open_with};

const EC: KeyType = KeyType::EcdsaP256;

#[test]
fn parent_and_child_both_go_on() {
    let token = shimmed!();
    let backend = token.open();
    let (stored, key) = backend.create(&id("host:a.example"), EC).expect("a key");
    let child = fork(|| {
        for _ in 0..20 {
            assert_signs(&*key, EC);
        }
        assert_signs(&*backend.open(&stored).expect("the key opens"), EC);
        create(&*backend, "host:child.example");
    });
    for _ in 0..20 {
        assert_signs(&*key, EC);
    }
    child.assert_good();
    assert_signs(&*key, EC);
    create(&*backend, "host:parent.example");
}

#[test]
fn a_child_initialises_the_module_again() {
    let token = shimmed!();
    let backend = token.open();
    let key = create(&*backend, "host:a.example");
    token.shim.forget_calls();
    fork(|| assert_signs(&*key, EC)).assert_good();
    let calls = token.shim.calls();
    assert_eq!(calls.first().map(String::as_str), Some("C_Initialize"));
    assert!(
        calls.iter().any(|call| call == "C_OpenSession"),
        "{calls:?}"
    );
    assert!(!calls.iter().any(|call| call == "C_Finalize"), "{calls:?}");
}

#[test]
fn a_child_that_ends_leaves_its_parents_sessions_alone() {
    let token = shimmed!();
    let backend = token.open();
    let key = create(&*backend, "host:a.example");
    token.shim.forget_calls();
    let held = Mutex::new(Some((backend, key)));
    let take = || held.lock().expect("no panic").take();
    fork(|| drop(take())).assert_good();
    assert_eq!(token.shim.count("C_CloseSession"), 0);
    let (_, key) = take().expect("the parent has its own");
    assert_signs(&*key, EC);
}

/// Holds up whoever asks it first in the parent, until it is let go.
struct SlowPerson {
    parent: u32,
    asked: Barrier,
    go_on: Barrier,
}

impl Callbacks for SlowPerson {
    fn pin(&self, _: &TokenName, _: PinTries) -> Option<Zeroizing<String>> {
        if process::id() == self.parent {
            self.asked.wait();
            self.go_on.wait();
        }
        Some(Zeroizing::new(softhsm::PIN.to_owned()))
    }
}

#[test]
fn a_fork_while_a_person_is_asked_blocks_nobody() {
    let mut token = shimmed!();
    token.config.pin = PinSource::Default;
    let person = Arc::new(SlowPerson {
        parent: process::id(),
        asked: Barrier::new(2),
        go_on: Barrier::new(2),
    });
    let backend = open_with(&token.config, person.clone());
    thread::scope(|scope| {
        scope.spawn(|| create(&*backend, "host:parent.example"));
        person.asked.wait();
        fork(|| assert_signs(&*create(&*backend, "host:child.example"), EC)).assert_good();
        person.go_on.wait();
    });
}

#[test]
fn a_grandchild_signs_too() {
    let token = shimmed!();
    let key = create(&*token.open(), "host:a.example");
    let child = fork(|| {
        fork(|| assert_signs(&*key, EC)).assert_good();
        assert_signs(&*key, EC);
    });
    child.assert_good();
}
