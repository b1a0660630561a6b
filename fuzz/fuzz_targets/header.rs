//! Header values: what is decoded encodes to the same characters.
#![no_main]

use tokenbinding::header;

libfuzzer_sys::fuzz_target!(|value: &str| {
    match header::decode(value) {
        Ok(message) => assert_eq!(header::encode(&message), value),
        Err(error) => drop(error.to_string()),
    }
});
