//! What is kept of a key pair outside its device.

use std::{fmt, ops::RangeInclusive};

use crate::{KeyName, KeyType, P256PublicKey, PublicKey, Rsa2048PublicKey};

const VERSION: u8 = 1;
/// What is told from damage as a later version's.
const VERSIONS_TO_COME: RangeInclusive<u8> = 2..=15;
const NAME_LEN: usize = 32;
const EC_POINT_LEN: usize = 64;
const MODULUS_LEN: usize = 256;
const EXPONENT_LEN: usize = 8;

/// What a backend wants kept of a key pair so that it can open it again: the public key and bytes
/// of its own, which are of no use without the device.
///
/// Encoded: version 1 (1 byte) ‖ key type (1) ‖ [`KeyName`] (32) ‖ public key (P-256: X ‖ Y, 64;
/// RSA: modulus, 256 ‖ exponent, 8) ‖ the backend's bytes (the rest). Numbers are big-endian.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    name: KeyName,
    kind: KeyType,
    public_key: PublicKey,
    opaque: Box<[u8]>,
}

/// Bytes that no [`StoredKey`] encodes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStoredKey {
    /// A later version of this crate may have encoded them.
    #[error("a later version of this program stored the key (format {version})")]
    Newer {
        /// The version of the encoding.
        version: u8,
    },
    /// No version did.
    #[error("the stored key is damaged: {0}")]
    Damaged(&'static str),
}

impl StoredKey {
    /// A key pair of type `kind` by its device name, public half and the backend's own bytes.
    ///
    /// # Panics
    /// When `public_key` is not of type `kind`: a defect of the backend.
    #[must_use]
    pub fn new(
        name: KeyName,
        kind: KeyType,
        public_key: PublicKey,
        opaque: impl Into<Box<[u8]>>,
    ) -> Self {
        assert!(public_key.is_of(kind), "a {kind} key is stored as such");
        Self {
            name,
            kind,
            public_key,
            opaque: opaque.into(),
        }
    }

    /// The name under which the key was made.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The key's type.
    #[must_use]
    pub const fn kind(&self) -> KeyType {
        self.kind
    }

    /// The public half.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The backend's own bytes.
    #[must_use]
    pub const fn opaque(&self) -> &[u8] {
        &self.opaque
    }

    /// The bytes to keep.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, self.kind.octet()];
        bytes.extend(self.name.as_bytes());
        match &self.public_key {
            PublicKey::EcdsaP256(key) => bytes.extend(key.xy()),
            PublicKey::Rsa2048(key) => {
                bytes.extend(key.modulus());
                bytes.extend(key.exponent().to_be_bytes());
            }
        }
        bytes.extend(&self.opaque);
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`InvalidStoredKey`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidStoredKey> {
        let mut rest = bytes;
        let [version, octet] = *take::<2>(&mut rest, "it ends early")?;
        if version != VERSION {
            return Err(if VERSIONS_TO_COME.contains(&version) {
                InvalidStoredKey::Newer { version }
            } else {
                InvalidStoredKey::Damaged("no version of this program wrote it")
            });
        }
        let kind =
            KeyType::from_octet(octet).ok_or(InvalidStoredKey::Damaged("unknown key type"))?;
        let name = KeyName::from_bytes(*take::<NAME_LEN>(&mut rest, "it ends in its name")?);
        let public_key = if kind.is_rsa() {
            let modulus = take::<MODULUS_LEN>(&mut rest, "it ends in the modulus")?;
            let exponent = take::<EXPONENT_LEN>(&mut rest, "it ends in the exponent")?;
            Rsa2048PublicKey::new(modulus, u64::from_be_bytes(*exponent)).map(PublicKey::from)
        } else {
            let xy = take::<EC_POINT_LEN>(&mut rest, "it ends in the point")?;
            P256PublicKey::from_xy(xy).map(PublicKey::from)
        };
        let public_key =
            public_key.map_err(|_| InvalidStoredKey::Damaged("its public key is none"))?;
        Ok(Self::new(name, kind, public_key, rest))
    }
}

fn take<'a, const N: usize>(
    rest: &mut &'a [u8],
    or: &'static str,
) -> Result<&'a [u8; N], InvalidStoredKey> {
    let (head, tail) = rest
        .split_first_chunk()
        .ok_or(InvalidStoredKey::Damaged(or))?;
    *rest = tail;
    Ok(head)
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKey")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("public_key", &self.public_key)
            .field("opaque_len", &self.opaque.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::KeyId;

    fn stored(kind: KeyType, opaque: Vec<u8>) -> StoredKey {
        let generator = p256::Sec1Point::from(p256::AffinePoint::GENERATOR);
        let xy = generator.as_bytes()[1..].try_into().expect("64 bytes");
        let public_key = if kind.is_rsa() {
            Rsa2048PublicKey::new(&[0xff; 256], 65537)
                .expect("well-formed")
                .into()
        } else {
            P256PublicKey::from_xy(&xy).expect("on the curve").into()
        };
        let name = KeyId::new(crate::Profile::default(), "host:example.com").name(kind);
        StoredKey::new(name, kind, public_key, opaque)
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(kind in 0..3u8, opaque: Vec<u8>) {
            let kind = KeyType::from_octet(kind).expect("known");
            let stored = stored(kind, opaque);
            prop_assert_eq!(StoredKey::decode(&stored.encode()), Ok(stored));
        }

        #[test]
        fn whatever_decodes_encodes_to_the_same_bytes(bytes: Vec<u8>, kind in 0..4u8) {
            let bytes = [&[VERSION, kind][..], &bytes].concat();
            if let Ok(stored) = StoredKey::decode(&bytes) {
                prop_assert_eq!(stored.encode(), bytes);
            }
        }
    }

    #[test]
    fn a_key_of_a_later_version_is_told_from_a_damaged_one() {
        let mut bytes = stored(KeyType::EcdsaP256, vec![]).encode();
        let mut version = |version| {
            bytes[0] = version;
            StoredKey::decode(&bytes).unwrap_err()
        };
        assert_eq!(version(2), InvalidStoredKey::Newer { version: 2 });
        assert!(matches!(version(0), InvalidStoredKey::Damaged(_)));
        assert!(matches!(version(0xff), InvalidStoredKey::Damaged(_)));
    }

    #[test]
    fn a_key_cut_anywhere_in_its_fixed_part_is_damaged() {
        for kind in KeyType::ALL {
            let bytes = stored(kind, vec![]).encode();
            for end in 0..bytes.len() {
                assert!(
                    StoredKey::decode(&bytes[..end]).is_err(),
                    "{kind}, {end} bytes"
                );
            }
        }
    }
}
