//! Several threads, several processes, and several keys of one name.

mod support;

use std::{collections::HashSet, env, process::Command, sync::Arc, thread, time::Duration};

use tokenbinding_backend::{Backend as _, ErrorKind, KeyType, StoredKey};
use tokenbinding_devices::this_test;
use tokenbinding_pkcs11::Pkcs11Backend;

use support::{assert_signs, create, id, kind_of};

const EC: KeyType = KeyType::EcdsaP256;

#[test]
fn eight_threads_sign_with_one_token() {
    let token = shimmed!();
    let backend = token.open();
    let key = create(&*backend, "host:a.example");
    thread::scope(|scope| {
        for thread in 0..8 {
            let (backend, key) = (&backend, &key);
            scope.spawn(move || {
                let own = create(&**backend, &format!("host:{thread}.example"));
                for _ in 0..100 {
                    assert_signs(&**key, EC);
                    assert_signs(&*own, EC);
                }
            });
        }
    });
    assert_eq!(token.shim.count("C_Login"), 1);
}

#[test]
fn one_thread_at_a_time_lists_makes_or_destroys_objects() {
    let token = shimmed!();
    let backend = token.open();
    let pause = Duration::from_millis(2);
    token.shim.delay("C_GenerateKeyPair", pause);
    token.shim.delay("C_FindObjectsInit", pause);
    thread::scope(|scope| {
        for thread in 0..8 {
            // Half of the threads by another backend of the same token.
            let backend = if thread % 2 == 0 {
                Arc::clone(&backend)
            } else {
                token.open()
            };
            scope.spawn(move || {
                let host = id(&format!("host:{thread}.example"));
                let (stored, key) = backend.create(&host, EC).expect("a key");
                assert_signs(&*key, EC);
                assert_eq!(
                    backend.find(&host, EC).expect("asked"),
                    Some(stored.clone())
                );
                backend.delete(&stored).expect("it is deleted");
            });
        }
    });
    assert_eq!(token.shim.count("C_GenerateKeyPair"), 8);
    assert_eq!(token.shim.overlaps(), [""; 0]);
}

#[test]
fn a_pool_has_no_more_sessions_than_threads() {
    let token = shimmed!();
    let backend = token.open();
    let key = create(&*backend, "host:a.example");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| assert_signs(&*key, EC)));
        }
    });
    assert!(token.shim.count("C_OpenSession") <= 4);
}

/// Set in the processes that a test starts besides its own.
const WORKER: &str = "TOKENBINDING_TEST_WORKER";

#[test]
fn four_processes_agree_on_one_key_and_sign_with_it() {
    let token = shimmed!();
    let backend = token.open();
    let host = id("host:a.example");
    let work = || {
        if backend
            .find(&host, EC)
            .expect("the token can be asked")
            .is_none()
        {
            backend.create(&host, EC).expect("the token makes a key");
        }
        let found = backend.find(&host, EC).expect("the token can be asked");
        let key = backend
            .open(&found.expect("it is there"))
            .expect("it opens");
        (0..50).for_each(|_| assert_signs(&*key, EC));
    };
    if env::var_os(WORKER).is_some() {
        return work();
    }
    let test = this_test!().split("::").nth(1).expect("the test's name");
    let workers: Vec<_> = (0..3)
        .map(|_| {
            let program = env::current_exe().expect("this program");
            let mut worker = Command::new(program);
            worker
                .args([test, "--exact", "--nocapture"])
                .env(WORKER, "");
            worker.spawn().expect("the worker runs")
        })
        .collect();
    work();
    for mut worker in workers {
        assert!(worker.wait().expect("the worker ends").success());
    }
    let found = || backend.find(&host, EC).expect("the token can be asked");
    let fresh = token
        .open()
        .find(&host, EC)
        .expect("the token can be asked");
    assert_eq!(found(), fresh, "whoever looks finds the same key");
}

/// Two pairs of one name, the one that is found first.
fn two_pairs(backend: &Pkcs11Backend, kind: KeyType) -> [StoredKey; 2] {
    let host = id("host:a.example");
    let [a, b] = [(); 2].map(|()| backend.create(&host, kind).expect("a key").0);
    let found = backend.find(&host, kind).expect("the token can be asked");
    match found.expect("there are two") {
        found if found == a => [a, b],
        found if found == b => [b, a],
        found => panic!("{found:?} is neither {a:?} nor {b:?}"),
    }
}

#[test]
fn of_two_pairs_of_one_name_each_signs_for_itself() {
    let token = shimmed!();
    let backend = token.open();
    for kind in KeyType::ALL {
        for stored in two_pairs(&backend, kind) {
            let key = backend.open(&stored).expect("it opens");
            assert_signs(&*key, kind);
        }
    }
}

#[test]
fn every_backend_finds_the_same_of_two_pairs() {
    let token = shimmed!();
    let [winner, _] = two_pairs(&token.open(), EC);
    for _ in 0..3 {
        let found = token.open().find(&id("host:a.example"), EC);
        assert_eq!(found.expect("asked").as_ref(), Some(&winner));
    }
}

#[test]
fn deleting_one_of_two_pairs_leaves_the_other_whole() {
    let token = shimmed!();
    let backend = token.open();
    for (place, kind) in [(0, EC), (1, EC), (0, KeyType::Rsa2048Pss)] {
        let pairs = two_pairs(&backend, kind);
        let (gone, kept) = (&pairs[place], &pairs[1 - place]);
        backend.delete(gone).expect("it is deleted");
        assert_eq!(kind_of(backend.open(gone)), Some(ErrorKind::KeyLost));
        let found = backend.find(&id("host:a.example"), kind).expect("asked");
        assert_eq!(found.as_ref(), Some(kept));
        assert_signs(&*backend.open(kept).expect("it opens"), kind);
        backend.delete(kept).expect("it is deleted");
        let found = backend.find(&id("host:a.example"), kind).expect("asked");
        assert_eq!(found, None);
    }
}

#[test]
fn a_deletion_that_was_cut_short_is_completed() {
    let token = shimmed!();
    let backend = token.open();
    let (stored, _) = backend.create(&id("host:a.example"), EC).expect("a key");
    let public_half = 1;
    let failure = cryptoki_sys::CKR_GENERAL_ERROR;
    token.shim.fail("C_DestroyObject", public_half, 1, failure);
    assert_eq!(kind_of(backend.delete(&stored)), Some(ErrorKind::Internal));
    assert_eq!(
        backend.find(&id("host:a.example"), EC).expect("asked"),
        None
    );
    backend.delete(&stored).expect("the rest is deleted");
    token.shim.forget_calls();
    backend.delete(&stored).expect("nothing is left");
    assert_eq!(token.shim.count("C_DestroyObject"), 0);
}

#[test]
fn each_key_has_its_own_public_key() {
    let token = shimmed!();
    let backend = token.open();
    let keys = (0..8).map(|n| create(&*backend, &format!("host:{n}.example")));
    let distinct: HashSet<_> = keys.map(|key| key.public_key().clone()).collect();
    assert_eq!(distinct.len(), 8);
}

#[test]
fn a_pair_whose_public_half_is_gone_is_still_told_from_another() {
    use cryptoki::object::{Attribute, ObjectClass};
    let token = shimmed!();
    let backend = token.open();
    let pairs = two_pairs(&backend, EC);
    let module = cryptoki::context::Pkcs11::new(tokenbinding_pkcs11_shim::Shim::library());
    let module = module.expect("it is loaded");
    let slot = backend.status().expect("the token's state").token.slot;
    let slot = cryptoki::slot::Slot::try_from(slot).expect("a slot");
    let session = module.open_rw_session(slot).expect("a session");
    let public = session.find_objects(&[Attribute::Class(ObjectClass::PUBLIC_KEY)]);
    let public = public.expect("a search");
    session.destroy_object(public[0]).expect("it is destroyed");
    for stored in pairs {
        assert_signs(&*backend.open(&stored).expect("it opens"), EC);
    }
}
