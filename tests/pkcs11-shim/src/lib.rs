//! A PKCS#11 module for tests: it forwards to a real one and misbehaves on command.
//!
//! As a shared library it is a module like any other. What it is to do is written to files in the
//! directory that `TOKENBINDING_SHIM` names, so that it can be told from any process and from a
//! shell; [`Shim`] writes them. It counts calls, fails them, delays them, takes the token out and
//! puts it back, wants a login for each signature, and changes what the token tells.

mod answers;
mod control;
mod module;

pub use control::Shim;
