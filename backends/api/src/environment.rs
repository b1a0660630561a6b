//! The environment, where it can be trusted.
//!
//! A process that has more rights than whoever started it (set-user-ID, file capabilities: the kernel
//! sets `AT_SECURE`, getauxval(3)) must not take paths, modules or PINs from a stranger's
//! environment. It finds none here, as with `secure_getenv`(3).

#![allow(
    unsafe_code,
    reason = "the kernel's word is asked through the C library"
)]

use std::{env, ffi::OsString};

/// The variable `name`, if it is set to anything and the environment can be trusted.
#[must_use]
pub fn variable(name: &str) -> Option<OsString> {
    if is_strangers() {
        return None;
    }
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Whether this process has more rights than whoever made its environment.
#[must_use]
pub fn is_strangers() -> bool {
    // SAFETY: the call reads what the kernel left beside the arguments, and takes any number.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}
