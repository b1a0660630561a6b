//! Bytes of the message, whatever they mean.

use super::Mutation::{self, Bytes};
use crate::random::Random;

pub(super) const ALL: &[(&str, Mutation)] = &[
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
];

fn place(random: &mut Random, bytes: &[u8]) -> Option<usize> {
    (!bytes.is_empty()).then(|| random.below(bytes.len()))
}
