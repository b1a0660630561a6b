//! The frame around every exported function: no panic gets out, `errno` stays, and the thread's
//! last error says what happened.

use std::{
    cell::Cell,
    panic::{self, AssertUnwindSafe},
    sync::Once,
};

use crate::{
    abi::SECURITY_STATUS,
    errno::KeepErrno,
    failure::{Failure, Result},
    last_error,
    status::{Cause, Status},
};

thread_local! {
    /// Whether this thread is inside a call of ours.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Does the work of an exported function, whose outputs are cleared already.
pub(crate) fn call(work: impl FnOnce() -> Result<()>) -> SECURITY_STATUS {
    let _errno = KeepErrno::new();
    quiet_panics();
    let was_inside = INSIDE.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    INSIDE.set(was_inside);
    let status = match outcome {
        Ok(Ok(())) => {
            last_error::set("");
            Status::SEC_E_OK
        }
        Ok(Err(Failure { cause, text })) => {
            last_error::set(&text);
            cause.status()
        }
        // The hook has set the text.
        Err(payload) => {
            // Dropping a payload may panic in turn; nobody throws one that is worth it.
            std::mem::forget(payload);
            Cause::Internal.status()
        }
    };
    status.code()
}

/// Whether this thread is inside a call of ours.
pub(crate) fn is_inside() -> bool {
    INSIDE.get()
}

/// Keeps panics of ours off standard error: they become the last error. Those of a Rust program
/// around us go where they went before.
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if is_inside() {
                last_error::set(&format!(
                    "a defect of this library, please report it: {info}"
                ));
            } else {
                before(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    #[test]
    #[allow(unsafe_code, reason = "reads the text as C does")]
    fn a_panic_becomes_a_status_and_a_text() {
        let status = call(|| panic!("on purpose"));
        assert_eq!(status, Status::NTE_INTERNAL_ERROR.code());
        // SAFETY: the text is this thread's and ends in a zero byte.
        let text = unsafe { CStr::from_ptr(last_error::get()) };
        assert!(text.to_string_lossy().contains("on purpose"));
        assert!(!is_inside());
    }

    #[test]
    fn errno_stays() {
        let outside = std::io::Error::last_os_error().raw_os_error();
        call(|| {
            let _ = std::fs::File::open("/nonexistent");
            Ok(())
        });
        assert_eq!(std::io::Error::last_os_error().raw_os_error(), outside);
    }
}
