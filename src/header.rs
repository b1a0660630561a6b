//! The HTTP headers of RFC 8473: `Sec-Token-Binding`, whose value is base64url of one message (§2),
//! and `Include-Referred-Token-Binding-ID` (§5.3).

use data_encoding::BASE64URL_NOPAD;

use crate::message::MAX_MESSAGE_LEN;

/// `Sec-Token-Binding`, in lower case: one field in every request of a connection on which Token
/// Binding was negotiated.
pub const SEC_TOKEN_BINDING: &str = "sec-token-binding";
/// `Include-Referred-Token-Binding-ID`, in lower case: in a redirect, the sender's wish that the
/// next server sees the binding that the client has with the sender.
pub const INCLUDE_REFERRED_TOKEN_BINDING_ID: &str = "include-referred-token-binding-id";

/// Whether a response makes the next request carry a referred binding (RFC 8473 §5.3): a redirect
/// that answers a bound request, with exactly one `Include-Referred-Token-Binding-ID` of the value
/// `true` in upper or lower case. `values` are the values of all fields of that name.
pub fn refers<'a>(
    status: u16,
    request_was_bound: bool,
    values: impl IntoIterator<Item = &'a [u8]>,
) -> bool {
    let mut values = values.into_iter();
    (300..400).contains(&status)
        && request_was_bound
        && matches!((values.next(), values.next()), (Some(value), None)
            if value.eq_ignore_ascii_case(b"true"))
}

/// The most characters of a header value: base64url of the longest message.
pub const MAX_HEADER_LEN: usize = (MAX_MESSAGE_LEN * 4).div_ceil(3);

/// Why a header value is no base64url of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeader {
    /// It is longer than any message.
    #[error("the header has more than {MAX_HEADER_LEN} characters, which the longest has")]
    TooLong,
    /// A character that is not of the alphabet.
    #[error(
        "the header is not base64url: {} at position {position}",
        describe(*byte)
    )]
    Character {
        /// The character's byte.
        byte: u8,
        /// Bytes from the start of the header.
        position: usize,
    },
    /// The number of characters fits no number of bytes.
    #[error("the header is not base64url: it was cut short after {length} characters")]
    Length {
        /// How many characters it has.
        length: usize,
    },
    /// The last character has bits that no byte uses.
    #[error("the header is not base64url: its last character holds bits beyond the last byte")]
    TrailingBits,
}

fn describe(byte: u8) -> String {
    match byte {
        b'=' => "padding '=' (leave it out)".to_owned(),
        b'+' => "'+' of another alphabet (use '-')".to_owned(),
        b'/' => "'/' of another alphabet (use '_')".to_owned(),
        b',' => "',' (two headers joined into one)".to_owned(),
        byte if byte.is_ascii_whitespace() => "white space (leave it out)".to_owned(),
        byte => format!("{:?}", char::from(byte)),
    }
}

/// Decodes a header value: base64url without padding, white space or stray bits.
///
/// # Errors
/// [`InvalidHeader`].
pub fn decode(header: &str) -> Result<Vec<u8>, InvalidHeader> {
    if header.len() > MAX_HEADER_LEN {
        return Err(InvalidHeader::TooLong);
    }
    BASE64URL_NOPAD
        .decode(header.as_bytes())
        .map_err(|error| explain(header.as_bytes(), error.kind))
}

fn explain(header: &[u8], kind: data_encoding::DecodeKind) -> InvalidHeader {
    let foreign = |byte: &u8| !(byte.is_ascii_alphanumeric() || b"-_".contains(byte));
    if let Some(position) = header.iter().position(foreign) {
        let byte = header[position];
        return InvalidHeader::Character { byte, position };
    }
    match kind {
        data_encoding::DecodeKind::Trailing => InvalidHeader::TrailingBits,
        _ => InvalidHeader::Length {
            length: header.len(),
        },
    }
}

/// Encodes a message as a header value.
#[must_use]
pub fn encode(message: &[u8]) -> String {
    BASE64URL_NOPAD.encode(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_base64url_is_taken() {
        assert_eq!(decode("AP-_"), Ok(vec![0, 0xff, 0xbf]));
        assert_eq!(decode(&encode(&[1, 2, 3, 4])), Ok(vec![1, 2, 3, 4]));
        for (header, byte, position) in [
            ("AQ==", b'=', 2),
            ("AP+_", b'+', 2),
            ("AP-/", b'/', 3),
            ("AP-_ ", b' ', 4),
            ("AP\n-_", b'\n', 2),
            ("AP-_,AP-_", b',', 4),
            ("AP-é", 0xc3, 3),
        ] {
            assert_eq!(
                decode(header),
                Err(InvalidHeader::Character { byte, position })
            );
        }
        assert_eq!(decode("AP-_A"), Err(InvalidHeader::Length { length: 5 }));
        assert_eq!(decode("AB"), Err(InvalidHeader::TrailingBits));
        assert_eq!(decode("AA"), Ok(vec![0]));
    }

    #[test]
    fn only_a_redirect_that_says_true_once_refers() {
        let yes: &[&[u8]] = &[b"true"];
        assert!(refers(302, true, yes.iter().copied()));
        assert!(refers(399, true, [&b"TRUE"[..]]));
        assert!(!refers(200, true, yes.iter().copied()));
        assert!(!refers(400, true, yes.iter().copied()));
        assert!(!refers(302, false, yes.iter().copied()));
        let other: [&[&[u8]]; 5] = [&[], &[b"true", b"true"], &[b"true, true"], &[b"1"], &[b""]];
        for values in other {
            assert!(!refers(302, true, values.iter().copied()), "{values:?}");
        }
    }

    #[test]
    fn a_header_longer_than_any_message_is_not_decoded() {
        assert_eq!(encode(&[0; MAX_MESSAGE_LEN]).len(), MAX_HEADER_LEN);
        assert!(decode(&"A".repeat(MAX_HEADER_LEN)).is_ok());
        let result = decode(&"A".repeat(MAX_HEADER_LEN + 1));
        assert_eq!(result, Err(InvalidHeader::TooLong));
    }
}
