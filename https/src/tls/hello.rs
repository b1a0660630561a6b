//! What a ClientHello or a ServerHello says about the two extensions that Token Binding depends on
//! in TLS 1.2 (RFC 8472 §3).
//!
//! OpenSSL tells neither while the handshake goes on, and afterwards it is too late for the alert.
//! It has already checked the message's form where the form matters; anything that cannot be read
//! here counts as absent, so that a mistake costs Token Binding and nothing else.

use tokenbinding::negotiation::Handshake;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
/// RFC 7627 §5.1.
const EXTENDED_MASTER_SECRET: u16 = 23;
/// RFC 5746 §3.2.
const RENEGOTIATION_INFO: u16 = 0xff01;
/// `TLS_EMPTY_RENEGOTIATION_INFO_SCSV` (RFC 5746 §3.3), which a client may send in its place.
const RENEGOTIATION_SCSV: [u8; 2] = [0x00, 0xff];

/// Which of the two extensions a hello carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// `extended_master_secret`.
    pub extended_master_secret: bool,
    /// `renegotiation_info`, or in a ClientHello the cipher suite that stands for it.
    pub renegotiation_info: bool,
}

impl Hello {
    /// Reads a handshake message: type (1) ‖ length (3) ‖ body. `None` when it is no hello or
    /// cannot be read.
    #[must_use]
    pub fn read(message: &[u8]) -> Option<Self> {
        let (kind, body) = message.split_first()?;
        let mut body = Bytes(body.get(3..)?);
        body.take(2 + 32)?; // version, random
        body.vector8()?; // session id
        let scsv = match *kind {
            CLIENT_HELLO => {
                let suites = body.vector16()?;
                body.vector8()?; // compression methods
                suites
                    .chunks_exact(2)
                    .any(|suite| suite == RENEGOTIATION_SCSV)
            }
            SERVER_HELLO => {
                body.take(2 + 1)?; // cipher suite, compression method
                false
            }
            _ => return None,
        };
        let mut hello = Self {
            renegotiation_info: scsv,
            ..Self::default()
        };
        if body.0.is_empty() {
            return Some(hello);
        }
        let mut extensions = Bytes(body.vector16()?);
        while !extensions.0.is_empty() {
            let extension_type = extensions.number()?;
            extensions.vector16()?;
            hello.extended_master_secret |= extension_type == EXTENDED_MASTER_SECRET;
            hello.renegotiation_info |= extension_type == RENEGOTIATION_INFO;
        }
        Some(hello)
    }

    /// What it means for the negotiation in TLS 1.2.
    #[must_use]
    pub const fn tls12(self) -> Handshake {
        Handshake::Tls12 {
            extended_master_secret: self.extended_master_secret,
            renegotiation_info: self.renegotiation_info,
        }
    }
}

/// What is left of a message.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn vector8(&mut self) -> Option<&'a [u8]> {
        let length = self.take(1)?[0];
        self.take(length.into())
    }

    fn vector16(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(length.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, middle: &[u8], extensions: &[u8]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.push(0);
        body.extend(middle);
        body.extend(extensions);
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind], &length[1..], &body].concat()
    }

    fn hello(extended_master_secret: bool, renegotiation_info: bool) -> Option<Hello> {
        Some(Hello {
            extended_master_secret,
            renegotiation_info,
        })
    }

    #[test]
    fn the_two_extensions_are_found_in_either_hello() {
        let client = [0, 2, 0xc0, 0x2b, 1, 0];
        let server = [0xc0, 0x2b, 0];
        for (kind, middle) in [(CLIENT_HELLO, &client[..]), (SERVER_HELLO, &server)] {
            let both = [0, 9, 0, 23, 0, 0, 0xff, 1, 0, 1, 0];
            assert_eq!(
                Hello::read(&message(kind, middle, &both)),
                hello(true, true)
            );
            let one = [0, 4, 0, 23, 0, 0];
            assert_eq!(
                Hello::read(&message(kind, middle, &one)),
                hello(true, false)
            );
            assert_eq!(
                Hello::read(&message(kind, middle, &[])),
                hello(false, false)
            );
        }
        let scsv = [0, 4, 0xc0, 0x2b, 0, 0xff, 1, 0];
        let found = Hello::read(&message(CLIENT_HELLO, &scsv, &[]));
        assert_eq!(found, hello(false, true));
    }

    #[test]
    fn what_cannot_be_read_is_no_hello() {
        let whole = message(SERVER_HELLO, &[0xc0, 0x2b, 0], &[0, 4, 0, 23, 0, 0]);
        for length in (0..whole.len()).filter(|length| *length != whole.len() - 6) {
            assert_eq!(Hello::read(&whole[..length]), None, "{length}");
        }
        assert_eq!(Hello::read(&message(11, &[], &[])), None);
    }
}
