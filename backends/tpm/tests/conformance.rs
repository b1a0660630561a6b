//! The conformance suite on swtpm: on a TPM as delivered, with wrapped keys, and with secrets.

mod common;

use std::sync::Arc;

use common::secret;
use tokenbinding_backend::{Backend, conformance::Device};
use tokenbinding_devices::{command, swtpm::Swtpm};
use tokenbinding_tpm::{P256Keys, TpmBackend, TpmConfig};

const OWNER_AUTH: &str = "the owner's secret";
const KEY_AUTH: &str = "the keys' secret";

/// A TPM and another one, both used in the same way.
struct Tpms {
    one: Swtpm,
    other: Swtpm,
    options: TpmConfig,
}

impl Tpms {
    fn start(options: TpmConfig) -> Self {
        let [one, other] = [(); 2].map(|()| Swtpm::start());
        if options.owner_auth.is_some() {
            for tpm in [&one, &other] {
                tpm.execute(&command::set_owner_auth(OWNER_AUTH.as_bytes()));
            }
        }
        Self {
            one,
            other,
            options,
        }
    }

    fn open(&self, swtpm: &Swtpm) -> Arc<dyn Backend> {
        let config = TpmConfig {
            tcti: Some(swtpm.tcti()),
            ..self.options.clone()
        };
        Arc::new(TpmBackend::open(&config).expect("the TPM opens"))
    }
}

impl Device for Tpms {
    fn open(&self) -> Arc<dyn Backend> {
        self.open(&self.one)
    }

    fn open_other(&self) -> Arc<dyn Backend> {
        self.open(&self.other)
    }

    fn carries_keys(&self) -> bool {
        false
    }

    fn secrets(&self) -> Vec<Vec<u8>> {
        let given = [&self.options.owner_auth, &self.options.key_auth];
        let given = given.into_iter().flatten();
        given.map(|secret| secret.to_vec()).collect()
    }
}

mod as_delivered {
    use super::*;

    tokenbinding_backend::conformance_tests!(Tpms::start(TpmConfig::default()));
}

mod wrapped {
    use super::*;

    tokenbinding_backend::conformance_tests!(Tpms::start(TpmConfig {
        p256: P256Keys::Wrapped,
        ..TpmConfig::default()
    }));
}

mod with_authorization {
    use super::*;

    tokenbinding_backend::conformance_tests!(Tpms::start(TpmConfig {
        owner_auth: secret(OWNER_AUTH),
        key_auth: secret(KEY_AUTH),
        ..TpmConfig::default()
    }));
}
