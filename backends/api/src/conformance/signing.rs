//! Keys and their signatures.

use super::{Device, assert_signs, create, data, durable};
use crate::{ErrorKind, KeyType};

/// A new key of each offered type signs, and its signature verifies.
pub fn a_created_key_signs(device: &dyn Device) {
    let backend = device.open();
    for &kind in backend.key_types() {
        let (_, key) = create(&*backend, &durable("host:example.com"), kind);
        assert_signs(&*key, kind);
        assert_signs(&*key, kind);
    }
}

/// A signature over one EKM does not verify for another.
pub fn a_signature_is_good_for_its_data_only(device: &dyn Device) {
    let backend = device.open();
    for &kind in backend.key_types() {
        let (_, key) = create(&*backend, &durable("host:example.com"), kind);
        let signature = key.sign(&data(kind, 1)).expect("the key signs");
        let other = data(kind, 2);
        let checked = key.public_key().verify(kind, &other, signature.as_bytes());
        assert!(checked.is_err(), "a {kind} signature over another EKM");
    }
}

/// A type that is not offered is refused as such.
pub fn a_type_that_is_not_offered_is_unsupported(device: &dyn Device) {
    let backend = device.open();
    let offered = backend.key_types();
    for kind in KeyType::ALL
        .into_iter()
        .filter(|kind| !offered.contains(kind))
    {
        let error = backend
            .create(&durable("host:example.com"), kind)
            .expect_err("the type is not offered");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
}

/// Scopes, profiles and types have keys of their own, and so has each call.
pub fn every_created_key_is_a_new_one(device: &dyn Device) {
    let backend = device.open();
    let mut seen = Vec::new();
    for &kind in backend.key_types() {
        for scope in ["host:a.example", "host:b.example", "host:b.example"] {
            let (stored, _) = create(&*backend, &durable(scope), kind);
            assert!(
                !seen.contains(stored.public_key()),
                "a {kind} key came twice"
            );
            seen.push(stored.public_key().clone());
        }
    }
}
