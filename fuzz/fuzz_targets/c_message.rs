//! `TokenBindingGenerateMessage`: count (1), then for each binding its size (2) and its bytes.
#![no_main]

use std::ptr;

use tokenbinding::TokenBindingMessage;
use tokenbinding_c::export::TokenBindingGenerateMessage;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((&[count], mut rest)) = input.split_first_chunk() else {
        return;
    };
    let (mut places, mut sizes) = (Vec::new(), Vec::new());
    while let Some((size, tail)) = rest.split_first_chunk() {
        let size = usize::from(u16::from_be_bytes(*size)).min(tail.len());
        let (binding, tail) = tail.split_at(size);
        places.push(binding.as_ptr().cast());
        sizes.push(size as u32);
        rest = tail;
    }
    // A count above 16 is refused before anything is read.
    let count = if count > 16 {
        u32::from(count) << 20
    } else {
        places.len() as u32
    };
    let (mut message, mut size) = (ptr::dangling_mut(), 1);
    // SAFETY: as many pointers, each to as many bytes.
    unsafe {
        let (places, sizes) = (places.as_ptr(), sizes.as_ptr());
        let status =
            TokenBindingGenerateMessage(places, sizes, count, &raw mut message, &raw mut size);
        assert_eq!(
            (status == 0, size > 0),
            (!message.is_null(), !message.is_null())
        );
        if status == 0 {
            let bytes = std::slice::from_raw_parts(message.cast::<u8>(), size as usize);
            assert!(TokenBindingMessage::parse(bytes).is_ok());
        }
        libc::free(message);
    }
});
