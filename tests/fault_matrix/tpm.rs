//! A simulated TPM behind a relay.

use std::time::Duration;

use tempfile::TempDir;
use tokenbinding::{Config, ProviderChoice, config::P256KeysChoice};
use tokenbinding_devices::{
    command::code,
    relay::{Fault, Relay},
    swtpm::Swtpm,
};

use super::{
    document::{self, Matrix},
    scenario::{Device, Lasts, Seen, first_and_last, rehearse, run},
};

/// A command whose answer is a fault, under the name of its column.
struct Trouble {
    column: &'static str,
    fault: fn() -> Fault,
    /// What an error must tell of it.
    code: &'static str,
    /// Whether the TPM is taken for another when it keeps answering so.
    lies: bool,
}

const fn trouble(column: &'static str, fault: fn() -> Fault, code: &'static str) -> Trouble {
    Trouble {
        column,
        fault,
        code,
        lies: false,
    }
}

/// TPM 2.0 Library, Part 2, §6.6.3.
const TROUBLES: [Trouble; 11] = [
    trouble("TPM_RC_FAILURE", || Fault::Answer(0x101), "TPM_RC_FAILURE"),
    trouble("TPM_RC_RETRY", || Fault::Answer(0x922), "TPM_RC_RETRY"),
    trouble("TPM_RC_LOCKOUT", || Fault::Answer(0x921), "TPM_RC_LOCKOUT"),
    trouble(
        "TPM_RC_OBJECT_MEMORY",
        || Fault::Answer(0x902),
        "TPM_RC_OBJECT_MEMORY",
    ),
    trouble("stale handle", || Fault::Answer(0x18b), "TPM_RC_HANDLE"),
    trouble(
        "stale reference",
        || Fault::Answer(0x910),
        "TPM_RC_REFERENCE_H0",
    ),
    trouble("cut before", || Fault::CutBefore, ""),
    trouble("cut after", || Fault::CutAfter, ""),
    trouble("delay", || Fault::Delay(Duration::from_millis(20)), ""),
    Trouble {
        lies: true,
        ..trouble("wrong bit", || Fault::FlipFromEnd(9), "")
    },
    // tpm2-tss reads on in what it received before.
    Trouble {
        lies: true,
        ..trouble("short answer", || Fault::Short(3), "")
    },
];

fn name(command: u32) -> String {
    let known = match command {
        code::HASH => "TPM2_Hash",
        code::CREATE_PRIMARY => "TPM2_CreatePrimary",
        code::CREATE => "TPM2_Create",
        code::LOAD => "TPM2_Load",
        code::SIGN => "TPM2_Sign",
        code::CONTEXT_LOAD => "TPM2_ContextLoad",
        code::CONTEXT_SAVE => "TPM2_ContextSave",
        code::FLUSH_CONTEXT => "TPM2_FlushContext",
        code::READ_PUBLIC => "TPM2_ReadPublic",
        code::GET_CAPABILITY => "TPM2_GetCapability",
        other => return format!("command {other:#x}"),
    };
    known.to_owned()
}

struct Broken<'a> {
    relay: &'a Relay,
    command: u32,
    skip: usize,
    times: usize,
    fault: Option<Fault>,
}

impl Device for Broken<'_> {
    fn break_down(&self) {
        if let Some(fault) = &self.fault {
            let fault = fault.clone();
            self.relay
                .inject_after(self.command, self.skip, self.times, fault);
        }
    }

    fn repair(&self) {
        self.relay.forget_faults();
    }

    fn has_broken(&self) -> bool {
        self.fault.is_some() && self.relay.faults_left() < self.times
    }

    fn keys(&self) -> Option<usize> {
        None
    }
}

fn matrix(p256: P256KeysChoice) -> Matrix {
    let mut swtpm = Swtpm::start();
    let relay = Relay::start(&swtpm);
    let config = |store: &TempDir| {
        let mut config = Config {
            provider: Some(ProviderChoice::Tpm),
            store: Some(store.path().join("store")),
            ..Config::default()
        };
        config.tpm.tcti = Some(relay.tcti());
        config.tpm.p256 = Some(p256);
        config
    };
    let sound = Broken {
        relay: &relay,
        command: 0,
        skip: 0,
        times: 0,
        fault: None,
    };
    let log = rehearse(&config, &sound, || relay.take_log());
    let mut matrix = Matrix::default();
    for (command, skip) in first_and_last(&log) {
        for trouble in &TROUBLES {
            // Where nothing can be flushed any more, no slot gets free: no step can do without.
            let lasting = command != code::FLUSH_CONTEXT;
            for lasts in Lasts::at(skip)
                .iter()
                .filter(|lasts| lasting || **lasts == Lasts::Once)
            {
                let times = if *lasts == Lasts::Once { 1 } else { 10_000 };
                let device = Broken {
                    relay: &relay,
                    command,
                    skip,
                    times,
                    fault: Some((trouble.fault)()),
                };
                println!(
                    "{} {}: {lasts:?}, after {skip}",
                    name(command),
                    trouble.column
                );
                let lies = trouble.lies && *lasts == Lasts::UntilAStepFails;
                let seen = run(&config, &device, trouble.code, lies);
                // How often a call is made depends on what has failed before.
                if seen == Seen::NotMet {
                    assert_ne!(skip, 0, "the fault was not met");
                    continue;
                }
                matrix.add(&name(command), trouble.column, *lasts, seen);
                relay.release();
                assert_eq!(swtpm.loaded_sessions(), 0, "sessions stayed");
                // What the TPM does not flush when it is told to is a resource manager's to flush.
                if command == code::FLUSH_CONTEXT && swtpm.loaded_objects() > 0 {
                    swtpm.restart();
                }
                assert_eq!(swtpm.loaded_objects(), 0, "objects stayed");
            }
        }
    }
    matrix
}

#[test]
fn no_fault_of_a_tpm_loses_or_doubles_a_derived_key() {
    let columns = TROUBLES.map(|trouble| trouble.column);
    let matrix = matrix(P256KeysChoice::Derived);
    document::check_matrix("tpm, derived keys", &matrix, &columns);
}

#[test]
fn no_fault_of_a_tpm_loses_or_doubles_a_wrapped_key() {
    let columns = TROUBLES.map(|trouble| trouble.column);
    let matrix = matrix(P256KeysChoice::Wrapped);
    document::check_matrix("tpm, wrapped keys", &matrix, &columns);
}
