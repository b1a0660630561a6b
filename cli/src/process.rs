//! What the command does to its own process before anything else, while it has one thread.
//!
//! Its memory may come to hold masters, PINs and private keys: no core dump of it is written, and no
//! other process of the same user reads it (`PR_SET_DUMPABLE`, prctl(2)). The library does neither,
//! since a process belongs to its program.

#![allow(
    unsafe_code,
    reason = "libraries read their settings from the environment alone"
)]

use std::env;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use tokenbinding_backend::environment;

/// How much tpm2-tss writes to standard error.
#[cfg(feature = "tpm")]
const TSS_LOG: &str = "TSS2_LOG";

/// Closes the process, and takes out of its environment what must not count. To be called before any
/// thread starts.
pub(crate) fn close() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    // A system that refuses either leaves the process as it was: the keys are as good as before.
    let _ = setrlimit(Resource::Core, none);
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    if environment::is_strangers() {
        // tpm2-tss, modules and SQLite would read it.
        for (name, _) in env::vars_os() {
            // SAFETY: the process has this one thread, so nobody reads the environment meanwhile.
            unsafe { env::remove_var(name) };
        }
    }
    // Our errors say it once, and better.
    #[cfg(feature = "tpm")]
    if env::var_os(TSS_LOG).is_none() {
        // SAFETY: as above.
        unsafe { env::set_var(TSS_LOG, "all+none") };
    }
}
