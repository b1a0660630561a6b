//! The name of a key pair on the wire, and its hash.

use std::{fmt, str::FromStr};

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};
use tokenbinding_backend::{KeyType, PublicKey};

use super::{Field, FieldName, ParseError, TokenBindingKeyParameters, parse, reader::Reader};

/// `TokenBindingID` (RFC 8471 §3.1): key parameters (1 byte) ‖ key length (2) ‖ public key.
///
/// 68 bytes for ecdsap256, 265 for RSA with the exponent 65537. Applications compare and store it
/// as opaque bytes (RFC 8471 §3.2).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenBindingId(Box<[u8]>);

impl TokenBindingId {
    /// The id of a public key that is used with the scheme of `kind`.
    ///
    /// # Panics
    /// When `public_key` is not of type `kind`.
    #[must_use]
    pub fn new(kind: KeyType, public_key: &PublicKey) -> Self {
        assert!(public_key.is_of(kind), "a {kind} id is of a {kind} key");
        let mut bytes = Vec::with_capacity(268);
        bytes.push(kind.octet());
        match public_key {
            PublicKey::EcdsaP256(key) => {
                bytes.extend([0, 65, 64]);
                bytes.extend(key.xy());
            }
            PublicKey::Rsa2048(key) => {
                let exponent = key.exponent().to_be_bytes();
                let zeros = exponent.iter().take_while(|byte| **byte == 0).count();
                let exponent = &exponent[zeros..];
                let digits = u8::try_from(exponent.len()).expect("a u64 has 8 bytes at most");
                bytes.extend((2 + 256 + 1 + u16::from(digits)).to_be_bytes());
                bytes.extend(256u16.to_be_bytes());
                bytes.extend(key.modulus());
                bytes.push(digits);
                bytes.extend(exponent);
            }
        }
        Self(bytes.into())
    }

    /// Reads an id that stands alone.
    ///
    /// # Errors
    /// [`ParseError`] for bytes that are not exactly one `TokenBindingID`.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        read(bytes)?;
        Ok(Self(bytes.into()))
    }

    pub(super) fn of_sound_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The kind of the key.
    #[must_use]
    pub fn key_parameters(&self) -> TokenBindingKeyParameters {
        TokenBindingKeyParameters::from_octet(self.0[0])
    }

    /// The public key; `None` where the parameters are unknown.
    #[must_use]
    pub fn public_key(&self) -> Option<PublicKey> {
        read(&self.0).ok().and_then(|(_, public_key)| public_key)
    }

    /// Its SHA-256, which tokens are bound to.
    #[must_use]
    pub fn tbh(&self) -> Tbh {
        Tbh(Sha256::digest(&self.0).into())
    }
}

fn read(bytes: &[u8]) -> Result<(TokenBindingKeyParameters, Option<PublicKey>), ParseError> {
    let observe = &mut |_: Field<'_>| ();
    let mut reader = Reader::new(bytes, observe);
    let parts = parse::token_binding_id(&mut reader)?;
    reader.finish(FieldName::KeyLength, 1)?;
    Ok(parts)
}

/// base64url without padding, as the headers of terminating proxies and the command spell it.
impl fmt::Display for TokenBindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        BASE64URL_NOPAD.encode_display(&self.0).fmt(f)
    }
}

impl fmt::Debug for TokenBindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenBindingId({self})")
    }
}

/// The hash of a [`TokenBindingId`]: the value of `tbh` in a token's `cnf` claim, SHA-256 over the
/// whole id (OAuth 2.0 Token Binding §3).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tbh([u8; 32]);

impl Tbh {
    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// 43 characters of base64url.
impl fmt::Display for Tbh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        BASE64URL_NOPAD.encode_display(&self.0).fmt(f)
    }
}

impl fmt::Debug for Tbh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tbh({self})")
    }
}

/// A text that is not 43 characters of base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tbh is 32 bytes in 43 characters of base64url without padding")]
pub struct InvalidTbh;

impl FromStr for Tbh {
    type Err = InvalidTbh;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = BASE64URL_NOPAD
            .decode(text.as_bytes())
            .map_err(|_| InvalidTbh)?;
        bytes.try_into().map(Self).map_err(|_| InvalidTbh)
    }
}
