//! The suite of every backend, on SoftHSM.

mod support;

use tokenbinding_devices::{
    own_process,
    softhsm::{MODULE, SoftHsm},
    this_test,
};

use support::Token;

tokenbinding_backend::conformance_tests!(match own_process::is_child(this_test!()) {
    true => Token(MODULE),
    false => {
        let softhsm = SoftHsm::start(&[support::LABEL, support::OTHER]);
        return own_process::run(this_test!(), &softhsm.environment());
    }
});
