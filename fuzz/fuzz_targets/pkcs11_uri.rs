//! PKCS#11 URIs: what is read is written without its PIN, and read again.
#![no_main]

use tokenbinding_pkcs11::Pkcs11Uri;

libfuzzer_sys::fuzz_target!(|text: &str| {
    match text.parse::<Pkcs11Uri>() {
        Ok(mut uri) => {
            uri.pin = None;
            assert_eq!(uri.to_string().parse(), Ok(uri));
        }
        Err(error) => drop(error.to_string()),
    }
});
