//! Other spellings of what the real module answers.

/// ECDSA-Sig-Value (RFC 3279 §2.2.3) of R ‖ S, 64 bytes.
pub(crate) fn der_signature(r_s: &[u8]) -> Vec<u8> {
    let (r, s) = r_s.split_at(r_s.len() / 2);
    let numbers = [integer(r), integer(s)].concat();
    element(0x30, &numbers)
}

fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = &number[zeros..];
    let sign: &[u8] = if digits.first().is_none_or(|byte| *byte >= 0x80) {
        &[0]
    } else {
        &[]
    };
    element(0x02, &[sign, digits].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = u8::try_from(content.len()).unwrap_or(u8::MAX);
    [&[tag, len], content].concat()
}
