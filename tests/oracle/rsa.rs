//! RSA by the textbook (RFC 8017), so that any encoded message can be signed, also a wrong one.

use crypto_bigint::{
    BoxedUint, NonZero, Odd,
    modular::{BoxedMontyForm, BoxedMontyParams},
};
use sha2::{Digest as _, Sha256};

use crate::random::Random;

const BITS: u32 = 2048;
/// `DigestInfo` of SHA-256 before the digest (RFC 8017 §9.2).
const DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

pub(crate) struct Key {
    pub(crate) modulus: Vec<u8>,
    /// Without leading zeros.
    pub(crate) exponent: Vec<u8>,
    private_exponent: BoxedUint,
    params: BoxedMontyParams,
}

impl Key {
    /// The key of two primes of 1024 bits and an exponent that is prime to both less one.
    pub(crate) fn new(p: &[u8], q: &[u8], exponent: u64) -> Self {
        let number = |bytes| BoxedUint::from_be_slice(bytes, BITS).unwrap();
        let (p, q) = (number(p), number(q));
        let one = BoxedUint::one_with_precision(BITS);
        let totient = p.wrapping_sub(&one).wrapping_mul(q.wrapping_sub(&one));
        let bytes = exponent.to_be_bytes();
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let private_exponent = number(&bytes).invert_mod(&NonZero::new(totient).unwrap());
        let modulus = p.wrapping_mul(&q);
        Self {
            modulus: modulus.to_be_bytes().into(),
            exponent: bytes[zeros..].into(),
            private_exponent: private_exponent.unwrap(),
            params: BoxedMontyParams::new_vartime(Odd::new(modulus).unwrap()),
        }
    }

    /// RSASP1 of an encoded message of 256 bytes.
    pub(crate) fn sign_encoded(&self, encoded: &[u8]) -> Vec<u8> {
        let message = BoxedUint::from_be_slice(encoded, BITS).unwrap();
        let signature = BoxedMontyForm::new(message, &self.params).pow(&self.private_exponent);
        signature.retrieve().to_be_bytes().into()
    }

    pub(crate) fn sign_pkcs1(&self, data: &[u8]) -> Vec<u8> {
        self.sign_encoded(&pkcs1(data))
    }

    pub(crate) fn sign_pss(&self, data: &[u8], salt: &[u8]) -> Vec<u8> {
        self.sign_encoded(&pss(data, salt))
    }
}

/// EMSA-PKCS1-v1_5 (RFC 8017 §9.2).
pub(crate) fn pkcs1(data: &[u8]) -> Vec<u8> {
    let tail = [&DIGEST_INFO[..], &Sha256::digest(data)].concat();
    pkcs1_of(&tail)
}

/// The padding of §9.2 before any tail.
pub(crate) fn pkcs1_of(tail: &[u8]) -> Vec<u8> {
    let padding = vec![0xff; 256 - 3 - tail.len()];
    [&[0, 1], &padding[..], &[0], tail].concat()
}

/// EMSA-PSS with SHA-256 and MGF1-SHA-256 (RFC 8017 §9.1.1): emBits = 2047.
pub(crate) fn pss(data: &[u8], salt: &[u8]) -> Vec<u8> {
    let hash = Sha256::digest(data);
    let h = Sha256::digest([&[0; 8], &hash[..], salt].concat());
    let mut db = vec![0; 256 - 32 - 1 - 1 - salt.len()];
    db.push(1);
    db.extend(salt);
    db.iter_mut()
        .zip(mgf1(&h))
        .for_each(|(byte, mask)| *byte ^= mask);
    db[0] &= 0x7f;
    [&db[..], &h, &[0xbc]].concat()
}

fn mgf1(seed: &[u8]) -> impl Iterator<Item = u8> {
    (0u32..).flat_map(move |counter| Sha256::digest([seed, &counter.to_be_bytes()].concat()))
}

/// `signature` + `modulus` where that has 256 bytes: the same number to a verifier that forgets the
/// range.
pub(crate) fn add_modulus(signature: &mut [u8], modulus: &[u8]) {
    let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, BITS);
    let (Ok(s), Ok(n)) = (number(signature), number(modulus)) else {
        return;
    };
    let sum = s.wrapping_add(&n);
    if sum > n {
        signature.copy_from_slice(&sum.to_be_bytes());
    }
}

/// A salt of any length that fits, as likely short as long.
pub(crate) fn any_salt(random: &mut Random) -> Vec<u8> {
    let length = *random.pick(&[0, 1, 20, 31, 33, 48, 64, 221, 222]);
    random.bytes(length)
}
