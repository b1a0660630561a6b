//! `TokenBindingVerifyMessage`: key type (4) ‖ EKM size (1) ‖ EKM (32) ‖ message. Everything that
//! the result points at can be read, and one `free` frees it.
#![no_main]

use std::{ptr, slice};

use tokenbinding_c::export::TokenBindingVerifyMessage;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((kind, rest)) = input.split_first_chunk::<4>() else {
        return;
    };
    let Some((&[ekm_size], rest)) = rest.split_first_chunk() else {
        return;
    };
    let Some((ekm, message)) = rest.split_first_chunk::<32>() else {
        return;
    };
    let kind = i32::from_le_bytes(*kind);
    let (data, size) = (message.as_ptr().cast(), message.len() as u32);
    // 32 is what the fuzzer should find most often.
    let ekm_size = u32::from(ekm_size ^ 32);
    let mut list = ptr::dangling_mut();
    // SAFETY: sizes are those of the slices, or a size of the EKM at which it is not touched.
    unsafe {
        let ekm = ekm.as_ptr().cast();
        let status = TokenBindingVerifyMessage(data, size, kind, ekm, ekm_size, &raw mut list);
        assert_eq!(status == 0, !list.is_null());
        if let Some(list) = list.as_ref() {
            let results = slice::from_raw_parts(list.resultData, list.resultCount as usize);
            let octets = results.iter().map(|result| {
                let id = result.identifierData.cast::<u8>();
                slice::from_raw_parts(id, result.identifierSize as usize).to_vec()
            });
            assert!(octets.flatten().count() > 0);
        }
        libc::free(list.cast());
    }
});
