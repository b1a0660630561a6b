//! The extension's body: `TokenBindingParameters` (RFC 8472 §2).

use std::fmt;

use super::Alert;
use crate::message::TokenBindingKeyParameters;

/// `TB_ProtocolVersion` (RFC 8472 §2). Versions are ordered by major, then minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProtocolVersion {
    /// Major version.
    pub major: u8,
    /// Minor version.
    pub minor: u8,
}

impl ProtocolVersion {
    /// Token Binding 1.0, the version of RFC 8471 and the only one here.
    pub const V1_0: Self = Self { major: 1, minor: 0 };
}

/// `1.0`.
impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The body of the extension in either direction: major (1) ‖ minor (1) ‖ count (1) ‖ 1 to 255
/// key parameters (1 each).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenBindingParameters {
    /// `token_binding_version`.
    pub version: ProtocolVersion,
    /// `key_parameters_list`: the client's in the order of its preference, the server's one.
    pub key_parameters: Vec<TokenBindingKeyParameters>,
}

impl TokenBindingParameters {
    /// Reads a body.
    ///
    /// # Errors
    /// [`InvalidExtension`] for an empty list, bytes that are missing and bytes left over.
    pub fn parse(body: &[u8]) -> Result<Self, InvalidExtension> {
        let [major, minor, count, list @ ..] = body else {
            return Err(InvalidExtension::Truncated { length: body.len() });
        };
        match (usize::from(*count), list.len()) {
            (0, _) => return Err(InvalidExtension::Empty),
            (count, found) if count != found => {
                return Err(InvalidExtension::Length { count, found });
            }
            _ => (),
        }
        Ok(Self {
            version: ProtocolVersion {
                major: *major,
                minor: *minor,
            },
            key_parameters: list
                .iter()
                .map(|octet| TokenBindingKeyParameters::from_octet(*octet))
                .collect(),
        })
    }

    /// Writes the body.
    ///
    /// # Panics
    /// When there is not one key parameter at least and 255 at most.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let count = u8::try_from(self.key_parameters.len())
            .ok()
            .filter(|count| *count > 0)
            .expect("a list holds 1 to 255 key parameters");
        let mut body = vec![self.version.major, self.version.minor, count];
        body.extend(self.key_parameters.iter().map(|kind| kind.octet()));
        body
    }
}

/// Why some bytes are no [`TokenBindingParameters`]. The alert is `decode_error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidExtension {
    /// There is no list.
    #[error("the token_binding extension was cut short after {length} bytes")]
    Truncated {
        /// Bytes that are there.
        length: usize,
    },
    /// The list is empty.
    #[error("the token_binding extension lists no key parameters")]
    Empty,
    /// The list has another length than it says.
    #[error("the token_binding extension counts {count} key parameters and holds {found} bytes")]
    Length {
        /// What it says.
        count: usize,
        /// What there is.
        found: usize,
    },
}

impl InvalidExtension {
    /// The alert that ends the handshake (RFC 8446 §6.2).
    #[must_use]
    pub const fn alert(self) -> Alert {
        Alert::DecodeError
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_as_it_was_written() {
        for body in [
            &b"\x01\x00\x01\x02"[..],
            b"\x01\x00\x03\x02\x01\x00",
            b"\x00\x0d\x02\x02\x7f",
        ] {
            let parameters = TokenBindingParameters::parse(body).unwrap();
            assert_eq!(parameters.encode(), body);
        }
    }

    #[test]
    fn a_body_with_a_wrong_length_is_refused() {
        for (body, error) in [
            (&b""[..], InvalidExtension::Truncated { length: 0 }),
            (b"\x01\x00", InvalidExtension::Truncated { length: 2 }),
            (b"\x01\x00\x00", InvalidExtension::Empty),
            (
                b"\x01\x00\x01",
                InvalidExtension::Length { count: 1, found: 0 },
            ),
            (
                b"\x01\x00\x01\x02\x01",
                InvalidExtension::Length { count: 1, found: 2 },
            ),
            (b"\x01\x00\x00\x02", InvalidExtension::Empty),
        ] {
            assert_eq!(TokenBindingParameters::parse(body), Err(error), "{body:?}");
        }
    }
}
