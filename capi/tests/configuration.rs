//! The configuration is read when it is needed.

#![allow(
    unsafe_code,
    clippy::unwrap_used,
    reason = "calls what C calls, and fails by panicking"
)]

mod common;

use common::calls::*;
use windows_sys::Win32::Foundation::NTE_FAIL;

/// The only test of its process: it changes the environment.
#[test]
fn a_failure_to_open_is_not_remembered() {
    set_up();
    let provider = |name| {
        // SAFETY: no other thread is at work.
        unsafe { std::env::set_var("TOKENBINDING_PROVIDER", name) };
    };
    provider("usb");
    assert_eq!(id_for_uri(ECDSAP256, "https://example.com/"), Err(NTE_FAIL));
    assert!(
        last_error().contains("use auto, software, tpm or pkcs11"),
        "{}",
        last_error()
    );
    provider("software");
    assert_eq!(
        id_for_uri(ECDSAP256, "https://example.com/").unwrap().len(),
        68
    );
}
