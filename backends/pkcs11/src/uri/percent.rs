//! The parts of a URI and their percent-encoding (RFC 3986 §2.1, RFC 7512 §2.3).

use std::fmt;

use zeroize::Zeroizing;

use super::InvalidPkcs11Uri;

/// What may stand for itself in a value, besides letters and digits.
const PLAIN: &str = "-._~:[]@!$'()*+,=";

/// The parts `name=value` of `text`, decoded. `more` may stand for itself too. A value may be a
/// PIN, so it is wiped when it is dropped.
pub(super) fn parts<'a>(
    text: &'a str,
    separator: char,
    more: &'static str,
) -> impl Iterator<Item = Result<(&'a str, Zeroizing<Vec<u8>>), InvalidPkcs11Uri>> {
    let parts = text.split(separator).filter(|part| !part.is_empty());
    parts.enumerate().map(move |(at, part)| {
        // `&` separates parts of a query; in a path it stands for itself.
        let amp = if separator == ';' { "&" } else { "" };
        let (name, value) = part
            .split_once('=')
            .ok_or(InvalidPkcs11Uri::NoValue(at + 1))?;
        Ok((name, decode(name, value, &[PLAIN, more, amp])?))
    })
}

fn decode(name: &str, value: &str, plain: &[&str]) -> Result<Zeroizing<Vec<u8>>, InvalidPkcs11Uri> {
    // As long as the value: it never grows, and so leaves no copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(value.len()));
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '%' => {
                let mut digit = || characters.next()?.to_digit(16);
                let byte = digit().zip(digit()).map(|(high, low)| high << 4 | low);
                let byte = byte.and_then(|byte| u8::try_from(byte).ok());
                bytes.push(byte.ok_or_else(|| InvalidPkcs11Uri::Percent(name.to_owned()))?);
            }
            c if c.is_ascii_alphanumeric() || plain.iter().any(|set| set.contains(c)) => {
                bytes.extend(u8::try_from(c));
            }
            _ => return Err(InvalidPkcs11Uri::Character(name.to_owned())),
        }
    }
    Ok(bytes)
}

/// Shows bytes with everything but letters, digits, a few marks and the given ones as %XX.
pub(super) struct Encoded<'a>(pub(super) &'a [u8], pub(super) &'static str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes, plain) = self;
        bytes.iter().try_for_each(|byte| match char::from(*byte) {
            c if c.is_ascii_alphanumeric() || "-._~".contains(c) || plain.contains(c) => {
                write!(f, "{c}")
            }
            _ => write!(f, "%{byte:02X}"),
        })
    }
}
