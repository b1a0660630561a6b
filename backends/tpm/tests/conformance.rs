//! The conformance suite on swtpm.

use std::sync::Arc;

use tokenbinding_backend::{Backend, conformance::Device};
use tokenbinding_devices::swtpm::Swtpm;
use tokenbinding_tpm::{TpmBackend, TpmConfig};

/// A TPM and another one.
struct Tpms {
    one: Swtpm,
    other: Swtpm,
}

impl Tpms {
    fn start() -> Self {
        Self {
            one: Swtpm::start(),
            other: Swtpm::start(),
        }
    }
}

fn open(swtpm: &Swtpm) -> Arc<dyn Backend> {
    let config = TpmConfig {
        tcti: Some(swtpm.tcti()),
        ..TpmConfig::default()
    };
    Arc::new(TpmBackend::open(&config).expect("the TPM opens"))
}

impl Device for Tpms {
    fn open(&self) -> Arc<dyn Backend> {
        open(&self.one)
    }

    fn open_other(&self) -> Arc<dyn Backend> {
        open(&self.other)
    }

    fn carries_keys(&self) -> bool {
        false
    }
}

tokenbinding_backend::conformance_tests!(Tpms::start());
