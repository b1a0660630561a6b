//! The verifier: negotiated parameters (1) ‖ EKM (32) ‖ message. The default policy accepts nothing
//! that the protocol's rejects.
#![no_main]

use tokenbinding::{Ekm, KeyType, Policy, Verifier};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((&[negotiated], rest)) = input.split_first_chunk() else {
        return;
    };
    let Some((ekm, message)) = rest.split_first_chunk() else {
        return;
    };
    let Some(negotiated) = KeyType::from_octet(negotiated % 3) else {
        return;
    };
    let verifier = Verifier::new(negotiated);
    if let Ok(verified) = verifier.verify(message, &Ekm::new(*ekm)) {
        let protocol = verifier.with_policy(Policy::Protocol);
        assert_eq!(protocol.verify(message, &Ekm::new(*ekm)), Ok(verified));
    }
});
