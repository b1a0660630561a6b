//! What is signed, the signature, and the check of one against the other.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroize;

use crate::{KeyType, PublicKey, Rsa2048PublicKey};

/// The 34 bytes that a token binding's signature covers: `tokenbinding_type` (1) ‖
/// `key_parameters` (1) ‖ EKM (32) (RFC 8471 §3.3).
///
/// Who learns the EKM of a connection can sign for it with a key of his own (RFC 8473 §7.2), so
/// it is wiped on drop and `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedData([u8; Self::LEN]);

impl SignedData {
    /// Bytes of signed data.
    pub const LEN: usize = 34;

    /// Wraps the bytes.
    #[must_use]
    pub const fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes, for a device that hashes by itself.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Their SHA-256, for a device that signs digests.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }
}

impl Drop for SignedData {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SignedData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SignedData(type {}, parameters {}, EKM)",
            self.0[0], self.0[1]
        )
    }
}

/// A signature in the form of RFC 8471 §3.3: R ‖ S for ECDSA, one big-endian number for RSA.
#[derive(Clone, PartialEq, Eq)]
pub enum Signature {
    /// R ‖ S, 32 bytes each, big-endian, leading zeros kept.
    EcdsaP256([u8; 64]),
    /// 256 bytes, for both RSA types.
    Rsa2048([u8; 256]),
}

impl Signature {
    /// The ECDSA signature of two big-endian numbers that a device returned with leading zeros
    /// added or dropped. `None` when one of them is empty or does not fit in 32 bytes.
    #[must_use]
    pub fn from_r_s(r: &[u8], s: &[u8]) -> Option<Self> {
        let mut bytes = [0; 64];
        for (half, number) in bytes.chunks_exact_mut(32).zip([r, s]) {
            let zeros = number.iter().take_while(|b| **b == 0).count();
            let digits = &number[zeros..];
            if digits.is_empty() || digits.len() > half.len() {
                return None;
            }
            let start = half.len() - digits.len();
            half[start..].copy_from_slice(digits);
        }
        Some(Self::EcdsaP256(bytes))
    }

    /// The bytes as they go into a token binding: 64 or 256.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::EcdsaP256(bytes) => bytes,
            Self::Rsa2048(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(")?;
        self.as_bytes()
            .iter()
            .try_for_each(|b| write!(f, "{b:02x}"))?;
        f.write_str(")")
    }
}

/// The signature was not made by this key over this data with this scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

impl PublicKey {
    /// Checks `signature` over `data` with the scheme of `kind`: ECDSA with R ‖ S of exactly 64
    /// bytes, or RSA with exactly 256 bytes; PSS with a salt of exactly 32 bytes.
    ///
    /// # Errors
    /// [`BadSignature`], also when `kind` is no type of this key.
    pub fn verify(
        &self,
        kind: KeyType,
        data: &SignedData,
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        let checked = match (self, kind) {
            (Self::EcdsaP256(key), KeyType::EcdsaP256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.sec1())
                    .verify(data.as_bytes(), signature)
            }
            (Self::Rsa2048(key), KeyType::Rsa2048Pkcs1_5) => {
                verify_rsa(key, &RSA_PKCS1_2048_8192_SHA256, data, signature)
            }
            (Self::Rsa2048(key), KeyType::Rsa2048Pss) => {
                verify_rsa(key, &RSA_PSS_2048_8192_SHA256, data, signature)
            }
            _ => return Err(BadSignature),
        };
        checked.map_err(|_| BadSignature)
    }
}

fn verify_rsa(
    key: &Rsa2048PublicKey,
    scheme: &'static RsaParameters,
    data: &SignedData,
    signature: &[u8],
) -> Result<(), aws_lc_rs::error::Unspecified> {
    let exponent = key.exponent().to_be_bytes();
    let zeros = exponent.iter().take_while(|b| **b == 0).count();
    let components = RsaPublicKeyComponents {
        n: key.modulus().as_slice(),
        e: &exponent[zeros..],
    };
    components.verify(scheme, data.as_bytes(), signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_device_are_padded_or_stripped_to_32_bytes() {
        let short = Signature::from_r_s(&[1, 2], &[0; 3]);
        assert_eq!(short, None, "zero is no number of a signature");
        let long = [&[0, 0][..], &[7; 32]].concat();
        let signature = Signature::from_r_s(&[1, 2], &long).expect("both fit");
        let bytes = signature.as_bytes();
        assert_eq!(bytes[..30], [0; 30]);
        assert_eq!(bytes[30..32], [1, 2]);
        assert_eq!(bytes[32..], [7; 32]);
        assert_eq!(Signature::from_r_s(&[7; 33], &[1]), None);
    }

    #[test]
    fn debug_does_not_show_the_ekm() {
        let data = SignedData::new([0xab; SignedData::LEN]);
        let text = format!("{data:?}");
        assert!(!text.contains("ab, ") && !text.contains("abab") && !text.contains("171, 171"));
    }
}
