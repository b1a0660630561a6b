//! Device simulators for tests: each test starts one of its own, in a folder of its own, on ports
//! of its own, and leaves nothing behind.
//!
//! Never a dependency of anything that is released.
#![allow(
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    reason = "a simulator that does not start fails the test: that is its result"
)]

pub mod abrmd;
pub mod command;
pub mod memory;
pub mod own_process;
pub mod ports;
pub mod relay;
pub mod softhsm;
pub mod swtpm;
pub mod tpm2_pkcs11;
