//! Closing the binder when the process exits: a TPM without a resource manager would keep what is
//! loaded in it.

#![allow(unsafe_code, reason = "the C library is told what to do at exit")]

use std::{panic, sync::Once};

use super::Process;

/// Has the binder closed at exit. To be called when its devices are open: the C library goes
/// backwards, so that whatever the devices have loaded is still whole then.
pub(super) fn close_binder_at_exit() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: `close` stays where it is: the library is never unloaded.
        unsafe { libc::atexit(close) };
    });
}

extern "C" fn close() {
    // Nobody is left to tell about a panic.
    let _ = panic::catch_unwind(|| {
        // Other threads may still be at it. Then their devices are left as they are.
        if let Some(mut binder) = Process::found().and_then(|found| found.binder.try_write().ok()) {
            drop(binder.take());
        }
    });
}
