//! The message of one connection on another.

use super::Mutation::{self, Connection};

pub(super) const ALL: &[(&str, Mutation)] = &[
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
];
