//! Points, and signatures R ‖ S.

use super::{
    Mutation::{self, Bindings},
    change_one,
};
use crate::{
    draft::Binding,
    ecdsa::{add_order, der, with_other_s},
    forge::P256,
    random::Random,
};

pub(super) const ALL: &[(&str, Mutation)] = &[
    (
        "n - S in place of S",
        Bindings(|forge, _, bindings| {
            with_p256(&mut forge.random, bindings, |_, binding| {
                with_other_s(&mut binding.signature);
            });
        }),
    ),
    (
        "a number of zero",
        Bindings(|forge, _, bindings| {
            with_p256(&mut forge.random, bindings, |random, binding| {
                half(random, &mut binding.signature).fill(0);
            });
        }),
    ),
    (
        "a number beyond the order",
        Bindings(|forge, _, bindings| {
            with_p256(&mut forge.random, bindings, |random, binding| {
                let big = random.percent(30);
                let number = half(random, &mut binding.signature);
                if big {
                    number.fill(0xff);
                } else {
                    add_order(number);
                }
            });
        }),
    ),
    (
        "R and S exchanged",
        Bindings(|forge, _, bindings| {
            with_p256(&mut forge.random, bindings, |_, binding| {
                binding.signature.rotate_left(32);
            });
        }),
    ),
    (
        "a DER signature",
        Bindings(|forge, _, bindings| {
            with_p256(&mut forge.random, bindings, |_, binding| {
                binding.signature = der(&binding.signature);
            });
        }),
    ),
    (
        "a point off the curve",
        Bindings(|forge, _, bindings| {
            with_p256(&mut forge.random, bindings, |random, binding| {
                let at = 1 + random.below(64);
                binding.key[at] ^= 1 << random.below(8);
            });
        }),
    ),
    (
        "a point with its Y negated",
        Bindings(|forge, _, bindings| {
            with_p256(&mut forge.random, bindings, |_, binding| {
                negate_y(&mut binding.key[33..]);
            });
        }),
    ),
    (
        "X and Y exchanged",
        Bindings(|forge, _, bindings| {
            with_p256(&mut forge.random, bindings, |_, binding| {
                binding.key[1..].rotate_left(32);
            });
        }),
    ),
    (
        "a point in another form",
        Bindings(|forge, _, bindings| {
            with_p256(&mut forge.random, bindings, |random, binding| {
                let point = &binding.key[1..65];
                binding.key = match random.below(4) {
                    0 => [&[65, 4], point].concat(),
                    1 => [&[33, 2 + (point[63] & 1)], &point[..32]].concat(),
                    2 => [&[64], &[0; 64][..]].concat(),
                    _ => vec![1, 0],
                };
            });
        }),
    ),
    (
        "a coordinate plus the field",
        Bindings(|forge, _, bindings| {
            // A point with X = 0 is on the curve, and with X = p to who forgets the range.
            with_p256(&mut forge.random, bindings, |random, binding| {
                binding.key[1..].copy_from_slice(&X_ZERO);
                if random.percent(50) {
                    binding.key[1..33].copy_from_slice(&FIELD);
                }
            });
        }),
    ),
];

/// 2^256 − 2^224 + 2^192 + 2^96 − 1.
const FIELD: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
];

/// The point with X = 0: Y is a root of the curve's b.
const X_ZERO: [u8; 64] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0x66, 0x48, 0x5c, 0x78, 0x0e, 0x2f, 0x83, 0xd7, 0x24, 0x33, 0xbd, 0x5d, 0x84, 0xa0, 0x6b, 0xb6,
    0x54, 0x1c, 0x2a, 0xf3, 0x1d, 0xae, 0x87, 0x17, 0x28, 0xbf, 0x85, 0x6a, 0x17, 0x4f, 0x93, 0xf4,
];

/// Does something to a P-256 binding, if there is one that is still whole.
fn with_p256(
    random: &mut Random,
    bindings: &mut [Binding],
    change: impl Fn(&mut Random, &mut Binding),
) {
    let whole =
        |b: &&mut Binding| b.parameters == P256 && b.key.len() == 65 && b.signature.len() == 64;
    let found: Vec<_> = bindings.iter_mut().filter(whole).collect();
    change_one(random, found, change);
}

fn half<'a>(random: &mut Random, signature: &'a mut [u8]) -> &'a mut [u8] {
    let (r, s) = signature.split_at_mut(32);
    if random.percent(50) { r } else { s }
}

fn negate_y(y: &mut [u8]) {
    let mut borrow = 0;
    for at in (0..32).rev() {
        let difference = i16::from(FIELD[at]) - i16::from(y[at]) - borrow;
        borrow = i16::from(difference < 0);
        y[at] = difference.rem_euclid(256).to_be_bytes()[1];
    }
}
