//! What can go wrong with a message, each by a name.

use crate::{
    draft::{Binding, fix_length},
    ecdsa::{add_order, der, with_other_s},
    forge::{Context, Forge, P256, PKCS1, PSS, rsa_body_of, signed},
    random::Random,
    rsa::{add_modulus, any_salt, pkcs1_of, pss},
};

/// By what it is done to. They are applied in this order.
pub(crate) enum Mutation {
    Context(fn(&mut Forge, &mut Context)),
    Bindings(fn(&mut Forge, &Context, &mut Vec<Binding>)),
    /// The length of the message may be put right afterwards.
    Bytes(fn(&mut Random, &mut Vec<u8>)),
    Header(fn(&mut Random, &mut String)),
}

use Mutation::{Bindings, Bytes, Context as Connection, Header};

pub(crate) const MUTATIONS: &[(&str, Mutation)] = &[
    (
        "another EKM",
        Connection(|forge, context| {
            context.ekm = forge.random.pick(&forge.ekms).clone();
            context.ekm[31] ^= 1;
        }),
    ),
    (
        "an EKM of another length",
        Connection(|forge, context| {
            let length = *forge.random.pick(&[0, 31, 33, 64]);
            context.ekm.resize(length, 0);
        }),
    ),
    (
        "another negotiated type",
        Connection(|forge, context| {
            context.negotiated = *forge.random.pick(&tokenbinding::KeyType::ALL);
        }),
    ),
    (
        "a binding twice",
        Bindings(|forge, _, bindings| {
            bindings.push(forge.random.pick(bindings).clone());
        }),
    ),
    (
        "a binding left out",
        Bindings(|forge, _, bindings| {
            bindings.remove(forge.random.below(bindings.len()));
        }),
    ),
    (
        "bindings in another order",
        Bindings(|_, _, bindings| bindings.reverse()),
    ),
    (
        "15 to 17 bindings",
        Bindings(|forge, context, bindings| {
            let count = 15 + forge.random.below(3);
            while bindings.len() < count {
                let binding_type = *forge.random.pick(&[2, 77]);
                bindings.push(forge.binding(binding_type, P256, &context.ekm));
            }
        }),
    ),
    (
        "another type",
        Bindings(|forge, _, bindings| {
            let binding = any(&mut forge.random, bindings);
            binding.binding_type = *forge.random.pick(&[0, 1, 2, 77]);
        }),
    ),
    (
        "another type, signed anew",
        Bindings(|forge, context, bindings| {
            let binding_type = *forge.random.pick(&[0, 1, 2, 77]);
            let parameters = forge.parameters();
            let new = forge.binding(binding_type, parameters, &context.ekm);
            *any(&mut forge.random, bindings) = new;
        }),
    ),
    (
        "other parameters",
        Bindings(|forge, _, bindings| {
            let parameters = forge.parameters();
            any(&mut forge.random, bindings).parameters = parameters;
        }),
    ),
    (
        "a binding of unknown parameters",
        Bindings(|forge, context, bindings| {
            let binding_type = *forge.random.pick(&[0, 1, 1, 77, 77]);
            bindings.push(forge.binding(binding_type, 99, &context.ekm));
        }),
    ),
    (
        "extensions",
        Bindings(|forge, _, bindings| {
            let random = &mut forge.random;
            let mut block = Vec::new();
            for _ in 0..=random.below(3) {
                let length = u8::try_from(random.below(20)).unwrap();
                block.extend([random.octet(), 0, length]);
                block.extend(random.bytes(length.into()));
            }
            any(random, bindings).extensions = block;
        }),
    ),
    (
        "random extensions",
        Bindings(|forge, _, bindings| {
            let length = forge.random.below(8);
            let block = forge.random.bytes(length);
            any(&mut forge.random, bindings).extensions = block;
        }),
    ),
    (
        "a length that lies",
        Bindings(|forge, _, bindings| {
            let random = &mut forge.random;
            let (at, lie) = (random.below(3), *random.pick(&[-2, -1, 1, 2]));
            any(random, bindings).lies[at] = lie;
        }),
    ),
    (
        "a longer or shorter key",
        Bindings(|forge, _, bindings| {
            let random = &mut forge.random;
            let longer = random.percent(50);
            let key = &mut any(random, bindings).key;
            if longer {
                key.push(0);
            } else {
                key.pop();
            }
        }),
    ),
    (
        "a longer or shorter signature",
        Bindings(|forge, _, bindings| {
            let random = &mut forge.random;
            let length = *random.pick(&[0, 1, 63, 64, 65, 255, 256, 257]);
            any(random, bindings).signature.resize(length, 0);
        }),
    ),
    (
        "a random signature",
        Bindings(|forge, _, bindings| {
            let signature = forge.random.bytes(256);
            let binding = any(&mut forge.random, bindings);
            let length = binding.signature.len().min(256);
            binding.signature[..length].copy_from_slice(&signature[..length]);
        }),
    ),
    (
        "n - S in place of S",
        Bindings(|forge, _, bindings| {
            with_p256(&mut forge.random, bindings, |_, binding| {
                with_other_s(&mut binding.signature)
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
                    number.fill(0xff)
                } else {
                    add_order(number)
                }
            });
        }),
    ),
    (
        "R and S exchanged",
        Bindings(|forge, _, bindings| {
            with_p256(&mut forge.random, bindings, |_, binding| {
                binding.signature.rotate_left(32)
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
                negate_y(&mut binding.key[33..])
            });
        }),
    ),
    (
        "X and Y exchanged",
        Bindings(|forge, _, bindings| {
            with_p256(&mut forge.random, bindings, |_, binding| {
                binding.key[1..].rotate_left(32)
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
                    _ => crate::rsa::pkcs1(data),
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
    (
        "a bit",
        Bytes(|random, bytes| {
            if let Some(at) = place(random, bytes) {
                bytes[at] ^= 1 << random.below(8);
            }
        }),
    ),
    (
        "a byte among the lengths",
        Bytes(|random, bytes| {
            let at = random.below(bytes.len().clamp(1, 8));
            if let Some(byte) = bytes.get_mut(at) {
                *byte = byte.wrapping_add(*random.pick(&[1, 2, 0xff]));
            }
        }),
    ),
    (
        "some bytes more",
        Bytes(|random, bytes| {
            let (at, count) = (random.below(bytes.len() + 1), 1 + random.below(4));
            let more = random.bytes(count);
            bytes.splice(at..at, more);
        }),
    ),
    (
        "some bytes less",
        Bytes(|random, bytes| {
            if let Some(at) = place(random, bytes) {
                let end = (at + 1 + random.below(4)).min(bytes.len());
                bytes.drain(at..end);
            }
        }),
    ),
    (
        "cut short",
        Bytes(|random, bytes| bytes.truncate(random.below(bytes.len() + 1))),
    ),
    (
        "something appended",
        Bytes(|random, bytes| {
            let count = 1 + random.below(150);
            bytes.extend(random.bytes(count));
        }),
    ),
    (
        "the message twice",
        Bytes(|_, bytes| bytes.extend(bytes.get(2..).unwrap_or_default().to_vec())),
    ),
    (
        "random bytes alone",
        Bytes(|random, bytes| *bytes = random.bytes(bytes.len())),
    ),
    (
        "padding",
        Header(|random, header| header.push_str(*random.pick(&["=", "==", "==="]))),
    ),
    (
        "white space",
        Header(|random, header| {
            insert(
                random,
                header,
                &[" ", "\t", "\n", "\r\n", "\u{b}", "\u{a0}"],
            );
        }),
    ),
    (
        "a character of another alphabet",
        Header(|random, header| {
            insert(
                random,
                header,
                &["+", "/", ".", ",", "%", "*", "\0", "\u{7f}", "é", "Ａ"],
            );
        }),
    ),
    (
        "a character more",
        Header(|random, header| insert(random, header, &["A", "B", "_", "-"])),
    ),
    (
        "a character less",
        Header(|_, header| {
            header.pop();
        }),
    ),
    (
        "bits beyond the last byte",
        Header(|random, header| {
            if let Some(last) = header.pop() {
                // The next characters of the alphabet differ in the lowest bits.
                let next = char::from_u32(u32::from(last) + 1 + u32::from(random.octet() % 3));
                header.push(next.filter(char::is_ascii_alphanumeric).unwrap_or('9'));
            }
        }),
    ),
    (
        "two headers in one",
        Header(|random, header| {
            let separator = *random.pick(&["", ",", ", "]);
            *header = format!("{header}{separator}{header}");
        }),
    ),
    ("an empty header", Header(|_, header| header.clear())),
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

fn any<'a>(random: &mut Random, bindings: &'a mut [Binding]) -> &'a mut Binding {
    let at = random.below(bindings.len());
    &mut bindings[at]
}

fn place(random: &mut Random, bytes: &[u8]) -> Option<usize> {
    (!bytes.is_empty()).then(|| random.below(bytes.len()))
}

fn half<'a>(random: &mut Random, signature: &'a mut [u8]) -> &'a mut [u8] {
    let (r, s) = signature.split_at_mut(32);
    if random.percent(50) { r } else { s }
}

fn insert(random: &mut Random, header: &mut String, what: &[&str]) {
    let at = random.below(header.len() + 1);
    if header.is_char_boundary(at) {
        header.insert_str(at, *random.pick(what));
    }
}

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

fn change_one(
    random: &mut Random,
    mut found: Vec<&mut Binding>,
    change: impl Fn(&mut Random, &mut Binding),
) {
    if !found.is_empty() {
        let at = random.below(found.len());
        change(random, found[at]);
    }
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
    let sound = crate::rsa::pkcs1(data);
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

fn negate_y(y: &mut [u8]) {
    let mut borrow = 0;
    for at in (0..32).rev() {
        let difference = i16::from(FIELD[at]) - i16::from(y[at]) - borrow;
        borrow = i16::from(difference < 0);
        y[at] = difference.rem_euclid(256).to_be_bytes()[1];
    }
}

/// Puts the message's own length right, so that what lies deeper is reached.
pub(crate) fn settle(random: &mut Random, bytes: &mut Vec<u8>) {
    if random.percent(70) {
        fix_length(bytes);
    }
}
