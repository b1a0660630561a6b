//! The three calls of OpenSSL that the `openssl` crate does not have.

#![allow(unsafe_code, reason = "OpenSSL is C")]

use std::{
    ffi::{c_int, c_long, c_void},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr, slice,
};

use foreign_types::ForeignTypeRef as _;
use openssl::ssl::{SslContextBuilder, SslRef};
use openssl_sys::{SSL, SSL_CTX};

// <openssl/ssl.h>, OpenSSL 1.1.1 to 3.x.
const SSL_CTRL_SET_MSG_CALLBACK: c_int = 15;
const SSL_CTRL_GET_RI_SUPPORT: c_int = 76;
const SSL_EARLY_DATA_ACCEPTED: c_int = 2;
/// The content type of handshake messages (RFC 8446 §5.1).
const HANDSHAKE: c_int = 22;

unsafe extern "C" {
    fn SSL_get_early_data_status(ssl: *const SSL) -> c_int;
    fn SSL_CTX_callback_ctrl(
        context: *mut SSL_CTX,
        command: c_int,
        callback: Option<MessageCallback>,
    ) -> c_long;
}

type MessageCallback = unsafe extern "C" fn(
    sent: c_int,
    version: c_int,
    content_type: c_int,
    message: *const c_void,
    length: usize,
    ssl: *mut SSL,
    argument: *mut c_void,
);

/// Whether `renegotiation_info` was negotiated.
pub(super) fn renegotiation_info(ssl: &SslRef) -> bool {
    // SAFETY: the pointer is of a live SSL, and the command reads one flag of it.
    unsafe { openssl_sys::SSL_ctrl(ssl.as_ptr(), SSL_CTRL_GET_RI_SUPPORT, 0, ptr::null_mut()) != 0 }
}

/// Whether the server accepted the client's early data.
pub(super) fn early_data_accepted(ssl: &SslRef) -> bool {
    // SAFETY: the pointer is of a live SSL, which the call reads.
    unsafe { SSL_get_early_data_status(ssl.as_ptr()) == SSL_EARLY_DATA_ACCEPTED }
}

/// A function that sees a handshake message before OpenSSL works on it.
pub(super) type Observer = fn(&mut SslRef, &[u8]);

/// Hands every handshake message that connections of this context receive to `observe_hello`.
pub(super) fn observe_received(context: &mut SslContextBuilder) {
    // SAFETY: the pointer is of a live SSL_CTX; the callback has the type that this command takes
    // and lives as long as the program.
    unsafe {
        SSL_CTX_callback_ctrl(
            context.as_ptr(),
            SSL_CTRL_SET_MSG_CALLBACK,
            Some(on_message),
        );
    }
}

unsafe extern "C" fn on_message(
    sent: c_int,
    _version: c_int,
    content_type: c_int,
    message: *const c_void,
    length: usize,
    ssl: *mut SSL,
    _argument: *mut c_void,
) {
    if sent != 0 || content_type != HANDSHAKE || message.is_null() || ssl.is_null() {
        return;
    }
    const OBSERVER: Observer = super::state::observe;
    // SAFETY: OpenSSL hands over `length` readable bytes and a live SSL that nothing else uses
    // while the callback runs.
    let (message, ssl) = unsafe {
        let message = slice::from_raw_parts(message.cast::<u8>(), length);
        (message, SslRef::from_ptr_mut(ssl))
    };
    // A panic must not unwind into C. Without what it would have noted, there is no Token Binding.
    let _ = catch_unwind(AssertUnwindSafe(|| OBSERVER(ssl, message)));
}
