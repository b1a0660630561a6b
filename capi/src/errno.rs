//! The C library's `errno`, which no call may change for its caller.

#![allow(unsafe_code, reason = "errno is a place in C's thread-local storage")]

/// Puts `errno` back when it goes.
#[derive(Debug)]
pub(crate) struct KeepErrno(i32);

impl KeepErrno {
    pub(crate) fn new() -> Self {
        // SAFETY: the C library returns this thread's own errno, valid as long as the thread.
        Self(unsafe { *libc::__errno_location() })
    }
}

impl Drop for KeepErrno {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { *libc::__errno_location() = self.0 }
    }
}
