//! ECDSA on P-256 by the textbook, so that the nonce can be given and any two numbers be a signature.

use p256::{
    FieldBytes, ProjectivePoint, Scalar,
    elliptic_curve::{ops::Reduce as _, sec1::ToSec1Point as _},
};
use sha2::{Digest as _, Sha256};

use crate::random::Random;

/// The order of the curve.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

pub(crate) struct Key {
    secret: Scalar,
    /// X ‖ Y.
    pub(crate) point: [u8; 64],
}

impl Key {
    pub(crate) fn random(random: &mut Random) -> Self {
        let secret = scalar(random.array());
        let point = point(&secret);
        Self { secret, point }
    }

    /// R ‖ S over `data`.
    pub(crate) fn sign(&self, data: &[u8], random: &mut Random) -> Vec<u8> {
        let nonce = scalar(random.array());
        let r = scalar(*point(&nonce).first_chunk().unwrap());
        let hash = scalar(Sha256::digest(data).into());
        let s = nonce.invert().unwrap() * (hash + r * self.secret);
        [r.to_bytes(), s.to_bytes()].concat()
    }
}

fn scalar(bytes: [u8; 32]) -> Scalar {
    Scalar::reduce(&FieldBytes::from(bytes))
}

fn point(scalar: &Scalar) -> [u8; 64] {
    let point = (ProjectivePoint::GENERATOR * scalar)
        .to_affine()
        .to_sec1_point(false);
    *point.as_bytes().last_chunk().unwrap()
}

/// The other signature that is as good: S becomes n − S (RFC 8471 sets no low S).
pub(crate) fn with_other_s(signature: &mut [u8]) {
    let s = scalar(*signature.last_chunk().unwrap());
    signature[32..].copy_from_slice(&(-s).to_bytes());
}

/// `number` + n where that has 32 bytes: the same number to a verifier that forgets the range.
pub(crate) fn add_order(number: &mut [u8]) {
    let mut carry = 0;
    let sum: Vec<u8> = (0..32)
        .rev()
        .map(|at| {
            let sum = u16::from(number[at]) + u16::from(ORDER[at]) + carry;
            carry = sum >> 8;
            sum.to_be_bytes()[1]
        })
        .collect();
    if carry == 0 {
        number
            .iter_mut()
            .rev()
            .zip(sum)
            .for_each(|(to, from)| *to = from);
    }
}

/// `SEQUENCE { r INTEGER, s INTEGER }`, as devices and TLS write it.
pub(crate) fn der(signature: &[u8]) -> Vec<u8> {
    let integers: Vec<u8> = signature.chunks(32).flat_map(integer).collect();
    [
        &[0x30, u8::try_from(integers.len()).unwrap()],
        &integers[..],
    ]
    .concat()
}

fn integer(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = &number[zeros..];
    let sign: &[u8] = match digits.first() {
        Some(0..0x80) => &[],
        _ => &[0],
    };
    let length = u8::try_from(sign.len() + digits.len()).unwrap();
    [&[2, length], sign, digits].concat()
}
