//! The generator on a simulated TPM, counted on the way to it.

#![cfg(feature = "tpm")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::thread;

use tempfile::TempDir;
use tokenbinding::{
    Binder, Config, Ekm, Error, KeyType, ProviderChoice, TokenBindingType, Verifier,
};
use tokenbinding_devices::{
    command::{self, code},
    relay::{Fault, Relay},
    swtpm::Swtpm,
};

const KIND: KeyType = KeyType::EcdsaP256;

fn open(store: &TempDir, tcti: String) -> Binder {
    let mut config = Config {
        provider: Some(ProviderChoice::Tpm),
        store: Some(store.path().join("store")),
        ..Config::default()
    };
    config.tpm.tcti = Some(tcti);
    Binder::open(&config).unwrap()
}

/// Signs for `target`; what comes out verifies.
fn bind(binder: &Binder, target: &str) -> Result<(), Error> {
    let ekm = Ekm::new([7; 32]);
    let binding = binder.generate_binding(target, KIND, TokenBindingType::Provided, &ekm)?;
    let message = Binder::generate_message(&[binding])?;
    Verifier::new(KIND).verify(&message, &ekm).unwrap();
    Ok(())
}

/// A binder, the TPM behind it, and the relay in between.
struct Bench {
    binder: Binder,
    relay: Relay,
    swtpm: Swtpm,
    _store: TempDir,
}

impl Bench {
    fn new() -> Self {
        let swtpm = Swtpm::start();
        let relay = Relay::start(&swtpm);
        let store = tempfile::tempdir().unwrap();
        Self {
            binder: open(&store, relay.tcti()),
            relay,
            swtpm,
            _store: store,
        }
    }

    fn bind(&self, target: &str) -> Result<(), Error> {
        bind(&self.binder, target)
    }
}

#[test]
fn a_warm_binding_is_one_tpm_command() {
    let bench = Bench::new();
    bench.bind("a.example").unwrap();
    let _ = bench.relay.take_log();
    bench.bind("a.example").unwrap();
    assert_eq!(bench.relay.take_log(), [code::SIGN]);
}

#[test]
fn targets_in_turn_are_at_most_three_tpm_commands_each() {
    let bench = Bench::new();
    let targets = ["a.example", "b.example", "c.example", "d.example"];
    let commands_of_a_round = || {
        for target in targets {
            bench.bind(target).unwrap();
        }
        bench.relay.take_log().len()
    };
    // The keys are made in the first round and their contexts saved in the second.
    commands_of_a_round();
    commands_of_a_round();
    assert!(commands_of_a_round() <= 3 * targets.len());
}

#[test]
fn a_flipped_bit_in_a_signature_is_never_handed_out() {
    let bench = Bench::new();
    bench.bind("a.example").unwrap();
    bench.relay.inject(code::SIGN, 1, Fault::FlipFromEnd(9));
    let error = bench.bind("a.example").unwrap_err();
    assert!(
        matches!(error, Error::BadDeviceSignature { backend: "tpm" }),
        "{error}"
    );
    bench.bind("a.example").unwrap();
}

#[test]
fn a_tpm_that_is_cleared_while_it_is_in_use_gets_new_keys() {
    let bench = Bench::new();
    let id = || bench.binder.id("a.example", KIND).unwrap();
    let old = id().id;
    bench.relay.execute(&command::clear());
    bench.bind("a.example").unwrap();
    let new = id();
    assert!(new.id != old && !new.created);
    bench.bind("b.example").unwrap();
}

#[test]
fn threads_share_a_tpm_of_three_slots_and_leave_it_empty() {
    let bench = Bench::new();
    thread::scope(|scope| {
        for thread in 0..4 {
            let bench = &bench;
            scope.spawn(move || {
                for round in 0..40 {
                    bench
                        .bind(&format!("t{}.example", (thread + round) % 20))
                        .unwrap();
                }
            });
        }
    });
    drop(bench.binder);
    bench.relay.release();
    assert_eq!(bench.swtpm.loaded_objects(), 0);
}

#[test]
fn ten_thousand_bindings_over_500_targets_leave_a_tpm_of_three_slots_empty() {
    let (swtpm, store) = (Swtpm::start(), tempfile::tempdir().unwrap());
    let binder = open(&store, swtpm.tcti());
    for round in 0..10_000 {
        bind(&binder, &format!("t{}.example", round * 7 % 500)).unwrap();
    }
    drop(binder);
    assert_eq!(swtpm.loaded_objects(), 0);
}
