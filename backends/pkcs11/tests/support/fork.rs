//! `fork`, for the tests of what it does to a backend.
#![allow(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};

/// A child process that runs alongside.
pub struct Forked(libc::pid_t);

/// Forks. The child runs `body` and ends, well if `body` did not panic.
pub fn fork(body: impl FnOnce()) -> Forked {
    // SAFETY: the child has this thread alone, and this program's allocator works after a fork
    // (glibc's does); what `body` makes of it is what is tested.
    match unsafe { libc::fork() } {
        -1 => panic!("fork failed"),
        0 => {
            let result = catch_unwind(AssertUnwindSafe(body));
            // SAFETY: ends the child without running what the parent registered for its own end.
            unsafe { libc::_exit(i32::from(result.is_err())) }
        }
        child => Forked(child),
    }
}

impl Forked {
    /// Waits for the child's end.
    pub fn assert_good(self) {
        let mut status = 0;
        // SAFETY: `status` is a place for one number.
        let waited = unsafe { libc::waitpid(self.0, &raw mut status, 0) };
        assert_eq!(waited, self.0, "the child is ours");
        assert_eq!(status, 0, "the child's own test failed");
    }
}
