//! P-256 keys, derived from the master and a salt that the stored key holds.
//!
//! Stored: version 1 (1 byte) ‖ salt (32).

use aws_lc_rs::{
    rand::{self, SystemRandom},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use p256::{SecretKey, elliptic_curve::sec1::ToSec1Point as _};
use tokenbinding_backend::{
    DeviceKey, ErrorKind, KeyName, KeyType, P256PublicKey, PublicKey, Result, Signature,
    SignedData, StoredKey,
};

use crate::{
    Master,
    derive::{SALT_LEN, Use, derive},
    error,
    stack::wiped_after,
};

const CREATE: &str = "create a P-256 key";
const OPEN: &str = "open a P-256 key";
const SIGN: &str = "sign";
const VERSION: u8 = 1;

/// A P-256 key that is ready to sign.
#[derive(Debug)]
pub(crate) struct P256Key {
    pair: EcdsaKeyPair,
    public_key: PublicKey,
}

impl P256Key {
    /// Makes the key `name` with a new salt.
    pub(crate) fn create(master: &Master, name: KeyName) -> Result<(StoredKey, Self)> {
        let mut opaque = [VERSION; 1 + SALT_LEN];
        rand::fill(&mut opaque[1..]).map_err(|_| {
            error(
                ErrorKind::Internal,
                CREATE,
                "the system gives no randomness",
            )
        })?;
        let secret = scalar(master, &opaque[1..], &name);
        let public_key = public_key(&secret)?;
        let stored = StoredKey::new(name, KeyType::EcdsaP256, public_key.into(), opaque);
        let key = Self::load(&secret, &public_key)?;
        Ok((stored, key))
    }

    /// Derives a stored key again.
    pub(crate) fn open(master: &Master, stored: &StoredKey) -> Result<Self> {
        let damaged = || {
            let cause = "its salt has not the form of version 1";
            error(ErrorKind::Corrupt, OPEN, cause)
        };
        let PublicKey::EcdsaP256(public_key) = stored.public_key() else {
            return Err(damaged());
        };
        match stored.opaque() {
            [VERSION, salt @ ..] if salt.len() == SALT_LEN => {
                Self::load(&scalar(master, salt, stored.name()), public_key)
            }
            _ => Err(damaged()),
        }
    }

    /// Puts a private and a public half together, which must belong together.
    fn load(secret: &SecretKey, public_key: &P256PublicKey) -> Result<Self> {
        let scalar = zeroize::Zeroizing::new(secret.to_bytes());
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &scalar,
            public_key.sec1(),
        );
        let pair = pair.map_err(|_| {
            let cause = "the master and the salt give another key than the stored one";
            error(ErrorKind::KeyLost, OPEN, cause)
        })?;
        Ok(Self {
            pair,
            public_key: (*public_key).into(),
        })
    }
}

/// The private scalar: HKDF output that is not in 1..n−1 is passed over and the next one taken.
pub(crate) fn scalar(master: &Master, salt: &[u8], name: &KeyName) -> SecretKey {
    (0..=u8::MAX)
        .find_map(|counter| {
            let context = [name.as_bytes().as_slice(), &[counter]];
            let candidate = derive(master, salt, Use::P256Scalar, &context);
            SecretKey::from_slice(&*candidate).ok()
        })
        .expect("256 candidates in a row are out of range with probability 2^-8192")
}

fn public_key(secret: &SecretKey) -> Result<P256PublicKey> {
    let point = secret.public_key().to_sec1_point(false);
    let xy = point.as_bytes().last_chunk();
    xy.and_then(|xy| P256PublicKey::from_xy(xy).ok())
        .ok_or_else(|| error(ErrorKind::Internal, CREATE, "the public key is no point"))
}

impl DeviceKey for P256Key {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn sign(&self, data: &SignedData) -> Result<Signature> {
        let signature = wiped_after(|| self.pair.sign(&SystemRandom::new(), data.as_bytes()))
            .map_err(|_| error(ErrorKind::Internal, SIGN, "ECDSA failed"))?;
        let bytes = signature.as_ref().try_into();
        bytes
            .map(Signature::EcdsaP256)
            .map_err(|_| error(ErrorKind::Internal, SIGN, "the signature has not 64 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use tokenbinding_backend::{KeyId, Profile};

    use super::*;

    /// Pins the derivation: stored keys must open with every later version. The expected point was
    /// computed apart from this code, with Python's `hmac` and textbook curve arithmetic.
    #[test]
    fn the_derivation_does_not_change() {
        let mut master = Master::zeroed().unwrap();
        master.as_bytes_mut().fill(0x11);
        let name = KeyId::new(Profile::default(), "host:example.com").name(KeyType::EcdsaP256);
        let public_key = public_key(&scalar(&master, &[0x22; SALT_LEN], &name)).unwrap();
        let expected = "P256PublicKey(f92bdb209bd7e58a36754e8699cc3444c76931643a4f03eeca2b00dba15ea5fb0c99b9b520a2bc4ce63ae41276ffe4e790545095d75a63b6d916036d25e7dd55)";
        assert_eq!(format!("{public_key:?}"), expected);
    }
}
