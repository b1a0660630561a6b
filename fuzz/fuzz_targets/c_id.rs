//! `TokenBindingGenerateID`: key type (4) ‖ exported public key. An id that comes back is one.
#![no_main]

use std::{ptr, slice};

use tokenbinding::TokenBindingId;
use tokenbinding_c::export::TokenBindingGenerateID;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((kind, key)) = input.split_first_chunk() else {
        return;
    };
    let (kind, size) = (i32::from_le_bytes(*kind), key.len() as u32);
    let mut result = ptr::dangling_mut();
    // SAFETY: as many bytes are there.
    unsafe {
        let status = TokenBindingGenerateID(kind, key.as_ptr().cast(), size, &raw mut result);
        assert_eq!(status == 0, !result.is_null());
        if let Some(result) = result.as_ref() {
            let id = result.identifierData.cast::<u8>();
            let id = slice::from_raw_parts(id, result.identifierSize as usize);
            assert!(TokenBindingId::parse(id).is_ok());
        }
        libc::free(result.cast());
    }
});
