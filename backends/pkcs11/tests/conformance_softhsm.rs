//! The suite of every backend, on SoftHSM.

mod support;

use std::sync::Arc;

use tokenbinding_backend::{Backend, conformance::Device};
use tokenbinding_devices::{
    own_process,
    softhsm::{self, MODULE, SoftHsm},
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
        vec![softhsm::PIN.into()]
    }
}

tokenbinding_backend::conformance_tests!(match own_process::is_child(this_test!()) {
    true => Token,
    false => {
        let softhsm = SoftHsm::start(&[support::LABEL, support::OTHER]);
        return own_process::run(this_test!(), &softhsm.environment());
    }
});
