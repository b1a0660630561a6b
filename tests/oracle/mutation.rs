//! What can go wrong with a message, each by a name.

mod bindings;
mod bytes;
mod connection;
mod header;
mod p256;
mod rsa;

use crate::{
    draft::{Binding, fix_length},
    forge::{Context, Forge},
    random::Random,
};

/// By what it is done to.
#[derive(Clone, Copy)]
pub(crate) enum Mutation {
    Connection(fn(&mut Forge, &mut Context)),
    Bindings(fn(&mut Forge, &Context, &mut Vec<Binding>)),
    /// The length of the message may be put right afterwards.
    Bytes(fn(&mut Random, &mut Vec<u8>)),
    Header(fn(&mut Random, &mut String)),
}

/// All of them.
pub(crate) fn mutations() -> Vec<(&'static str, Mutation)> {
    [
        connection::ALL,
        bindings::ALL,
        p256::ALL,
        rsa::ALL,
        bytes::ALL,
        header::ALL,
    ]
    .concat()
}

/// Puts the message's own length right, so that what lies deeper is reached.
pub(crate) fn settle(random: &mut Random, bytes: &mut Vec<u8>) {
    if random.percent(70) {
        fix_length(bytes);
    }
}

fn any<'a>(random: &mut Random, bindings: &'a mut [Binding]) -> &'a mut Binding {
    let at = random.below(bindings.len());
    &mut bindings[at]
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
