//! RSA numbers, and both signature schemes.

use super::{
    Mutation::{self, Bindings},
    change_one,
};
use crate::{
    draft::Binding,
    forge::{Context, Forge, PKCS1, PSS, rsa_body_of, signed},
    random::Random,
    rsa::{add_modulus, any_salt, pkcs1, pkcs1_of, pss},
};

pub(super) const ALL: &[(&str, Mutation)] = &[
    (
        "a salt of another length",
        Bindings(|forge, context, bindings| {
            resign_rsa(forge, context, bindings, PSS, |random, data| {
                pss(data, &any_salt(random))
            });
        }),
    ),
    (
        "a salt of 32 bytes",
        Bindings(|forge, context, bindings| {
            resign_rsa(forge, context, bindings, PSS, |random, data| {
                let salt = random.bytes(32);
                pss(data, &salt)
            });
        }),
    ),
    (
        "a damaged PSS encoding",
        Bindings(|forge, context, bindings| {
            resign_rsa(forge, context, bindings, PSS, |random, data| {
                let mut encoded = pss(data, &random.array::<32>());
                // Not the leftmost byte: the number must stay below the modulus.
                let at = *random.pick(&[1, 190, 191, 192, 222, 223, 254, 255]);
                encoded[at] ^= 1 << random.below(8);
                encoded
            });
        }),
    ),
    (
        "a damaged PKCS#1 encoding",
        Bindings(|forge, context, bindings| {
            resign_rsa(forge, context, bindings, PKCS1, damaged_pkcs1);
        }),
    ),
    (
        "a signature of the other RSA scheme",
        Bindings(|forge, context, bindings| {
            let parameters = *forge.random.pick(&[PKCS1, PSS]);
            resign_rsa(
                forge,
                context,
                bindings,
                parameters,
                |random, data| match data[1] {
                    PKCS1 => pss(data, &random.array::<32>()),
                    _ => pkcs1(data),
                },
            );
        }),
    ),
    (
        "a signature plus the modulus",
        Bindings(|forge, _, bindings| {
            with_rsa(&mut forge.random, bindings, |_, binding| {
                let modulus = binding.key[2..258].to_vec();
                add_modulus(&mut binding.signature, &modulus);
            });
        }),
    ),
    (
        "another modulus",
        Bindings(|forge, _, bindings| {
            with_rsa(&mut forge.random, bindings, |random, binding| {
                let (mut modulus, exponent) = numbers(binding);
                match random.below(7) {
                    0 => modulus[0] &= 0x7f,
                    1 => modulus[255] &= 0xfe,
                    2 => modulus.insert(0, 0),
                    3 => modulus.insert(0, 1),
                    4 => drop(modulus.remove(0)),
                    5 => modulus.clear(),
                    _ => modulus[128] ^= 1,
                }
                binding.key = rsa_body_of(&modulus, &exponent);
            });
        }),
    ),
    (
        "another exponent",
        Bindings(|forge, _, bindings| {
            with_rsa(&mut forge.random, bindings, |random, binding| {
                let (modulus, mut exponent) = numbers(binding);
                if random.percent(20) {
                    exponent.insert(0, 0);
                } else {
                    exponent = (*random.pick(EXPONENTS)).to_vec();
                }
                binding.key = rsa_body_of(&modulus, &exponent);
            });
        }),
    ),
];

const EXPONENTS: &[&[u8]] = &[
    &[],
    &[0],
    &[1],
    &[2],
    &[3],
    &[1, 0, 0],
    &[1, 0, 1],
    &[0, 1, 0, 1],
    &[1, 0xff, 0xff, 0xff, 0xff],
    &[2, 0, 0, 0, 0],
    &[2, 0, 0, 0, 1],
    &[1, 0, 0, 0, 0, 0, 0, 1],
    &[1, 0, 0, 0, 0, 0, 0, 0, 1],
];

/// Does something to an RSA binding, if there is one that is still whole.
fn with_rsa(
    random: &mut Random,
    bindings: &mut [Binding],
    change: impl Fn(&mut Random, &mut Binding),
) {
    let whole = |b: &&mut Binding| {
        [PKCS1, PSS].contains(&b.parameters) && b.key.len() > 259 && b.signature.len() == 256
    };
    let found: Vec<_> = bindings.iter_mut().filter(whole).collect();
    change_one(random, found, change);
}

/// Modulus and exponent of a whole RSA binding.
fn numbers(binding: &Binding) -> (Vec<u8>, Vec<u8>) {
    (binding.key[2..258].to_vec(), binding.key[259..].to_vec())
}

/// Puts in the place of a binding one with an RSA key whose signature has this encoding.
fn resign_rsa(
    forge: &mut Forge,
    context: &Context,
    bindings: &mut Vec<Binding>,
    parameters: u8,
    encode: impl Fn(&mut Random, &[u8]) -> Vec<u8>,
) {
    let provided = context.negotiated.octet() == parameters;
    let binding_type = if provided { 0 } else { 1 };
    let mut binding = forge.binding(binding_type, parameters, &context.ekm);
    let exponent = &binding.key[259..];
    let key = forge
        .rsa
        .iter()
        .find(|key| key.exponent == exponent)
        .unwrap();
    let encoded = encode(
        &mut forge.random,
        &signed(binding_type, parameters, &context.ekm),
    );
    binding.signature = key.sign_encoded(&encoded);
    match bindings.iter_mut().find(|b| b.binding_type == binding_type) {
        Some(place) => *place = binding,
        None => bindings.push(binding),
    }
}

/// What was taken for a signature somewhere, sometime.
fn damaged_pkcs1(random: &mut Random, data: &[u8]) -> Vec<u8> {
    let sound = pkcs1(data);
    let digest_info = &sound[256 - 51..];
    let mut encoded = sound.clone();
    match random.below(6) {
        // The block type, the padding, the digest.
        0 => encoded[1] ^= 3,
        1 => encoded[2 + random.below(200)] ^= 1 << random.below(8),
        2 => encoded[255] ^= 1,
        // The parameters of the algorithm left out, with the lengths put right.
        3 => {
            let mut info = digest_info.to_vec();
            info.drain(15..17);
            info[1] -= 2;
            info[3] -= 2;
            encoded = pkcs1_of(&info);
        }
        // Garbage behind the digest, as small exponents allow to forge.
        4 => {
            let garbage = random.bytes(40);
            encoded = pkcs1_of(&[digest_info, &garbage].concat());
        }
        // The digest alone.
        _ => encoded = pkcs1_of(&digest_info[19..]),
    }
    encoded
}
