//! The exported keying material of a TLS connection.

use std::fmt;

use data_encoding::HEXLOWER_PERMISSIVE;
use tokenbinding_backend::{KeyType, SignedData};
use zeroize::{Zeroize, Zeroizing};

use crate::TokenBindingType;

/// The 32 bytes that a TLS connection exports under [`Ekm::LABEL`] without context
/// (RFC 8471 §3.3, RFC 5705, RFC 8446 §7.5).
///
/// Who learns them can bind that connection to a key of his own (RFC 8473 §7.2): they are wiped on
/// drop and `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct Ekm([u8; Self::LEN]);

impl Ekm {
    /// Bytes of an EKM.
    pub const LEN: usize = 32;
    /// The exporter label (RFC 8471 §6.4).
    pub const LABEL: &str = "EXPORTER-Token-Binding";

    /// Wraps 32 exported bytes.
    #[must_use]
    pub const fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Reads 64 hexadecimal digits, upper or lower case.
    ///
    /// # Errors
    /// [`InvalidEkm`] for anything else.
    pub fn from_hex(hex: &str) -> Result<Self, InvalidEkm> {
        match HEXLOWER_PERMISSIVE
            .decode(hex.as_bytes())
            .map(Zeroizing::new)
        {
            Ok(bytes) => Self::try_from(bytes.as_slice()),
            Err(_) => Err(InvalidEkm::NotHex),
        }
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// What the signature of a binding on this connection covers: type (1) ‖ parameters (1) ‖ EKM
    /// (32) (RFC 8471 §3.3).
    #[must_use]
    pub fn signed_data(&self, binding_type: TokenBindingType, kind: KeyType) -> SignedData {
        let mut bytes = Zeroizing::new([0; SignedData::LEN]);
        bytes[0] = binding_type.octet();
        bytes[1] = kind.octet();
        bytes[2..].copy_from_slice(&self.0);
        SignedData::new(*bytes)
    }
}

impl TryFrom<&[u8]> for Ekm {
    type Error = InvalidEkm;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        let length = InvalidEkm::Length { found: bytes.len() };
        bytes.try_into().map(Self).map_err(|_| length)
    }
}

impl Drop for Ekm {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Ekm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ekm(..)")
    }
}

/// Why something is no EKM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEkm {
    /// It has not exactly 32 bytes.
    #[error(
        "the EKM has {found} bytes: export exactly 32 (64 hexadecimal digits) from the TLS \
         connection"
    )]
    Length {
        /// How many bytes it has.
        found: usize,
    },
    /// It is not written in hexadecimal.
    #[error("the EKM is not hexadecimal: write its 32 bytes as 64 digits 0-9 and a-f")]
    NotHex,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ekm_has_exactly_32_bytes() {
        assert!(Ekm::from_hex(&"aB".repeat(32)).is_ok());
        for (hex, error) in [
            ("ab".repeat(31), InvalidEkm::Length { found: 31 }),
            ("ab".repeat(33), InvalidEkm::Length { found: 33 }),
            (String::new(), InvalidEkm::Length { found: 0 }),
            ("a".repeat(63), InvalidEkm::NotHex),
            ("xy".repeat(32), InvalidEkm::NotHex),
        ] {
            assert_eq!(Ekm::from_hex(&hex), Err(error));
        }
    }

    #[test]
    fn the_signed_data_is_type_parameters_and_ekm() {
        let data = Ekm::new([7; 32]).signed_data(TokenBindingType::Referred, KeyType::EcdsaP256);
        assert_eq!(data.as_bytes()[..2], [1, 2]);
        assert_eq!(data.as_bytes()[2..], [7; 32]);
    }
}
