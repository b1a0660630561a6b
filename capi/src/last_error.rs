//! What the last failed call of each thread has to say to people.
//!
//! The text lies in a buffer of fixed size: telling why there is no memory needs none, and a thread
//! that ends has nothing to clean up. It never holds a secret, because no error does.

#![allow(unsafe_code, reason = "C reads the buffer through a pointer")]

use std::{cell::UnsafeCell, ffi::c_char};

/// Bytes of the buffer, the ending zero included.
const CAPACITY: usize = 1024;

thread_local! {
    static TEXT: UnsafeCell<[u8; CAPACITY]> = const { UnsafeCell::new([0; CAPACITY]) };
}

/// Replaces this thread's text. What does not fit is cut off between two characters.
pub(crate) fn set(text: &str) {
    let mut end = text.len().min(CAPACITY - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    TEXT.with(|buffer| {
        // SAFETY: the buffer belongs to this thread, and no reference to it outlives this closure;
        // C reads it between calls only.
        let buffer = unsafe { &mut *buffer.get() };
        for (place, byte) in buffer.iter_mut().zip(&text.as_bytes()[..end]) {
            // A NUL would end the text early.
            *place = if *byte == 0 { b' ' } else { *byte };
        }
        buffer[end] = 0;
    });
}

/// This thread's text, which ends in a zero byte. Valid until the thread's next call or end.
pub(crate) fn get() -> *const c_char {
    TEXT.with(|buffer| buffer.get().cast_const().cast())
}
