//! Stored keys, and opening them with a keystore that did not make them.
#![no_main]

use std::sync::LazyLock;

use tokenbinding_backend::{Backend as _, StoredKey};
use tokenbinding_software::SoftwareBackend;

static KEYSTORE: LazyLock<SoftwareBackend> =
    LazyLock::new(|| SoftwareBackend::ephemeral().unwrap());

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(stored) = StoredKey::decode(bytes) else {
        return;
    };
    assert_eq!(stored.encode(), bytes);
    assert!(KEYSTORE.open(&stored).is_err());
});
