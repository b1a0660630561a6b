//! The binder of this process, opened by its configuration when a function first needs it.
//!
//! A child of `fork` leaves its parent's binder alone, to the last byte: it shares its parent's
//! connections to devices and files, and must not speak on them. It opens its own. A `fork` waits
//! for the calls of other threads, so that the child finds no lock taken.

#![allow(unsafe_code, reason = "a pointer tells a process from its parent")]

mod exit;
mod fork;

use std::{
    process, ptr,
    sync::{
        PoisonError, RwLock, RwLockWriteGuard,
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

impl Process {
    fn new() -> Self {
        Self {
            pid: process::id(),
            binder: RwLock::default(),
        }
    }

    /// What is there of this process; `None` before its first call.
    fn found() -> Option<&'static Self> {
        // SAFETY: what is in CURRENT is never freed.
        let found = unsafe { CURRENT.load(Ordering::Acquire).as_ref() };
        // Another pid is the parent's, which is left as it is.
        found.filter(|found| found.pid == process::id())
    }

    /// This process' own, which is made for its first call.
    fn current() -> &'static Self {
        loop {
            let before = CURRENT.load(Ordering::Acquire);
            if let Some(found) = Self::found() {
                return found;
            }
            let new = Box::into_raw(Box::new(Self::new()));
            let swapped =
                CURRENT.compare_exchange(before, new, Ordering::AcqRel, Ordering::Acquire);
            if swapped.is_ok() {
                fork::wait_for_calls_before_fork();
            } else {
                // SAFETY: `new` came from a box, and nobody else has seen it.
                drop(unsafe { Box::from_raw(new) });
            }
        }
    }

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

/// Does `work` with the binder of this process. An open that fails is not remembered.
pub(crate) fn with_binder<T, E>(
    work: impl FnOnce(&Binder) -> std::result::Result<T, E>,
) -> Result<T>
where
    Failure: From<E>,
{
    let process = Process::current();
    loop {
        let binder = process
            .binder
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(binder) = &*binder {
            let done = work(binder)?;
            exit::close_binder_at_exit();
            return Ok(done);
        }
        drop(binder);
        process.open()?;
    }
}
