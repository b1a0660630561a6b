//! The suite of every backend, on tpm2-pkcs11 over a swtpm: another module, with other habits.

mod support;

use tokenbinding_backend::{
    Backend, ErrorKind, KeyId, KeyType, Profile, StoredKey, conformance::Device,
};
use tokenbinding_devices::{
    own_process, this_test,
    tpm2_pkcs11::{MODULE, Tpm2Pkcs11},
};

use support::Token;

/// The device, in the child process of a test; in the parent, the end of the test.
macro_rules! device {
    () => {
        match own_process::is_child(this_test!()) {
            true => Token(MODULE),
            false => {
                let device = Tpm2Pkcs11::start(&[support::LABEL, support::OTHER]);
                return own_process::run(this_test!(), &device.environment());
            }
        }
    };
}

// All checks but those of ephemeral keys and of several deletions, which follow.
tokenbinding_backend::conformance_tests! { device!() =>
    the_info_says_what_the_device_is
    the_device_is_the_same_when_opened_again
    another_device_has_another_id
    a_created_key_signs
    a_signature_is_good_for_its_data_only
    a_type_that_is_not_offered_is_unsupported
    every_created_key_is_a_new_one
    a_stored_key_opens_again
    a_stored_key_opens_in_another_process
    a_stored_key_is_of_no_use_on_another_device
    a_damaged_stored_key_never_opens_as_another_key
    a_token_finds_its_keys
    a_deleted_key_is_not_found
    deleting_twice_is_no_error
    no_secret_is_shown
    threads_share_one_key
    threads_make_keys_at_once
}

/// The module makes no session objects.
#[test]
fn an_ephemeral_key_is_unsupported() {
    let backend = device!().open();
    for &kind in &backend.info().key_types {
        let id = KeyId::new(Profile::Ephemeral, "host:example.com");
        let error = backend.create(&id, kind).expect_err("no session objects");
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    }
}

/// Its list of mechanisms has no RSASSA-PSS.
#[test]
fn pss_is_missing_and_the_status_says_why() {
    let _ = device!();
    let backend = support::open(&support::config(MODULE, support::LABEL));
    let kinds = &backend.info().key_types;
    assert_eq!(kinds[..], [KeyType::EcdsaP256, KeyType::Rsa2048Pkcs1_5]);
    let status = backend.status().expect("the token tells its state");
    let pss = status
        .key_types
        .iter()
        .find(|it| it.kind == KeyType::Rsa2048Pss);
    let why = pss
        .and_then(|pss| pss.missing.as_deref())
        .unwrap_or_default();
    assert!(why.contains("CKM_RSA_PKCS_PSS"), "{why:?}");
}

#[test]
fn deleting_one_key_leaves_the_others_of_its_type() {
    let backend = device!().open();
    let [loser, winner, other] = keys(&*backend);
    backend.delete(&loser).expect("the key can be deleted");
    for kept in [winner, other] {
        backend.open(&kept).expect("the key is there");
    }
}

/// After a deletion, the module (1.9.0) gives a new object the handle of an older one.
#[test]
fn a_handle_that_is_given_twice_harms_no_key() {
    let backend = device!().open();
    let [loser, winner, other] = keys(&*backend);
    backend.delete(&loser).expect("the key can be deleted");
    let id = KeyId::new(Profile::default(), "host:c.example");
    let error = backend.create(&id, KeyType::EcdsaP256);
    let error = error.expect_err("the module mixes up its handles");
    assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
    for kept in [winner, other] {
        let key = backend.open(&kept).expect("the key is there");
        support::assert_signs(&*key, KeyType::EcdsaP256);
    }
}

/// Two keys of one name, and another.
fn keys(backend: &dyn Backend) -> [StoredKey; 3] {
    ["host:a.example", "host:a.example", "host:b.example"].map(|scope| {
        let id = KeyId::new(Profile::default(), scope);
        let (stored, _) = backend.create(&id, KeyType::EcdsaP256).expect("a key");
        stored
    })
}
