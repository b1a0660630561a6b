//! Keys that must not come back.

use super::{Device, assert_signs, create, durable, ephemeral, reopening::open_error};
use crate::ErrorKind;

/// A token does not find a deleted key, in this process or another.
pub fn a_deleted_key_is_not_found(device: &dyn Device) {
    let backend = device.open();
    for &kind in backend.key_types() {
        let id = durable("host:example.com");
        let (stored, _) = create(&*backend, &id, kind);
        backend.delete(&stored).expect("the key can be deleted");
        for backend in [&backend, &device.open()] {
            assert_eq!(
                backend.find(&id, kind).expect("the device can be asked"),
                None
            );
            if device.carries_keys() {
                assert_eq!(open_error(&**backend, &stored), Some(ErrorKind::KeyLost));
            }
        }
    }
}

/// Deleting what is gone already succeeds.
pub fn deleting_twice_is_no_error(device: &dyn Device) {
    let backend = device.open();
    for &kind in backend.key_types() {
        let (stored, _) = create(&*backend, &durable("host:example.com"), kind);
        for _ in 0..2 {
            backend.delete(&stored).expect("deletion is idempotent");
        }
    }
}

/// Of two keys made for one id, and of other ids, only the one that was named goes.
pub fn deleting_one_key_leaves_the_others(device: &dyn Device) {
    let backend = device.open();
    for &kind in backend.key_types() {
        let (loser, _) = create(&*backend, &durable("host:a.example"), kind);
        let (winner, _) = create(&*backend, &durable("host:a.example"), kind);
        let (other, _) = create(&*backend, &durable("host:b.example"), kind);
        backend.delete(&loser).expect("the key can be deleted");
        for kept in [winner, other] {
            assert_eq!(open_error(&*backend, &kept), None, "a {kind} key went too");
        }
    }
}

/// An ephemeral key works, and is unknown to whoever opens the device next.
pub fn an_ephemeral_key_signs_and_dies(device: &dyn Device) {
    let types = device.open_ephemeral().key_types().to_vec();
    for kind in types {
        let id = ephemeral("host:example.com");
        let backend = device.open_ephemeral();
        let (stored, key) = create(&*backend, &id, kind);
        assert_signs(&*key, kind);
        assert_eq!(open_error(&*backend, &stored), None);
        drop((key, backend));
        let backend = device.open_ephemeral();
        assert_eq!(
            backend.find(&id, kind).expect("the device can be asked"),
            None
        );
        let error = open_error(&*backend, &stored).expect("the key died");
        assert!(error.is_key_unusable(), "{error}");
    }
}
