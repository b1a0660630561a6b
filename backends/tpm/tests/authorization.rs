//! TPMs and keys with secrets.

mod common;

use common::{P256, assert_signs, config, create, failed, id, open, secret, sign};
use tokenbinding_backend::{Backend as _, ErrorKind, KeyType};
use tokenbinding_devices::{
    command::{self, code},
    relay::Relay,
    swtpm::Swtpm,
};
use tokenbinding_tpm::{TpmBackend, TpmConfig};

fn start() -> (Swtpm, Relay) {
    let swtpm = Swtpm::start();
    let relay = Relay::start(&swtpm);
    (swtpm, relay)
}

fn with_owner_auth(relay: &Relay, auth: &str) -> TpmBackend {
    let config = TpmConfig {
        owner_auth: secret(auth),
        ..config(relay.tcti())
    };
    TpmBackend::open(&config).expect("the TPM opens")
}

fn with_key_auth(relay: &Relay, auth: &str) -> TpmBackend {
    let config = TpmConfig {
        key_auth: secret(auth),
        ..config(relay.tcti())
    };
    TpmBackend::open(&config).expect("the TPM opens")
}

fn count(log: &[u32], code: u32) -> usize {
    log.iter().filter(|logged| **logged == code).count()
}

#[test]
fn keys_are_made_with_the_owners_authorization() {
    let (_swtpm, relay) = start();
    relay.execute(&command::set_owner_auth(b"owner"));
    for kind in KeyType::ALL {
        let stored = {
            let (stored, key) = create(&with_owner_auth(&relay, "owner"), kind);
            assert_signs(&*key, kind);
            stored
        };
        let backend = with_owner_auth(&relay, "owner");
        assert_signs(&*backend.open(&stored).expect("it opens"), kind);
    }
}

#[test]
fn a_wrong_owner_authorization_is_tried_once() {
    let (_swtpm, relay) = start();
    relay.execute(&command::set_owner_auth(b"owner"));
    let backend = with_owner_auth(&relay, "guessed");
    let _ = relay.take_log();
    for _ in 0..3 {
        let (kind, text) = failed(backend.create(&id("a"), P256));
        assert_eq!(kind, ErrorKind::PinIncorrect);
        assert!(text.contains("owner_auth"), "{text}");
        assert!(!text.contains("guessed"), "{text}");
    }
    assert_eq!(count(&relay.take_log(), code::CREATE_PRIMARY), 1);
}

#[test]
fn an_authorization_that_no_tpm_takes_is_not_sent() {
    let (_swtpm, relay) = start();
    let config = TpmConfig {
        owner_auth: secret(&"x".repeat(65)),
        ..config(relay.tcti())
    };
    let (kind, text) = failed(TpmBackend::open(&config));
    assert_eq!(kind, ErrorKind::PinIncorrect);
    assert!(
        text.contains("owner_auth is longer than 64 bytes"),
        "{text}"
    );
    assert_eq!(relay.take_log(), []);
}

#[test]
fn an_owner_authorization_that_is_not_given_is_asked_for() {
    let (_swtpm, relay) = start();
    let (stored, _) = create(&open(relay.tcti()), P256);
    relay.execute(&command::set_owner_auth(b"owner"));
    let backend = open(relay.tcti());
    for error in [
        failed(backend.create(&id("a"), P256)),
        failed(backend.open(&stored)),
    ] {
        assert_eq!(error.0, ErrorKind::PinRequired);
        assert!(error.1.contains("owner_auth"), "{}", error.1);
    }
}

#[test]
fn a_key_with_an_authorization_signs_with_it_alone() {
    let (_swtpm, relay) = start();
    for kind in KeyType::ALL {
        let stored = {
            let (stored, key) = create(&with_key_auth(&relay, "for the key"), kind);
            assert_signs(&*key, kind);
            stored
        };
        let backend = with_key_auth(&relay, "for the key");
        assert_signs(&*backend.open(&stored).expect("it opens"), kind);
    }
}

#[test]
fn a_key_with_an_authorization_in_use_signs_with_one_command() {
    let (_swtpm, relay) = start();
    let backend = with_key_auth(&relay, "for the key");
    let (_, key) = create(&backend, P256);
    assert_signs(&*key, P256);
    let _ = relay.take_log();
    assert_signs(&*key, P256);
    assert_eq!(relay.take_log(), [code::SIGN]);
}

#[test]
fn a_key_with_an_authorization_survives_a_reset() {
    let (swtpm, relay) = start();
    let backend = with_key_auth(&relay, "for the key");
    let keys = [P256; 3].map(|kind| create(&backend, kind).1);
    for key in &keys {
        assert_signs(&**key, P256);
    }
    relay.release();
    swtpm.power_cycle();
    relay.execute(&command::startup_clear());
    for key in &keys {
        assert_signs(&**key, P256);
    }
}

#[test]
fn a_wrong_key_authorization_is_tried_once() {
    let (_swtpm, relay) = start();
    let (stored, _) = create(&with_key_auth(&relay, "for the key"), P256);
    let backend = with_key_auth(&relay, "guessed");
    let key = backend
        .open(&stored)
        .expect("loading needs no authorization");
    let (kind, text) = failed(sign(&*key, P256));
    assert_eq!(kind, ErrorKind::PinIncorrect);
    assert!(text.contains("TPM_RC_AUTH_FAIL"), "{text}");
    assert!(!text.contains("guessed"), "{text}");
    let _ = relay.take_log();
    assert_eq!(failed(sign(&*key, P256)).0, ErrorKind::PinIncorrect);
    assert_eq!(relay.take_log(), []);
}

#[test]
fn a_key_authorization_that_is_not_given_is_asked_for_without_a_try() {
    let (_swtpm, relay) = start();
    let (stored, _) = create(&with_key_auth(&relay, "for the key"), P256);
    let key = open(relay.tcti()).open(&stored).expect("it opens");
    let _ = relay.take_log();
    assert_eq!(failed(sign(&*key, P256)).0, ErrorKind::PinRequired);
    assert_eq!(count(&relay.take_log(), code::SIGN), 0);
}

#[test]
fn no_authorization_crosses_the_wire() {
    let (_swtpm, relay) = start();
    relay.execute(&command::set_owner_auth(b"the owner's"));
    relay.keep_traffic();
    let config = TpmConfig {
        owner_auth: secret("the owner's"),
        key_auth: secret("for the key"),
        ..config(relay.tcti())
    };
    let backend = TpmBackend::open(&config).expect("the TPM opens");
    let (_, key) = create(&backend, P256);
    assert_signs(&*key, P256);
    let traffic = relay.traffic();
    assert!(!traffic.is_empty());
    for secret in [&b"the owner's"[..], b"for the key"] {
        let seen = traffic.windows(secret.len()).any(|bytes| bytes == secret);
        assert!(!seen, "{:?}", String::from_utf8_lossy(secret));
    }
}

#[test]
fn no_session_stays_behind() {
    let (swtpm, relay) = start();
    relay.execute(&command::set_owner_auth(b"owner"));
    {
        let config = TpmConfig {
            owner_auth: secret("owner"),
            key_auth: secret("for the key"),
            ..config(relay.tcti())
        };
        let backend = TpmBackend::open(&config).expect("the TPM opens");
        assert_signs(&*create(&backend, P256).1, P256);
    }
    relay.release();
    assert_eq!((swtpm.loaded_sessions(), swtpm.loaded_objects()), (0, 0));
}

#[test]
fn keys_without_an_authorization_sign_in_lockout() {
    let (_swtpm, relay) = start();
    relay.execute(&command::lock_out());
    let backend = open(relay.tcti());
    for kind in KeyType::ALL {
        assert_signs(&*create(&backend, kind).1, kind);
    }
}

#[test]
fn a_key_with_an_authorization_is_refused_in_lockout_and_not_retried() {
    let (_swtpm, relay) = start();
    let backend = with_key_auth(&relay, "for the key");
    let (_, key) = create(&backend, P256);
    relay.execute(&command::lock_out());
    let _ = relay.take_log();
    let (kind, text) = failed(sign(&*key, P256));
    assert!(
        matches!(kind, ErrorKind::DeviceLocked { retry_after: Some(wait) } if wait.as_secs() == 1000),
        "{kind:?}"
    );
    assert!(text.contains("TPM_RC_LOCKOUT (0x921)"), "{text}");
    assert!(text.contains("tpm2_dictionarylockout -c"), "{text}");
    assert_eq!(count(&relay.take_log(), code::SIGN), 1);
    assert!(backend.status().expect("it answers").lockout.active);
}
