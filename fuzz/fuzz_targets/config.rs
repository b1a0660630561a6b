//! Configuration files. An error stays on one line.
#![no_main]

use tokenbinding::Config;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    match Config::parse(bytes) {
        Ok(config) => assert_eq!(config.clone().overlaid_with(config.clone()), config),
        Err(message) => assert!(!message.contains('\n')),
    }
});
