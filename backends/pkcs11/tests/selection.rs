//! Which token a URI means.

mod support;

use std::sync::Arc;

use tokenbinding_backend::{Backend as _, ErrorKind};
use tokenbinding_pkcs11::{Nobody, Pkcs11Backend, Pkcs11Config};
use tokenbinding_pkcs11_shim::Shim;

fn open(uri: &str) -> Result<Pkcs11Backend, tokenbinding_backend::Error> {
    let config = Pkcs11Config {
        uri: uri.parse().expect("a good URI"),
        ..Pkcs11Config::default()
    };
    Pkcs11Backend::open(&config, Arc::new(Nobody))
}

/// The error of a URI that means no one token.
fn unavailable(uri: &str) -> String {
    let error = open(uri).expect_err("no token is meant");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    error.to_string()
}

#[test]
fn a_token_is_chosen_by_any_of_its_marks() {
    let _ = shimmed!();
    let module = Shim::library();
    let backend = open(&format!("pkcs11:token=first?module-path={module}")).expect("it opens");
    let device = backend.info().device.clone();
    let token = backend.status().expect("its state").token;
    for selector in [
        format!("serial={}", token.serial),
        format!("slot-id={}", token.slot),
        format!("token=first;model=SoftHSM%20v2;serial={}", token.serial),
        "token=first;object=ignored;type=private;id=%01".to_owned(),
    ] {
        let backend = open(&format!("pkcs11:{selector}?module-path={module}"));
        assert_eq!(
            backend.expect("it opens").info().device,
            device,
            "{selector}"
        );
    }
}

#[test]
fn a_choice_that_is_not_clear_names_the_tokens() {
    let _ = shimmed!();
    let text = unavailable(&format!("pkcs11:?module-path={}", Shim::library()));
    assert!(
        text.contains("token=first") && text.contains("token=second"),
        "{text}"
    );
}

#[test]
fn a_token_that_is_not_there_is_told_with_those_that_are() {
    let _ = shimmed!();
    let text = unavailable(&format!(
        "pkcs11:token=third?module-path={}",
        Shim::library()
    ));
    assert!(
        text.contains("token=third") && text.contains("token=second"),
        "{text}"
    );
}

#[test]
fn a_module_that_is_none_is_told() {
    for uri in [
        "pkcs11:token=first",
        "pkcs11:?module-path=/nonexistent.so",
        "pkcs11:?module-path=/etc/passwd",
        "pkcs11:?module-path=relative.so",
        "pkcs11:?module-path=/usr/lib/x86_64-linux-gnu/libc.so.6",
        "pkcs11:?module-name=no-such-module",
    ] {
        unavailable(uri);
    }
}

#[test]
fn a_module_is_found_by_its_name() {
    let _ = shimmed!();
    open("pkcs11:token=first?module-name=libsofthsm2").expect("it opens");
}

#[test]
fn the_keys_of_a_token_are_listed_by_label() {
    let token = shimmed!();
    let backend = token.open();
    support::create(&*backend, "host:b.example");
    support::create(&*backend, "host:a.example");
    let listed = backend.list().expect("the token can be asked");
    let labels: Vec<_> = listed.iter().map(|key| key.label.as_str()).collect();
    let expected = ["tokenbinding host:a.example", "tokenbinding host:b.example"];
    assert_eq!(labels, expected);
    assert!(listed.iter().all(|key| key.proven && !key.rsa));
}

#[test]
fn a_module_that_does_not_start_is_unavailable() {
    let token = shimmed!();
    let failure = cryptoki_sys::CKR_GENERAL_ERROR;
    token.shim.fail("C_Initialize", 0, 1, failure);
    unavailable(&format!(
        "pkcs11:token=first?module-path={}",
        Shim::library()
    ));
}
