//! Keeps tpm2-tss from writing its own lines to standard error: our errors say it once, and better.

#![allow(
    unsafe_code,
    reason = "the library reads its settings from the environment alone"
)]

use std::env;

const VARIABLE: &str = "TSS2_LOG";

/// Turns tpm2-tss' log off, unless the person has set it. To be called before any thread starts.
pub(crate) fn silence() {
    if env::var_os(VARIABLE).is_none() {
        // SAFETY: the process has this one thread, so nobody reads the environment meanwhile.
        unsafe { env::set_var(VARIABLE, "all+none") };
    }
}
