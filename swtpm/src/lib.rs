//! Simulated devices, for tests and first steps. Each test starts its own; nothing here is part of
//! a release.

pub mod own_process;
pub mod softhsm;
pub mod tpm2_pkcs11;
