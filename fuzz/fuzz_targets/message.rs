//! The grammar: what is accepted encodes to the same bytes, and an observer sees each byte once.
#![no_main]

use tokenbinding::TokenBindingMessage;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut seen = Vec::new();
    let parsed = TokenBindingMessage::parse_observed(bytes, &mut |field| {
        assert_eq!(field.offset, seen.len());
        seen.extend(field.bytes);
    });
    assert!(bytes.starts_with(&seen));
    if let Ok(message) = parsed {
        assert_eq!((&*seen, &*message.encode()), (bytes, bytes));
    }
});
