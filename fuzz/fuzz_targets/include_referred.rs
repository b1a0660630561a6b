//! `Include-Referred-Token-Binding-ID`: status (2) ‖ whether bound (1) ‖ values, one a line.
#![no_main]

use tokenbinding::header;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((&[high, low, bound], values)) = input.split_first_chunk() else {
        return;
    };
    let status = u16::from_be_bytes([high, low]);
    let values = values.split(|byte| *byte == b'\n');
    let refers = header::refers(status, bound & 1 == 1, values.clone());
    assert!(!refers || (bound & 1 == 1 && status / 100 == 3 && values.count() == 1));
});
