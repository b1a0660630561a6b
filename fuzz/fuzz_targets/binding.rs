//! One binding that stands alone, put into a message; and its id.
#![no_main]

use tokenbinding::{TokenBindingId, TokenBindingMessage, message};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let parsed = message::TokenBinding::parse(bytes);
    let encoded = message::encode_message(&[bytes]);
    assert_eq!(parsed.is_ok(), encoded.is_ok());
    if let (Ok(binding), Ok(encoded)) = (parsed, encoded) {
        assert_eq!(
            TokenBindingMessage::parse(&encoded)
                .unwrap()
                .token_bindings(),
            [binding.clone()]
        );
        assert_eq!(TokenBindingId::parse(binding.id_bytes()), Ok(binding.id()));
    }
});
