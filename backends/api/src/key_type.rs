//! The three kinds of key that RFC 8471 registers.

use std::{fmt, str::FromStr};

/// A kind of key pair and its signature scheme: the known values of `TokenBindingKeyParameters`
/// (RFC 8471 §3.1, §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum KeyType {
    /// RSA, 2048 bits, RSASSA-PKCS1-v1_5 with SHA-256; octet 0.
    Rsa2048Pkcs1_5 = 0,
    /// RSA, 2048 bits, RSASSA-PSS with SHA-256, MGF1-SHA-256 and a salt of 32 bytes; octet 1.
    Rsa2048Pss = 1,
    /// ECDSA on P-256 with SHA-256; octet 2.
    EcdsaP256 = 2,
}

impl KeyType {
    /// Every key type, the most preferred first.
    pub const ALL: [Self; 3] = [Self::EcdsaP256, Self::Rsa2048Pss, Self::Rsa2048Pkcs1_5];

    /// The octet that stands for it on the wire (RFC 8471 §6.1).
    #[must_use]
    pub const fn octet(self) -> u8 {
        self as u8
    }

    /// The key type of a wire octet, or `None` for an octet that RFC 8471 does not register.
    #[must_use]
    pub const fn from_octet(octet: u8) -> Option<Self> {
        match octet {
            0 => Some(Self::Rsa2048Pkcs1_5),
            1 => Some(Self::Rsa2048Pss),
            2 => Some(Self::EcdsaP256),
            _ => None,
        }
    }

    /// Its name in RFC 8471 §3.1.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rsa2048Pkcs1_5 => "rsa2048_pkcs1.5",
            Self::Rsa2048Pss => "rsa2048_pss",
            Self::EcdsaP256 => "ecdsap256",
        }
    }

    /// Bytes of a signature: 64 for ECDSA (R ‖ S), 256 for RSA.
    #[must_use]
    pub const fn signature_len(self) -> usize {
        match self {
            Self::EcdsaP256 => 64,
            Self::Rsa2048Pkcs1_5 | Self::Rsa2048Pss => 256,
        }
    }

    /// Whether it is one of the two RSA types.
    #[must_use]
    pub const fn is_rsa(self) -> bool {
        !matches!(self, Self::EcdsaP256)
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is not one of the three of RFC 8471.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown key type {0:?}: use ecdsap256, rsa2048_pss or rsa2048_pkcs1.5")]
pub struct UnknownKeyType(pub String);

impl FromStr for KeyType {
    type Err = UnknownKeyType;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| UnknownKeyType(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_octets_go_both_ways() {
        for kind in KeyType::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert_eq!(KeyType::from_octet(kind.octet()), Some(kind));
        }
        assert_eq!(KeyType::from_octet(3), None);
        assert!("ECDSAP256".parse::<KeyType>().is_err());
    }
}
