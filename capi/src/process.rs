//! The binder of this process, opened by its configuration when a function first needs it.
//!
//! A child of `fork` leaves its parent's binder alone, to the last byte: it shares its parent's
//! connections to devices and files, and must not speak on them. It opens its own.

#![allow(
    unsafe_code,
    reason = "the C library is told what to do around fork and at exit"
)]

use std::{
    process, ptr,
    sync::{
        Once, PoisonError, RwLock, RwLockWriteGuard,
        atomic::{AtomicPtr, Ordering},
    },
};

use tokenbinding::{Binder, Config};

use crate::failure::{Failure, Result};

/// What a process has; a child of `fork` starts over.
#[derive(Debug)]
struct Process {
    pid: u32,
    /// Calls hold it for reading.
    binder: RwLock<Option<Binder>>,
}

static CURRENT: AtomicPtr<Process> = AtomicPtr::new(ptr::null_mut());

/// Does `work` with the binder of this process. An open that fails is not remembered.
pub(crate) fn with_binder<T, E>(
    work: impl FnOnce(&Binder) -> std::result::Result<T, E>,
) -> Result<T>
where
    Failure: From<E>,
{
    let process = current();
    loop {
        let binder = process
            .binder
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(binder) = &*binder {
            let done = work(binder)?;
            close_at_exit();
            return Ok(done);
        }
        drop(binder);
        process.open()?;
    }
}

impl Process {
    fn open(&self) -> Result<()> {
        let mut binder = self.write();
        if binder.is_none() {
            *binder = Some(Binder::open(&Config::load()?)?);
        }
        Ok(())
    }

    fn write(&self) -> RwLockWriteGuard<'_, Option<Binder>> {
        self.binder.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// This process' own; made for its first call.
fn current() -> &'static Process {
    let pid = process::id();
    loop {
        let found = CURRENT.load(Ordering::Acquire);
        // SAFETY: what is in CURRENT is never freed.
        match unsafe { found.as_ref() } {
            Some(process) if process.pid == pid => return process,
            // None yet, or the parent's, which is left as it is.
            _ => (),
        }
        let new = Box::into_raw(Box::new(Process {
            pid,
            binder: RwLock::default(),
        }));
        let swapped = CURRENT.compare_exchange(found, new, Ordering::AcqRel, Ordering::Acquire);
        if swapped.is_err() {
            // SAFETY: `new` came from a box, and nobody else has seen it.
            drop(unsafe { Box::from_raw(new) });
        }
    }
}

/// Has the binder closed when the process exits, once it has worked: a TPM without a resource
/// manager would keep what is loaded in it.
///
/// Libraries that the devices have loaded were there first, so they are still whole then.
fn close_at_exit() {
    extern "C" fn close() {
        let _ = std::panic::catch_unwind(|| {
            // SAFETY: what is in CURRENT is never freed.
            let process = unsafe { CURRENT.load(Ordering::Acquire).as_ref() };
            let Some(process) = process.filter(|process| process.pid == process::id()) else {
                return;
            };
            // Other threads may still be at it. Then their devices are left as they are.
            if let Ok(mut binder) = process.binder.try_write() {
                drop(binder.take());
            }
        });
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: `close` stays where it is: the library is never unloaded.
        unsafe { libc::atexit(close) };
    });
}
