//! Pairs of ports side by side, each of which belongs to one test at a time.
//!
//! A simulator that is killed and started again gives its ports up for a moment. A lock on a file
//! keeps other tests from them until the pair is dropped; not even a look at whether they are free
//! gets in between.

use std::{
    env,
    fs::{self, File},
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process,
};

/// Ports from here up to [`LAST_PORT`] are tried: those above are the kernel's own.
const FIRST_PORT: u16 = 20_000;
const LAST_PORT: u16 = 32_000;

/// A port and the one above it, free when they were taken.
#[derive(Debug)]
pub struct Ports {
    first: u16,
    _lock: File,
}

impl Ports {
    /// Takes a pair that nobody has.
    #[must_use]
    pub fn take() -> Self {
        let locks = env::temp_dir().join("tokenbinding-ports");
        fs::create_dir_all(&locks).expect("a folder for the locks");
        let pairs = (LAST_PORT - FIRST_PORT) / 2;
        // Test processes run side by side: each starts to look somewhere else.
        let start = u16::try_from(process::id() % u32::from(pairs)).unwrap_or_default();
        (start..pairs)
            .chain(0..start)
            .find_map(|pair| Self::try_take(&locks, FIRST_PORT + 2 * pair))
            .expect("a free pair of ports")
    }

    fn try_take(locks: &Path, first: u16) -> Option<Self> {
        let lock = File::create(locks.join(first.to_string())).ok()?;
        lock.try_lock().ok()?;
        // Other programs take ports without asking.
        let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        (free(first) && free(first + 1)).then_some(Self { first, _lock: lock })
    }

    /// The lower one.
    #[must_use]
    pub const fn first(&self) -> u16 {
        self.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_that_is_taken_is_nobody_elses() {
        let locks = tempfile::tempdir().expect("a folder");
        let held = Ports::try_take(locks.path(), 19_998).expect("a free pair");
        assert!(Ports::try_take(locks.path(), 19_998).is_none());
        drop(held);
        assert!(Ports::try_take(locks.path(), 19_998).is_some());
    }
}
