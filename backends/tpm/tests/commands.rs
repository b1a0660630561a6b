//! How many TPM commands things cost, counted on the way to swtpm.

mod common;

use common::{P256, assert_signs, config, create, id, open};
use tokenbinding_backend::{Backend as _, KeyType};
use tokenbinding_devices::{command::code, relay::Relay, swtpm::Swtpm};
use tokenbinding_tpm::{P256Keys, TpmBackend, TpmConfig};

fn start() -> (Swtpm, Relay) {
    let swtpm = Swtpm::start();
    let relay = Relay::start(&swtpm);
    (swtpm, relay)
}

#[test]
fn a_key_in_use_signs_with_one_command() {
    let (_swtpm, relay) = start();
    let backend = open(relay.tcti());
    for kind in KeyType::ALL {
        let (_, key) = create(&backend, kind);
        let _ = relay.take_log();
        assert_signs(&*key, kind);
        assert_signs(&*key, kind);
        assert_eq!(relay.take_log(), [code::SIGN; 2], "a {kind} key");
    }
}

#[test]
fn two_keys_in_turn_sign_with_one_command_each() {
    let (_swtpm, relay) = start();
    let backend = open(relay.tcti());
    let (_, one) = create(&backend, P256);
    let (_, other) = create(&backend, P256);
    let _ = relay.take_log();
    for key in [&one, &other, &one, &other] {
        assert_signs(&**key, P256);
    }
    assert_eq!(relay.take_log(), [code::SIGN; 4]);
}

#[test]
fn many_keys_in_turn_sign_with_three_commands_each() {
    let (swtpm, relay) = start();
    let backend = open(relay.tcti());
    let keys: Vec<_> = (0..5).map(|_| create(&backend, P256).1).collect();
    let round = || keys.iter().for_each(|key| assert_signs(&**key, P256));
    round();
    let _ = relay.take_log();
    round();
    let each = [code::FLUSH_CONTEXT, code::CONTEXT_LOAD, code::SIGN];
    assert_eq!(relay.take_log(), each.repeat(keys.len()));
    relay.release();
    assert_eq!(swtpm.loaded_objects(), 2, "one slot stays free");
}

#[test]
fn a_derived_key_signs_in_a_new_process_with_four_commands() {
    let (_swtpm, relay) = start();
    let (stored, _) = create(&open(relay.tcti()), P256);
    let _ = relay.take_log();
    {
        let backend = open(relay.tcti());
        assert_eq!(backend.info().name, "tpm");
        let key = backend.open(&stored).expect("the key opens");
        assert_signs(&*key, P256);
    }
    let cold = [
        code::HASH,
        code::CREATE_PRIMARY,
        code::SIGN,
        code::FLUSH_CONTEXT,
    ];
    assert_eq!(relay.take_log(), cold);
}

#[test]
fn a_wrapped_key_signs_in_a_new_process_with_six_commands() {
    let (_swtpm, relay) = start();
    let config = TpmConfig {
        p256: P256Keys::Wrapped,
        ..config(relay.tcti())
    };
    let (stored, _) = create(&TpmBackend::open(&config).expect("it opens"), P256);
    let _ = relay.take_log();
    {
        let key = open(relay.tcti()).open(&stored).expect("the key opens");
        assert_signs(&*key, P256);
    }
    let cold = [
        code::HASH,
        code::CREATE_PRIMARY,
        code::LOAD,
        code::FLUSH_CONTEXT,
        code::SIGN,
        code::FLUSH_CONTEXT,
    ];
    assert_eq!(relay.take_log(), cold);
}

#[test]
fn opening_a_key_again_costs_nothing_while_it_is_loaded() {
    let (_swtpm, relay) = start();
    let backend = open(relay.tcti());
    let (stored, _key) = create(&backend, P256);
    let _ = relay.take_log();
    assert_signs(&*backend.open(&stored).expect("the key opens"), P256);
    assert_eq!(relay.take_log(), [code::SIGN]);
}

#[test]
fn the_salt_length_is_proven_once() {
    let (_swtpm, relay) = start();
    let backend = open(relay.tcti());
    let _ = relay.take_log();
    assert_eq!(backend.key_types(), KeyType::ALL);
    let proof = [code::LOAD_EXTERNAL, code::SIGN, code::FLUSH_CONTEXT];
    assert_eq!(relay.take_log(), proof);
    assert_eq!(backend.key_types(), KeyType::ALL);
    assert_eq!(relay.take_log(), []);
}

#[test]
fn a_lasting_key_is_made_with_two_commands() {
    let (_swtpm, relay) = start();
    let backend = open(relay.tcti());
    let _ = relay.take_log();
    let (_, _key) = backend.create(&id("a"), P256).expect("a key");
    assert_eq!(relay.take_log(), [code::HASH, code::CREATE_PRIMARY]);
}
