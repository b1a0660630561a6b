//! How many calls an operation makes.

mod support;

use tokenbinding_backend::{Backend as _, KeyType};
use tokenbinding_devices::{own_process, this_test};

use support::{Shimmed, assert_signs, create, id, run_on_crowded_token};

#[test]
fn a_warm_signature_is_two_calls() {
    let token = shimmed!();
    let backend = token.open();
    for kind in KeyType::ALL {
        let (stored, _) = backend.create(&id("host:a.example"), kind).expect("a key");
        let key = backend.open(&stored).expect("the key opens");
        assert_signs(&*key, kind);
        token.shim.forget_calls();
        for _ in 0..3 {
            assert_signs(&*key, kind);
        }
        assert_eq!(
            token.shim.calls(),
            ["C_SignInit", "C_Sign"].repeat(3),
            "{kind}"
        );
    }
}

#[test]
fn ten_thousand_keys_on_the_token_change_nothing() {
    if !own_process::is_child(this_test!()) {
        return run_on_crowded_token(this_test!(), 10_000);
    }
    let token = Shimmed::here();
    let backend = token.open();
    let key = create(&*backend, "host:a.example");
    assert_signs(&*key, KeyType::EcdsaP256);
    token.shim.forget_calls();
    assert_signs(&*key, KeyType::EcdsaP256);
    assert_eq!(token.shim.calls(), ["C_SignInit", "C_Sign"]);
}

#[test]
fn two_keys_in_turn_are_both_warm() {
    let token = shimmed!();
    let backend = token.open();
    let keys = ["host:a.example", "host:b.example"].map(|scope| create(&*backend, scope));
    token.shim.forget_calls();
    for key in keys.iter().cycle().take(6) {
        assert_signs(&**key, KeyType::EcdsaP256);
    }
    assert_eq!(token.shim.calls(), ["C_SignInit", "C_Sign"].repeat(6));
}

#[test]
fn the_info_and_the_status_need_no_login() {
    let token = shimmed!();
    let backend = token.open();
    assert_eq!(backend.info().name, "pkcs11");
    let status = backend.status().expect("the token tells its state");
    assert_eq!(status.token.label, support::LABEL);
    assert!(status.token.flags.user_pin_initialized());
    assert_eq!(token.shim.count("C_Login"), 0);
}

#[test]
fn a_login_is_made_once() {
    let token = shimmed!();
    let backend = token.open();
    for number in 0..4 {
        let key = create(&*backend, &format!("host:{number}.example"));
        assert_signs(&*key, KeyType::EcdsaP256);
    }
    assert_eq!(token.shim.count("C_Login"), 1);
}

#[test]
fn a_second_backend_uses_the_login_that_is_there() {
    let token = shimmed!();
    let first = token.open();
    create(&*first, "host:a.example");
    let second = token.open();
    create(&*second, "host:b.example");
    assert_eq!(token.shim.count("C_Login"), 1);
}

#[test]
fn a_dropped_backend_closes_its_sessions_and_never_finalises() {
    let token = shimmed!();
    let backend = token.open();
    create(&*backend, "host:a.example");
    drop(backend);
    let count = |function| token.shim.count(function);
    assert_eq!(count("C_OpenSession"), count("C_CloseSession"));
    assert_eq!(count("C_Finalize"), 0);
}
