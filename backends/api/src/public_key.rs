//! Public keys that are known to be well-formed.

use std::fmt;

use p256::elliptic_curve::sec1::FromSec1Point as _;

use crate::KeyType;

/// Why some bytes are no public key of RFC 8471 §3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPublicKey {
    /// X and Y are not a point of P-256.
    #[error("the point is not on the curve P-256")]
    OffCurve,
    /// The modulus has not exactly 2048 bits.
    #[error("the RSA modulus has not exactly 2048 bits")]
    ModulusSize,
    /// The modulus is even.
    #[error("the RSA modulus is even")]
    ModulusEven,
    /// The exponent is even, below 3, or 2^33 or more.
    #[error("the RSA exponent is not an odd number from 3 to 2^33 - 1")]
    Exponent,
}

/// A point of P-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct P256PublicKey {
    /// SEC 1 uncompressed form: 0x04 ‖ X ‖ Y.
    sec1: [u8; 65],
}

impl P256PublicKey {
    /// The point of the affine coordinates X ‖ Y, 32 bytes each, big-endian.
    ///
    /// # Errors
    /// [`InvalidPublicKey::OffCurve`].
    pub fn from_xy(xy: &[u8; 64]) -> Result<Self, InvalidPublicKey> {
        let mut sec1 = [4; 65];
        sec1[1..].copy_from_slice(xy);
        let point = p256::Sec1Point::from_bytes(sec1).map_err(|_| InvalidPublicKey::OffCurve)?;
        let on_curve = p256::AffinePoint::from_sec1_point(&point).is_some();
        if on_curve.to_bool() {
            Ok(Self { sec1 })
        } else {
            Err(InvalidPublicKey::OffCurve)
        }
    }

    /// X ‖ Y, 32 bytes each, leading zeros kept: the body of a `TB_ECPoint`.
    #[must_use]
    pub const fn xy(&self) -> &[u8; 64] {
        let [_, xy @ ..] = &self.sec1;
        xy
    }

    /// SEC 1 uncompressed form, 65 bytes: 0x04 ‖ X ‖ Y.
    #[must_use]
    pub const fn sec1(&self) -> &[u8; 65] {
        &self.sec1
    }
}

impl fmt::Debug for P256PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("P256PublicKey(")?;
        self.xy().iter().try_for_each(|b| write!(f, "{b:02x}"))?;
        f.write_str(")")
    }
}

/// An RSA public key with a modulus of exactly 2048 bits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Rsa2048PublicKey {
    modulus: [u8; 256],
    exponent: u64,
}

impl Rsa2048PublicKey {
    /// The usual exponent, 65537.
    pub const F4: u64 = 65537;
    const MAX_EXPONENT: u64 = (1 << 33) - 1;

    /// The key of a big-endian `modulus` and an `exponent`.
    ///
    /// # Errors
    /// [`InvalidPublicKey`] when the modulus has a leading zero bit or is even, or the exponent is
    /// not an odd number from 3 to 2^33 − 1.
    pub fn new(modulus: &[u8; 256], exponent: u64) -> Result<Self, InvalidPublicKey> {
        if modulus[0] < 0x80 {
            return Err(InvalidPublicKey::ModulusSize);
        }
        if modulus[255] & 1 == 0 {
            return Err(InvalidPublicKey::ModulusEven);
        }
        if exponent & 1 == 0 || !(3..=Self::MAX_EXPONENT).contains(&exponent) {
            return Err(InvalidPublicKey::Exponent);
        }
        Ok(Self {
            modulus: *modulus,
            exponent,
        })
    }

    /// The modulus, big-endian.
    #[must_use]
    pub const fn modulus(&self) -> &[u8; 256] {
        &self.modulus
    }

    /// The public exponent.
    #[must_use]
    pub const fn exponent(&self) -> u64 {
        self.exponent
    }
}

impl fmt::Debug for Rsa2048PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rsa2048PublicKey(")?;
        self.modulus[..8]
            .iter()
            .try_for_each(|b| write!(f, "{b:02x}"))?;
        write!(f, "…, {})", self.exponent)
    }
}

/// The public half of a key pair.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PublicKey {
    /// For [`KeyType::EcdsaP256`].
    EcdsaP256(P256PublicKey),
    /// For both RSA types.
    Rsa2048(Box<Rsa2048PublicKey>),
}

impl PublicKey {
    /// Whether this is a key of type `kind`.
    #[must_use]
    pub const fn is_of(&self, kind: KeyType) -> bool {
        match self {
            Self::EcdsaP256(_) => matches!(kind, KeyType::EcdsaP256),
            Self::Rsa2048(_) => kind.is_rsa(),
        }
    }
}

impl From<P256PublicKey> for PublicKey {
    fn from(key: P256PublicKey) -> Self {
        Self::EcdsaP256(key)
    }
}

impl From<Rsa2048PublicKey> for PublicKey {
    fn from(key: Rsa2048PublicKey) -> Self {
        Self::Rsa2048(Box::new(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_points_of_the_curve_are_taken() {
        let generator = p256::Sec1Point::from(p256::AffinePoint::GENERATOR);
        let mut xy: [u8; 64] = generator.as_bytes()[1..].try_into().expect("64 bytes");
        assert_eq!(P256PublicKey::from_xy(&xy).map(|key| *key.xy()), Ok(xy));
        xy[63] ^= 1;
        assert_eq!(P256PublicKey::from_xy(&xy), Err(InvalidPublicKey::OffCurve));
        for coordinate in [0, 0xff] {
            let outside = [coordinate; 64];
            assert_eq!(
                P256PublicKey::from_xy(&outside),
                Err(InvalidPublicKey::OffCurve)
            );
        }
    }

    #[test]
    fn rsa_numbers_have_the_demanded_form() {
        let good = [0xff; 256];
        let with = |place: usize, byte| {
            let mut modulus = good;
            modulus[place] = byte;
            modulus
        };
        for exponent in [3, 65537, (1 << 33) - 1] {
            assert!(Rsa2048PublicKey::new(&good, exponent).is_ok());
        }
        for exponent in [0, 1, 2, 65536, 1 << 33, (1 << 33) + 1, u64::MAX] {
            let result = Rsa2048PublicKey::new(&good, exponent);
            assert_eq!(result, Err(InvalidPublicKey::Exponent), "{exponent}");
        }
        let result = Rsa2048PublicKey::new(&with(0, 0x7f), 3);
        assert_eq!(result, Err(InvalidPublicKey::ModulusSize));
        let result = Rsa2048PublicKey::new(&with(255, 0xfe), 3);
        assert_eq!(result, Err(InvalidPublicKey::ModulusEven));
    }
}
