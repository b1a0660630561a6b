//! Characters of the header value.

use super::Mutation::{self, Header};
use crate::random::Random;

pub(super) const ALL: &[(&str, Mutation)] = &[
    (
        "padding",
        Header(|random, header| {
            let padding: &[&str] = &["=", "==", "==="];
            let padding: &&str = random.pick(padding);
            header.push_str(padding);
        }),
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

fn insert(random: &mut Random, header: &mut String, what: &[&str]) {
    let at = random.below(header.len() + 1);
    if header.is_char_boundary(at) {
        let what: &&str = random.pick(what);
        header.insert_str(at, what);
    }
}
