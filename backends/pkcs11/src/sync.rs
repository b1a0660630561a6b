//! Locks that a panic elsewhere, or a fork, cannot take down with it.

use std::{
    process,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

/// Locks `mutex`. What it guards is consistent after every statement, so a panic of another holder
/// does not matter.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A value of which each process has one of its own.
///
/// A child of `fork` gets copies of its parent's sessions, which it must not use (PKCS#11 v2.40,
/// "Applications and processes"), and copies of its locks, which threads that it does not have may
/// hold forever. So it touches neither: it starts a value of its own and leaves the parent's alone.
#[derive(Debug)]
pub(crate) struct PerProcess<T> {
    pid: u32,
    value: T,
    forked: OnceLock<Box<Self>>,
}

impl<T> PerProcess<T> {
    /// `value`, for this process.
    pub(crate) fn new(value: T) -> Self {
        Self {
            pid: process::id(),
            value,
            forked: OnceLock::new(),
        }
    }

    /// This process's value, made by `fresh` from the parent's when it has none yet.
    pub(crate) fn get(&self, fresh: impl Fn(&T) -> T) -> &T {
        let pid = process::id();
        let mut here = self;
        while here.pid != pid {
            let parent = &here.value;
            here = here
                .forked
                .get_or_init(|| Box::new(Self::new(fresh(parent))));
        }
        &here.value
    }
}
