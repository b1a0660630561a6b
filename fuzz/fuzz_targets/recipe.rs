//! What a TPM backend stores of a key.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(encoded) = tokenbinding_tpm::fuzzing::recipe(bytes) {
        assert_eq!(encoded, bytes);
    }
});
