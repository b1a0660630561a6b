//! libc's own functions behind ours.
#![allow(unsafe_code, reason = "symbols are looked up by name")]

use std::{cell::Cell, ffi::CStr};

/// The address of the next function of this name.
pub(crate) fn next(name: &CStr) -> usize {
    // SAFETY: the name ends in NUL; the handle is one that dlsym defines.
    let found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    assert!(!found.is_null(), "libc has {name:?}");
    found as usize
}

/// Calls libc's function `$name` of type `$type`.
macro_rules! real {
    ($name:ident: $type:ty, $($argument:expr),*) => {{
        static ADDRESS: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
        let name = std::ffi::CStr::from_bytes_with_nul(
            concat!(stringify!($name), "\0").as_bytes(),
        );
        let address = *ADDRESS.get_or_init(|| {
            crate::real::next(name.expect("one NUL at the end"))
        });
        // SAFETY: the address is that of libc's function of this name, whose type this is.
        let function = unsafe { std::mem::transmute::<usize, $type>(address) };
        // SAFETY: the caller of ours gave these arguments for it.
        unsafe { function($($argument),*) }
    }};
}
pub(crate) use real;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` unless this thread is at work here already: what this library itself does to files is
/// none of its business.
pub(crate) fn outermost<T>(work: impl FnOnce() -> T) -> Option<T> {
    if INSIDE.replace(true) {
        return None;
    }
    let done = work();
    INSIDE.set(false);
    Some(done)
}
