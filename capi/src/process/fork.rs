//! Holding a `fork` until no thread is inside a call: the child has a copy of every lock, and
//! nobody who would ever release one.

#![allow(unsafe_code, reason = "the C library is told what to do around fork")]

use std::{
    cell::Cell,
    mem::ManuallyDrop,
    sync::{Once, RwLockWriteGuard},
};

use tokenbinding::Binder;

use super::Process;
use crate::call::is_inside;

type Guard = ManuallyDrop<RwLockWriteGuard<'static, Option<Binder>>>;

thread_local! {
    /// What this thread holds while it forks.
    static HELD: Cell<Option<Guard>> = const { Cell::new(None) };
}

/// Has every later `fork` wait for the calls of other threads.
pub(super) fn wait_for_calls_before_fork() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handlers stay where they are: the library is never unloaded. What fails for
        // want of memory leaves fork as it was.
        unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
    });
}

extern "C" fn before() {
    // A PKCS#11 module may fork in the middle of a call of this thread, to run a program.
    if !is_inside()
        && let Some(process) = Process::found()
    {
        HELD.set(Some(ManuallyDrop::new(process.write())));
    }
}

extern "C" fn in_parent() {
    if let Some(guard) = HELD.take() {
        drop(ManuallyDrop::into_inner(guard));
    }
}

extern "C" fn in_child() {
    // The parent's binder stays locked here for good: nobody may touch it.
    HELD.set(None);
}
