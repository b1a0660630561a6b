//! ClientHello and ServerHello as OpenSSL hands them over.
#![no_main]

use tokenbinding_https::tls::Hello;

libfuzzer_sys::fuzz_target!(|message: &[u8]| {
    let _ = Hello::read(message);
});
