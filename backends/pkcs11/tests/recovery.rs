//! Tokens that come and go, and what becomes of the calls meanwhile. No fault loses a key.

mod support;

use cryptoki_sys::*;
use tokenbinding_backend::{Backend as _, ErrorKind, KeyId, KeyType, Profile};

use support::{assert_signs, create, id, kind_of};

const EC: KeyType = KeyType::EcdsaP256;

/// What a call may answer when something was lost that can be found again.
const LOST: [CK_RV; 9] = [
    CKR_SESSION_HANDLE_INVALID,
    CKR_SESSION_CLOSED,
    CKR_DEVICE_REMOVED,
    CKR_DEVICE_ERROR,
    CKR_TOKEN_NOT_PRESENT,
    CKR_USER_NOT_LOGGED_IN,
    CKR_OBJECT_HANDLE_INVALID,
    CKR_KEY_HANDLE_INVALID,
    CKR_CRYPTOKI_NOT_INITIALIZED,
];

#[test]
fn a_signature_recovers_from_each_fault_with_one_login() {
    let token = shimmed!();
    let backend = token.open();
    let key = create(&*backend, "host:a.example");
    for function in ["C_SignInit", "C_Sign"] {
        for rv in LOST {
            token.shim.fail(function, 0, 1, rv);
            assert_signs(&*key, EC);
            assert!(token.shim.has_failed(function), "{function} {rv:#x}");
        }
    }
    assert_eq!(token.shim.count("C_Login"), 1);
}

#[test]
fn every_operation_recovers_wherever_the_session_is_lost() {
    let token = shimmed!();
    let backend = token.open();
    let (stored, _) = backend.create(&id("host:a.example"), EC).expect("a key");
    let lose = |function| token.shim.fail(function, 0, 1, CKR_SESSION_HANDLE_INVALID);
    for function in ["C_FindObjectsInit", "C_FindObjects", "C_GetAttributeValue"] {
        lose(function);
        let found = backend
            .find(&id("host:a.example"), EC)
            .expect("it recovers");
        assert_eq!(found.as_ref(), Some(&stored), "after {function}");
        lose(function);
        backend.open(&stored).expect("it recovers");
    }
    lose("C_GenerateKeyPair");
    let (other, _) = backend
        .create(&id("host:b.example"), EC)
        .expect("it recovers");
    lose("C_DestroyObject");
    backend.delete(&other).expect("it recovers");
    assert_eq!(
        backend.find(&id("host:b.example"), EC).expect("asked"),
        None
    );
    assert_eq!(token.shim.count("C_Login"), 1);
}

#[test]
fn a_removed_token_is_told_and_a_reinserted_one_goes_on() {
    let token = shimmed!();
    let backend = token.open();
    let (stored, key) = backend.create(&id("host:a.example"), EC).expect("a key");
    token.shim.remove_token();
    let removed = Some(ErrorKind::DeviceRemoved);
    assert_eq!(kind_of(key.sign(&support::data(EC, 1))), removed);
    assert_eq!(kind_of(backend.find(&id("host:a.example"), EC)), removed);
    assert_eq!(kind_of(backend.open(&stored)), removed);
    assert_eq!(kind_of(backend.create(&id("host:b.example"), EC)), removed);
    assert_eq!(kind_of(backend.delete(&stored)), removed);
    assert_eq!(kind_of(backend.status()), removed);
    token.shim.insert_token();
    assert_signs(&*key, EC);
    assert_eq!(token.shim.count("C_Login"), 2, "one for each insertion");
}

#[test]
fn a_token_that_was_out_between_two_signatures_is_not_noticed() {
    let token = shimmed!();
    let backend = token.open();
    let key = create(&*backend, "host:a.example");
    token.shim.remove_token();
    token.shim.insert_token();
    assert_signs(&*key, EC);
}

#[test]
fn a_fault_that_stays_is_told_and_loses_no_key() {
    let token = shimmed!();
    let backend = token.open();
    let key = create(&*backend, "host:a.example");
    let expected = [
        (CKR_SESSION_HANDLE_INVALID, ErrorKind::DeviceRemoved),
        (CKR_DEVICE_ERROR, ErrorKind::Unavailable),
        (CKR_KEY_HANDLE_INVALID, ErrorKind::Internal),
        (CKR_GENERAL_ERROR, ErrorKind::Internal),
        (CKR_USER_NOT_LOGGED_IN, ErrorKind::PinRequired),
        (CKR_FUNCTION_CANCELED, ErrorKind::Denied),
    ];
    for (rv, kind) in expected {
        token.shim.fail("C_Sign", 0, 2, rv);
        let error = key
            .sign(&support::data(EC, 1))
            .expect_err("the fault stays");
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(&format!("({rv:#x})")), "{error}");
        token.shim.clear("fail.C_Sign");
        assert_signs(&*key, EC);
    }
}

#[test]
fn other_code_that_logs_out_makes_no_key_look_lost() {
    let token = shimmed!();
    let backend = token.open();
    let (stored, key) = backend.create(&id("host:a.example"), EC).expect("a key");
    let log_out = || {
        let module = cryptoki::context::Pkcs11::new(tokenbinding_pkcs11_shim::Shim::library());
        let module = module.expect("the module is loaded");
        let slots = module.get_slots_with_initialized_token().expect("slots");
        for slot in slots {
            let session = module.open_ro_session(slot).expect("a session");
            let _ = session.logout();
        }
    };
    log_out();
    let found = backend
        .find(&id("host:a.example"), EC)
        .expect("it recovers");
    assert_eq!(found.as_ref(), Some(&stored));
    log_out();
    backend.open(&stored).expect("it recovers");
    log_out();
    assert_signs(&*key, EC);
}

#[test]
fn other_code_that_finalises_the_module_is_survived() {
    let token = shimmed!();
    let backend = token.open();
    let (stored, key) = backend.create(&id("host:a.example"), EC).expect("a key");
    let finalise = || {
        let module = cryptoki::context::Pkcs11::new(tokenbinding_pkcs11_shim::Shim::library());
        let finalised = module.expect("the module is loaded").finalize();
        finalised.expect("the module is finalised");
    };
    finalise();
    assert_signs(&*key, EC);
    finalise();
    backend.open(&stored).expect("it recovers");
    finalise();
    backend.status().expect("it recovers");
}

#[test]
fn a_module_that_other_code_has_initialised_is_used() {
    use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
    let token = shimmed!();
    let module = Pkcs11::new(tokenbinding_pkcs11_shim::Shim::library()).expect("it loads");
    let locking = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    module.initialize(locking).expect("it is initialised");
    let backend = token.open();
    assert_signs(&*create(&*backend, "host:a.example"), EC);
    drop(backend);
    assert!(module.get_library_info().is_ok(), "it is initialised still");
}

#[test]
fn a_module_that_cannot_lock_is_called_by_one_thread_at_a_time() {
    let token = shimmed!();
    token.shim.fail("C_Initialize", 0, 1, CKR_CANT_LOCK);
    let backend = token.open();
    let key = create(&*backend, "host:a.example");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_signs(&*key, EC));
        }
    });
    assert_eq!(token.shim.count("C_Initialize"), 2);
}

#[test]
fn a_token_with_few_sessions_serves_many_threads() {
    let token = shimmed!();
    let backend = token.open();
    let key = create(&*backend, "host:a.example");
    // One session is open by now, and there are no more.
    token.shim.fail("C_OpenSession", 0, 1000, CKR_SESSION_COUNT);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..20).for_each(|_| assert_signs(&*key, EC)));
        }
    });
}

#[test]
fn a_module_that_has_lost_its_token_is_started_again() {
    let token = shimmed!();
    let backend = token.open();
    token.shim.fail("C_GetTokenInfo", 0, 2, CKR_GENERAL_ERROR);
    assert_signs(&*create(&*backend, "host:a.example"), EC);
    assert!(token.shim.count("C_Finalize") > 0);
}

#[test]
fn a_module_that_other_code_has_initialised_is_not_started_again() {
    use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
    let token = shimmed!();
    let module = Pkcs11::new(tokenbinding_pkcs11_shim::Shim::library()).expect("it loads");
    let locking = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
    module.initialize(locking).expect("it is initialised");
    let backend = token.open();
    token.shim.fail("C_GetTokenInfo", 0, 1, CKR_GENERAL_ERROR);
    let result = backend.create(&id("host:a.example"), EC);
    assert_eq!(kind_of(result), Some(ErrorKind::Internal));
    assert_eq!(token.shim.count("C_Finalize"), 0);
}

#[test]
fn a_module_with_ephemeral_keys_is_not_started_again() {
    let token = shimmed!();
    let backend = token.open();
    let ephemeral = KeyId::new(Profile::Ephemeral, "host:a.example");
    let (_, key) = backend.create(&ephemeral, EC).expect("a key");
    let (stored, _) = backend.create(&id("host:a.example"), EC).expect("a key");
    backend.delete(&stored).expect("it is deleted");
    assert_eq!(kind_of(backend.open(&stored)), Some(ErrorKind::KeyLost));
    assert_eq!(token.shim.count("C_Finalize"), 0);
    assert_signs(&*key, EC);
}

#[test]
fn threads_go_on_while_the_module_is_started_again() {
    let token = shimmed!();
    let backend = token.open();
    let key = create(&*backend, "host:a.example");
    let (gone, _) = backend.create(&id("host:b.example"), EC).expect("a key");
    backend.delete(&gone).expect("it is deleted");
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| (0..100).for_each(|_| assert_signs(&*key, EC)));
        }
        for _ in 0..3 {
            assert_eq!(kind_of(backend.open(&gone)), Some(ErrorKind::KeyLost));
        }
    });
    assert!(token.shim.count("C_Finalize") > 0);
}

#[test]
fn a_lost_handle_does_not_cost_the_login() {
    let token = shimmed!();
    let backend = token.open();
    let key = create(&*backend, "host:a.example");
    for _ in 0..3 {
        token.shim.fail("C_Sign", 0, 1, CKR_KEY_HANDLE_INVALID);
        assert_signs(&*key, EC);
    }
    assert_eq!(token.shim.count("C_Login"), 1);
}

#[test]
fn a_key_that_is_lost_takes_no_session_along() {
    let token = shimmed!();
    let backend = token.open();
    let ephemeral = KeyId::new(Profile::Ephemeral, "host:a.example");
    let (_, _key) = backend.create(&ephemeral, EC).expect("a key");
    let (gone, _) = backend.create(&id("host:a.example"), EC).expect("a key");
    backend.delete(&gone).expect("it is deleted");
    for _ in 0..4 {
        assert_eq!(kind_of(backend.open(&gone)), Some(ErrorKind::KeyLost));
    }
    let (opened, closed) = (
        token.shim.count("C_OpenSession"),
        token.shim.count("C_CloseSession"),
    );
    assert!(opened - closed <= 2, "{opened} opened, {closed} closed");
}

#[test]
fn a_pair_whose_making_was_not_answered_is_found_and_not_made_twice() {
    let token = shimmed!();
    let backend = token.open();
    for (scope, rv) in [
        ("host:a.example", CKR_DEVICE_ERROR),
        ("host:b.example", CKR_GENERAL_ERROR),
    ] {
        token.shim.lose_answer("C_GenerateKeyPair", 0, 1, rv);
        let (stored, key) = backend.create(&id(scope), EC).expect("it recovers");
        assert_signs(&*key, EC);
        backend.delete(&stored).expect("the pair is destroyed");
        let left = backend.find(&id(scope), EC).expect("asked");
        assert_eq!(left, None, "a second pair was made after {rv:#x}");
    }
}
