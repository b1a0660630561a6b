//! What a TPM and the way to it go through, and what becomes of the keys.

mod common;

use std::time::Duration;

use common::{P256, assert_signs, config, create, data, failed, id, open, sign};
use tokenbinding_backend::{Backend as _, ErrorKind, KeyId, KeyType, Profile};
use tokenbinding_devices::{
    command::{self, code},
    relay::{Fault, Relay},
    swtpm::Swtpm,
};
use tokenbinding_tpm::{PssSupport, TpmBackend};

/// Bytes of the authorization area at the end of a response: no nonce, attributes, no HMAC.
const PASSWORD_SESSION_LEN: usize = 5;

fn start() -> (Swtpm, Relay) {
    let swtpm = Swtpm::start();
    let relay = Relay::start(&swtpm);
    (swtpm, relay)
}

/// A reset without anybody being disconnected, as after hibernation.
fn reset(swtpm: &Swtpm, relay: &Relay) {
    relay.release();
    swtpm.power_cycle();
    relay.execute(&command::startup_clear());
}

#[test]
fn a_stored_key_and_the_device_id_survive_a_restart() {
    let mut swtpm = Swtpm::start();
    let backend = open(swtpm.tcti());
    let keys = KeyType::ALL.map(|kind| create(&backend, kind).0);
    let device = backend.info().device.clone();
    drop(backend);
    swtpm.restart();
    let backend = open(swtpm.tcti());
    assert_eq!(backend.info().device, device);
    for stored in keys {
        let key = backend.open(&stored).expect("the key opens");
        assert_signs(&*key, stored.kind());
    }
}

#[test]
fn open_keys_survive_a_reset() {
    let (swtpm, relay) = start();
    let backend = open(relay.tcti());
    // More than stay loaded, so that some have to come back from a saved context.
    let keys = [P256; 3].map(|kind| create(&backend, kind).1);
    let rsa = create(&backend, KeyType::Rsa2048Pkcs1_5).1;
    reset(&swtpm, &relay);
    for key in keys {
        assert_signs(&*key, P256);
    }
    assert_signs(&*rsa, KeyType::Rsa2048Pkcs1_5);
}

#[test]
fn a_handle_that_another_key_got_after_a_reset_is_not_signed_with() {
    let (swtpm, relay) = start();
    let backend = open(relay.tcti());
    let (_, old) = create(&backend, P256);
    reset(&swtpm, &relay);
    // The TPM gives out its handles from the start again.
    let (_, new) = create(&backend, P256);
    for key in [&old, &new, &old] {
        assert_signs(&**key, P256);
    }
}

#[test]
fn a_context_that_was_saved_of_another_key_is_not_signed_with() {
    let (swtpm, relay) = start();
    let backend = open(relay.tcti());
    let (_, old) = create(&backend, P256);
    reset(&swtpm, &relay);
    // The third key makes the first go, whose handle is the second's by now.
    let (_, new) = create(&backend, P256);
    let (_, newer) = create(&backend, P256);
    for key in [&old, &new, &newer, &old] {
        assert_signs(&**key, P256);
    }
}

#[test]
fn keys_are_made_after_a_reset() {
    let (swtpm, relay) = start();
    let backend = open(relay.tcti());
    let _held = [P256; 3].map(|kind| create(&backend, kind).1);
    reset(&swtpm, &relay);
    for kind in KeyType::ALL {
        assert_signs(&*create(&backend, kind).1, kind);
    }
}

#[test]
fn open_keys_survive_a_restart() {
    let mut swtpm = Swtpm::start();
    let backend = open(swtpm.tcti());
    let (_, key) = create(&backend, P256);
    swtpm.restart();
    assert_signs(&*key, P256);
}

#[test]
fn an_ephemeral_key_is_lost_by_a_reset() {
    let (swtpm, relay) = start();
    let backend = open(relay.tcti());
    let id = KeyId::new(Profile::Ephemeral, "host:example.com");
    let (_, key) = backend.create(&id, P256).expect("the TPM makes a key");
    reset(&swtpm, &relay);
    assert_eq!(failed(key.sign(&data(P256))).0, ErrorKind::KeyLost);
}

#[test]
fn a_cleared_tpm_has_another_id_and_has_lost_the_keys() {
    let swtpm = Swtpm::start();
    let backend = open(swtpm.tcti());
    let keys = KeyType::ALL.map(|kind| create(&backend, kind).0);
    let device = backend.info().device.clone();
    drop(backend);
    swtpm.execute(&command::clear());
    let backend = open(swtpm.tcti());
    assert_ne!(backend.info().device, device);
    for stored in keys {
        assert_eq!(failed(backend.open(&stored)).0, ErrorKind::KeyLost);
    }
}

#[test]
fn a_tpm_that_is_cleared_while_open_says_so() {
    let (_swtpm, relay) = start();
    let backend = open(relay.tcti());
    let (_, key) = create(&backend, P256);
    relay.execute(&command::clear());
    assert_eq!(failed(sign(&*key, P256)).0, ErrorKind::KeyLost);
    let (kind, text) = failed(backend.create(&id("b"), P256));
    assert_eq!(kind, ErrorKind::KeyLost);
    assert!(text.contains("cleared or replaced"), "{text}");
}

#[test]
fn a_simulator_that_is_not_started_is_named() {
    let mut swtpm = Swtpm::start();
    swtpm.kill();
    let (kind, text) = failed(TpmBackend::open(&config(swtpm.tcti())));
    assert_eq!(kind, ErrorKind::Unavailable);
    assert!(text.contains(&swtpm.port().to_string()), "{text}");
}

#[test]
fn what_is_no_tpm_is_named_with_what_to_look_at() {
    let node = tempfile::NamedTempFile::new().expect("a file");
    let tcti = format!("device:{}", node.path().display());
    let (kind, text) = failed(TpmBackend::open(&config(tcti.clone())));
    assert_eq!(kind, ErrorKind::Unavailable);
    assert!(text.contains(&tcti), "{text}");
    assert!(text.contains("name another with the TCTI"), "{text}");
}

#[test]
fn a_tpm_that_went_away_is_unavailable_until_it_is_back() {
    let mut swtpm = Swtpm::start();
    let backend = open(swtpm.tcti());
    let (_, key) = create(&backend, P256);
    swtpm.kill();
    assert_eq!(failed(sign(&*key, P256)).0, ErrorKind::Unavailable);
    assert_eq!(failed(sign(&*key, P256)).0, ErrorKind::Unavailable);
    swtpm.restart();
    assert_signs(&*key, P256);
}

#[test]
fn what_the_tpm_wants_repeated_is_repeated() {
    const RC_RETRY: u32 = 0x922;
    let (_swtpm, relay) = start();
    let (_, key) = create(&open(relay.tcti()), P256);
    for retries in [3, 20] {
        relay.inject(code::SIGN, retries, Fault::Answer(RC_RETRY));
        assert_signs(&*key, P256);
        assert_eq!(relay.faults_left(), 0);
    }
}

#[test]
fn a_cut_before_the_command_is_an_error_and_the_next_call_works() {
    cut(Fault::CutBefore);
}

#[test]
fn a_cut_in_mid_command_is_an_error_and_the_next_call_works() {
    cut(Fault::CutAfter);
}

fn cut(fault: Fault) {
    let (swtpm, relay) = start();
    let backend = open(relay.tcti());
    let (stored, key) = create(&backend, P256);
    relay.inject(code::SIGN, 1, fault.clone());
    assert_eq!(failed(sign(&*key, P256)).0, ErrorKind::Unavailable);
    assert_signs(&*key, P256);
    backend.delete(&stored).expect("the key is forgotten");
    relay.inject(code::CREATE_PRIMARY, 1, fault);
    assert_eq!(failed(backend.open(&stored)).0, ErrorKind::Unavailable);
    assert_signs(&*backend.open(&stored).expect("the key opens"), P256);
    drop((backend, key));
    relay.release();
    assert!(
        swtpm.loaded_objects() <= 1,
        "only what the TPM made unasked"
    );
}

#[test]
fn a_cut_while_making_room_is_an_error_and_the_next_call_works() {
    let (_swtpm, relay) = start();
    let backend = open(relay.tcti());
    let keys = [P256; 2].map(|kind| create(&backend, kind).1);
    for code in [code::CONTEXT_SAVE, code::FLUSH_CONTEXT] {
        relay.inject(code, 1, Fault::CutAfter);
        let (kind, text) = failed(backend.create(&id("a"), P256));
        assert_eq!(kind, ErrorKind::Unavailable, "{text}");
        for key in &keys {
            assert_signs(&**key, P256);
        }
    }
}

#[test]
fn a_slow_answer_is_waited_for() {
    let (_swtpm, relay) = start();
    let (_, key) = create(&open(relay.tcti()), P256);
    relay.inject(code::SIGN, 1, Fault::Delay(Duration::from_millis(300)));
    assert_signs(&*key, P256);
    assert_eq!(relay.faults_left(), 0);
}

#[test]
fn a_key_that_comes_back_wrong_is_not_used() {
    let (_swtpm, relay) = start();
    let (stored, _) = create(&open(relay.tcti()), P256);
    // In the Name, the creation data and the public area.
    for at in [3, 200, 210] {
        relay.inject(code::CREATE_PRIMARY, 1, Fault::FlipFromEnd(at));
        let backend = open(relay.tcti());
        let _ = failed(backend.open(&stored));
        assert_signs(&*backend.open(&stored).expect("the next call works"), P256);
    }
}

#[test]
fn rsa2048_pss_is_not_offered_without_proof() {
    let (_swtpm, relay) = start();
    let backend = open(relay.tcti());
    // A signature with another salt does not verify, just as a damaged one.
    relay.inject(code::SIGN, 1, Fault::FlipFromEnd(PASSWORD_SESSION_LEN));
    assert_eq!(backend.key_types(), [P256, KeyType::Rsa2048Pkcs1_5]);
    let (kind, text) = failed(backend.create(&id("a"), KeyType::Rsa2048Pss));
    assert_eq!(kind, ErrorKind::Unsupported);
    assert!(text.contains("32 bytes"), "{text}");
    let status = backend.status().expect("the TPM answers");
    assert_eq!(status.pss, PssSupport::OtherSalt);
}

#[test]
fn an_answer_cut_short_is_an_error_and_the_next_call_works() {
    let (_swtpm, relay) = start();
    let backend = open(relay.tcti());
    let (_, key) = create(&backend, P256);
    relay.inject(code::SIGN, 1, Fault::Answer(0));
    assert!(!failed(sign(&*key, P256)).1.is_empty());
    assert_signs(&*key, P256);
}

#[test]
fn a_tpm_without_free_slots_is_busy_and_says_what_to_do() {
    const RC_OBJECT_MEMORY: u32 = 0x902;
    let (_swtpm, relay) = start();
    let backend = open(relay.tcti());
    relay.inject(code::CREATE_PRIMARY, 2, Fault::Answer(RC_OBJECT_MEMORY));
    let (kind, text) = failed(backend.create(&id("a"), P256));
    assert_eq!(kind, ErrorKind::Busy);
    assert!(text.contains("tpm2_flushcontext -t"), "{text}");
    relay.inject(code::CREATE_PRIMARY, 1, Fault::Answer(RC_OBJECT_MEMORY));
    assert!(backend.create(&id("a"), P256).is_ok());
}

#[test]
fn a_tpm_that_answers_everything_with_lockout_is_told_once() {
    let (_swtpm, relay) = start();
    let backend = open(relay.tcti());
    let (_, key) = create(&backend, P256);
    for command in [code::SIGN, code::GET_CAPABILITY] {
        relay.inject(command, 100, Fault::Answer(0x921));
    }
    let error = key.sign(&data(P256)).expect_err("it is locked");
    assert_eq!(error.kind(), ErrorKind::DeviceLocked { retry_after: None });
    relay.forget_faults();
    assert_signs(&*key, P256);
}

#[test]
fn a_handle_that_stays_stale_is_no_lost_key() {
    let (_swtpm, relay) = start();
    let (stored, _) = create(&open(relay.tcti()), P256);
    let backend = open(relay.tcti());
    // TPM_RC_HANDLE, for the first handle.
    relay.inject(code::CREATE_PRIMARY, 100, Fault::Answer(0x18b));
    let error = backend.open(&stored).expect_err("the TPM does not make it");
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    relay.forget_faults();
    assert_signs(&*backend.open(&stored).expect("the key opens"), P256);
}
