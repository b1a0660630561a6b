//! Stored keys, opened again, elsewhere, and damaged.

use super::{Device, assert_signs, create, durable};
use crate::{Backend, ErrorKind, StoredKey};

/// What was stored opens as the same key.
pub fn a_stored_key_opens_again(device: &dyn Device) {
    let backend = device.open();
    for &kind in backend.key_types() {
        let (stored, _) = create(&*backend, &durable("host:example.com"), kind);
        assert_opens(&*backend, &stored);
    }
}

/// What was stored opens as the same key in another process, after a trip through its bytes.
pub fn a_stored_key_opens_in_another_process(device: &dyn Device) {
    let types = device.open().key_types().to_vec();
    for kind in types {
        let (stored, _) = create(&*device.open(), &durable("host:example.com"), kind);
        let stored = StoredKey::decode(&stored.encode()).expect("it decodes");
        assert_opens(&*device.open(), &stored);
    }
}

fn assert_opens(backend: &dyn Backend, stored: &StoredKey) {
    let key = backend
        .open(stored)
        .unwrap_or_else(|error| panic!("opening a {} key: {error}", stored.kind()));
    assert_eq!(key.public_key(), stored.public_key());
    assert_signs(&*key, stored.kind());
}

/// A copied store does not bring the keys along.
pub fn a_stored_key_is_of_no_use_on_another_device(device: &dyn Device) {
    let backend = device.open();
    let other = device.open_other();
    for &kind in backend.key_types() {
        let (stored, _) = create(&*backend, &durable("host:example.com"), kind);
        let error = other
            .open(&stored)
            .expect_err("another device has not got the key");
        assert!(error.kind().is_key_unusable(), "{error}");
    }
}

/// Changing or cutting what a backend stored gives an error, never another key.
pub fn a_damaged_stored_key_never_opens_as_another_key(device: &dyn Device) {
    let backend = device.open();
    for &kind in backend.key_types() {
        let (stored, _) = create(&*backend, &durable("host:example.com"), kind);
        let opaque = stored.opaque();
        let step = opaque.len().div_ceil(48).max(1);
        for at in (0..opaque.len()).step_by(step) {
            let mut flipped = opaque.to_vec();
            flipped[at] ^= 0x10;
            assert_harmless(&*backend, &stored, &flipped);
            assert_harmless(&*backend, &stored, &opaque[..at]);
        }
    }
}

/// With `opaque` in place of its own bytes, `stored` opens as itself or not at all.
fn assert_harmless(backend: &dyn Backend, stored: &StoredKey, opaque: &[u8]) {
    let kind = stored.kind();
    let damaged = StoredKey::new(*stored.name(), kind, stored.public_key().clone(), opaque);
    match backend.open(&damaged) {
        Ok(key) => assert_eq!(key.public_key(), stored.public_key()),
        Err(error) => assert!(
            error.kind().is_key_unusable(),
            "a damaged {kind} key: {error}"
        ),
    }
}

/// A token that carries its keys finds each by its id, and only that; another device finds none.
pub fn a_token_finds_its_keys(device: &dyn Device) {
    let backend = device.open();
    for &kind in backend.key_types() {
        let id = durable("host:example.com");
        let found = |id| backend.find(id, kind).expect("the device can be asked");
        assert_eq!(found(&id), None, "nothing is there yet");
        let (stored, _) = create(&*backend, &id, kind);
        match found(&id) {
            Some(found) => {
                assert!(device.carries_keys());
                assert_eq!(found.public_key(), stored.public_key());
                assert_opens(&*device.open(), &found);
            }
            None => assert!(!device.carries_keys(), "the token lost a {kind} key"),
        }
        assert_eq!(found(&durable("host:other.example")), None);
    }
}

/// The kind of the error when `stored` is opened, or `None` when it opens.
pub(super) fn open_error(backend: &dyn Backend, stored: &StoredKey) -> Option<ErrorKind> {
    backend.open(stored).err().map(|error| error.kind())
}
