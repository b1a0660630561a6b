//! A proxy's headers, one a line: provided, referred, others. What is read is written and read again.
#![no_main]

use tokenbinding::ttrp::{self, ForwardedIds};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = ttrp::is_reserved(text);
    let mut values = text
        .split('\n')
        .map(|value| (!value.is_empty()).then_some(value));
    let mut value = || values.next().flatten();
    let Ok(ids) = ForwardedIds::from_headers(value(), value(), value()) else {
        return;
    };
    let headers = ids.headers();
    let header = |name| {
        headers
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| &**value)
    };
    let again = ForwardedIds::from_headers(
        header(ttrp::SEC_PROVIDED_TOKEN_BINDING_ID),
        header(ttrp::SEC_REFERRED_TOKEN_BINDING_ID),
        header(ttrp::SEC_OTHER_TOKEN_BINDING_ID),
    );
    assert_eq!(again, Ok(ids));
});
