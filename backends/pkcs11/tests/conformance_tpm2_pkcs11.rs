//! The suite of every backend, on tpm2-pkcs11 over a swtpm: another module, with other habits.

mod support;

use std::sync::Arc;

use tokenbinding_backend::{Backend, conformance::Device};
use tokenbinding_devices::{
    own_process,
    tpm2_pkcs11::{self, MODULE, Tpm2Pkcs11},
    this_test,
};

struct Token;

impl Device for Token {
    fn open(&self) -> Arc<dyn Backend> {
        support::open(&support::config(MODULE, support::LABEL))
    }

    fn open_other(&self) -> Arc<dyn Backend> {
        support::open(&support::config(MODULE, support::OTHER))
    }

    fn carries_keys(&self) -> bool {
        true
    }

    fn secrets(&self) -> Vec<Vec<u8>> {
        vec![tpm2_pkcs11::PIN.into()]
    }
}

tokenbinding_backend::conformance_tests!(match own_process::is_child(this_test!()) {
    true => Token,
    false => {
        let device = Tpm2Pkcs11::start(&[support::LABEL, support::OTHER]);
        return own_process::run(this_test!(), &device.environment());
    }
});
