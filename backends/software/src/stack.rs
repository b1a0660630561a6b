//! Work that leaves none of its secrets in the dead part of the stack.
//!
//! Types that wipe themselves wipe the place where they are dropped. The places that they were moved
//! from, and what a cryptographic function spilled, stay until other calls happen to use the stack.

use zeroize::zeroize_stack;

/// More than any work here is seen to use beyond what it overwrites itself.
const DEPTH: usize = 32 * 1024;

/// Does `work` and wipes the stack below. What it returns must not be a secret that is on the stack.
pub(crate) fn wiped_after<T>(work: impl FnOnce() -> T) -> T {
    let done = apart(work);
    zeroize_stack::<DEPTH>();
    done
}

/// In a frame of its own, which is below the caller's.
#[inline(never)]
fn apart<T>(work: impl FnOnce() -> T) -> T {
    work()
}
