//! Public keys and signatures as tokens spell them, made into the library's own.
//!
//! Tokens differ: a point with or without its DER octet string, numbers with leading zeros added or
//! dropped, ECDSA signatures as R ‖ S or as DER. Everything is checked on the way in; what cannot be
//! read is `None`, never a guess.

use cryptoki_sys::*;
use tokenbinding_backend::{KeyType, P256PublicKey, PublicKey, Rsa2048PublicKey, Signature};

use crate::module::Attributes;

/// DER of the object identifier of P-256 (RFC 5480 §2.1.1.1): what `CKA_EC_PARAMS` holds.
pub(crate) const P256_PARAMS: [u8; 10] =
    [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// The attributes that hold a public key of type `kind`.
pub(crate) const fn attributes(kind: KeyType) -> [CK_ATTRIBUTE_TYPE; 2] {
    if kind.is_rsa() {
        [CKA_MODULUS, CKA_PUBLIC_EXPONENT]
    } else {
        [CKA_EC_PARAMS, CKA_EC_POINT]
    }
}

/// The key of type `kind` that the attributes of a public key object hold.
pub(crate) fn public_key(kind: KeyType, told: &Attributes) -> Option<PublicKey> {
    let [first, second] = attributes(kind);
    let (first, second) = (told.get(first)?, told.get(second)?);
    if kind.is_rsa() {
        rsa(first, second)
    } else {
        (first == P256_PARAMS).then(|| p256(second))?
    }
}

/// A P-256 point: in a DER octet string (67 bytes, as PKCS#11 wants it), uncompressed (65), or as
/// X ‖ Y (64). Told apart by length first: the first two forms both begin with 04.
fn p256(point: &[u8]) -> Option<PublicKey> {
    let xy = match point {
        [0x04, 0x41, 0x04, xy @ ..] if xy.len() == 64 => xy,
        [0x04, xy @ ..] if xy.len() == 64 => xy,
        xy => xy,
    };
    let key = P256PublicKey::from_xy(xy.try_into().ok()?).ok()?;
    Some(key.into())
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<PublicKey> {
    let modulus = fixed::<256>(modulus)?;
    let exponent = u64::from_be_bytes(fixed::<8>(exponent)?);
    let key = Rsa2048PublicKey::new(&modulus, exponent).ok()?;
    Some(key.into())
}

/// A big-endian number in exactly `N` bytes.
fn fixed<const N: usize>(number: &[u8]) -> Option<[u8; N]> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = &number[zeros..];
    let start = N.checked_sub(digits.len())?;
    let mut bytes = [0; N];
    bytes[start..].copy_from_slice(digits);
    Some(bytes)
}

/// The key's bytes, to put keys in an order.
pub(crate) fn bytes(key: &PublicKey) -> Vec<u8> {
    match key {
        PublicKey::EcdsaP256(key) => key.xy().to_vec(),
        PublicKey::Rsa2048(key) => key.modulus().to_vec(),
    }
}

/// What a token returned from `C_Sign`, as RFC 8471 §3.3 wants it.
pub(crate) fn signature(kind: KeyType, bytes: &[u8]) -> Option<Signature> {
    if kind.is_rsa() {
        return fixed(bytes).map(Signature::Rsa2048);
    }
    let half = bytes.len() / 2;
    if bytes.len() == 64 {
        Signature::from_r_s(&bytes[..half], &bytes[half..])
    } else {
        der_signature(bytes)
    }
}

/// ECDSA-Sig-Value of RFC 3279 §2.2.3: a sequence of two integers, all of one length byte.
fn der_signature(bytes: &[u8]) -> Option<Signature> {
    let (numbers, []) = der(0x30, bytes)? else {
        return None;
    };
    let (r, rest) = der(0x02, numbers)?;
    let (s, []) = der(0x02, rest)? else {
        return None;
    };
    Signature::from_r_s(r, s)
}

/// The content of the element with `tag` that `bytes` begin with, and what follows it.
fn der(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    match bytes {
        [first, len @ 0..=0x7f, rest @ ..] if *first == tag => {
            rest.split_at_checked(usize::from(*len))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The generator of P-256 (SEC 2 §2.4.2), a point that everybody has.
    const XY: [u8; 64] = [
        0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40,
        0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98,
        0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c,
        0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68,
        0x37, 0xbf, 0x51, 0xf5,
    ];

    #[test]
    fn a_point_is_read_in_each_of_its_three_spellings() {
        let bare = P256PublicKey::from_xy(&XY).map(PublicKey::from).ok();
        assert!(bare.is_some());
        for prefix in [&[0x04, 0x41, 0x04][..], &[0x04], &[]] {
            assert_eq!(p256(&[prefix, &XY].concat()), bare, "after {prefix:02x?}");
        }
        assert_eq!(p256(&[&[0x05][..], &XY].concat()), None);
        assert_eq!(p256(&XY[..63]), None);
    }

    #[test]
    fn a_signature_is_read_as_r_and_s_or_as_der() {
        let (r, s) = ([0x81; 32], [0x12; 32]);
        let plain = Signature::from_r_s(&r, &s);
        let kind = KeyType::EcdsaP256;
        assert_eq!(signature(kind, &[r, s].concat()), plain);
        let der = [&[0x30, 69, 0x02, 33, 0][..], &r, &[0x02, 32], &s].concat();
        assert_eq!(signature(kind, &der), plain);
        let longer = [&der[..], &[0]].concat();
        assert_eq!(signature(kind, &longer), None, "a byte too many");
    }

    #[test]
    fn rsa_numbers_are_read_with_and_without_leading_zeros() {
        let modulus = [0xff; 256];
        let plain = rsa(&modulus, &[1, 0, 1]);
        assert!(plain.is_some());
        let longer = [&[0][..], &modulus].concat();
        assert_eq!(rsa(&longer, &[0, 0, 0, 1, 0, 1]), plain);
        assert_eq!(rsa(&[1; 257], &[1, 0, 1]), None);
        assert_eq!(rsa(&modulus, &[1; 9]), None);
    }

    proptest! {
        #[test]
        fn no_answer_of_a_token_makes_it_panic(bytes: Vec<u8>, rsa_kind: bool) {
            let kind = if rsa_kind { KeyType::Rsa2048Pss } else { KeyType::EcdsaP256 };
            let _ = signature(kind, &bytes);
            let _ = (p256(&bytes), rsa(&bytes, &bytes));
        }
    }
}
