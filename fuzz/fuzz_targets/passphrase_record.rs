//! The file beside a passphrase.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(encoded) = tokenbinding_software::fuzzing::passphrase_record(bytes) {
        assert_eq!(encoded, bytes);
    }
});
