//! The extension's body in either direction: handshake (1) ‖ body. Nothing is agreed on that was
//! not offered, nor in a handshake that forbids it.
#![no_main]

use tokenbinding::{
    KeyType,
    negotiation::{Handshake, Offer, Support},
};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((&[bits], body)) = input.split_first_chunk() else {
        return;
    };
    let handshake = match bits & 1 {
        0 => Handshake::Tls13 {
            early_data: bits & 2 != 0,
        },
        _ => Handshake::Tls12 {
            extended_master_secret: bits & 2 != 0,
            renegotiation_info: bits & 4 != 0,
        },
    };
    let offered = &KeyType::ALL[..1 + usize::from(bits >> 3) % 3];
    let concluded = Offer::new(offered).unwrap().conclude(body, handshake);
    if let Ok(Some(negotiated)) = concluded {
        assert!(offered.contains(&negotiated.key_type) && handshake.objection().is_none());
        assert_eq!(negotiated.extension_data(), body);
    }
    let support = Support::new(offered).unwrap();
    if let Ok(Some(negotiated)) = support.answer(body, handshake) {
        assert!(body[3..].contains(&negotiated.key_type.octet()));
        assert!(handshake.objection().is_none());
    }
});
