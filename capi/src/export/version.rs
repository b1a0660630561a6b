//! The protocol's version, and the words for the last failure.

use std::ffi::c_char;

use crate::{abi::SECURITY_STATUS, call::call, last_error, output::Output};

/// The protocol version 1.0 (RFC 8471, RFC 8472 §2).
const VERSION: (u8, u8) = (1, 0);

/// The highest protocol version that is spoken: 1.0.
///
/// # Safety
/// The outputs can be written to. Each may be NULL, which is an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TokenBindingGetHighestSupportedVersion(
    majorVersion: *mut u8,
    minorVersion: *mut u8,
) -> SECURITY_STATUS {
    // SAFETY: each is NULL or can be written to.
    let (major, minor) = unsafe { (Output::new(majorVersion), Output::new(minorVersion)) };
    call(|| {
        let major = major.required("majorVersion")?;
        let minor = minor.required("minorVersion")?;
        major.set(VERSION.0);
        minor.set(VERSION.1);
        Ok(())
    })
}

/// What this thread's last call has to say about its failure, in UTF-8; empty if it succeeded.
/// Never NULL. Valid until the thread's next call, or its end.
#[unsafe(no_mangle)]
pub extern "C" fn TokenBindingGetLastErrorText() -> *const c_char {
    last_error::get()
}
