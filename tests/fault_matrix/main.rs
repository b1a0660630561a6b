//! Each device call × each fault, on a simulated TPM, a simulated token and the software keystore.
//!
//! A scenario of a user's steps is run with one fault in it. Whatever happens, every step that fails
//! fails with a typed error that names the device's own code and succeeds when it is done again; no
//! target has a second key, a key that was shown stays, a deleted one never comes back, and in the
//! end device and map hold the same keys. What else was seen stands in `docs/fault-matrix.md`,
//! which `make fault-matrix` writes and these tests compare with.
#![cfg(all(feature = "software", feature = "pkcs11", feature = "tpm"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test that fails shows where")]

mod document;
mod pkcs11;
mod scenario;
mod software;
mod tpm;
