//! RSA-2048 keys: random, and sealed under the master with AES-256-GCM.
//!
//! Stored: version 1 (1 byte) ‖ salt (32) ‖ nonce (12) ‖ sealed PKCS#8 key with its tag (16). The
//! sealing key is derived from master and salt; the [`KeyName`] is associated data.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    encoding::AsDer as _,
    rand::{self, SystemRandom},
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding},
};
use tokenbinding_backend::{
    DeviceKey, ErrorKind, KeyName, KeyType, PublicKey, Result, Rsa2048PublicKey, Signature,
    SignedData, StoredKey,
};
use zeroize::Zeroizing;

use crate::{
    Master,
    derive::{SALT_LEN, Use, derive},
    error,
    stack::wiped_after,
};

const CREATE: &str = "create an RSA key";
const OPEN: &str = "open an RSA key";
const SIGN: &str = "sign";
const VERSION: u8 = 1;

/// An RSA key that is ready to sign.
pub(crate) struct RsaKey {
    pair: KeyPair,
    public_key: PublicKey,
    scheme: &'static dyn RsaEncoding,
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RsaKey").field(&self.public_key).finish()
    }
}

impl RsaKey {
    /// Makes a random key and seals it.
    pub(crate) fn create(
        master: &Master,
        name: KeyName,
        kind: KeyType,
    ) -> Result<(StoredKey, Self)> {
        let failed = |what| error(ErrorKind::Internal, CREATE, what);
        let pair =
            KeyPair::generate(KeySize::Rsa2048).map_err(|_| failed("no key was generated"))?;
        let public_key = public_key(&pair).ok_or_else(|| failed("not an RSA-2048 key"))?;
        let pkcs8 = pair
            .as_der()
            .map_err(|_| failed("the key has no PKCS#8 form"))?;
        let opaque = seal(master, &name, pkcs8.as_ref()).ok_or_else(|| failed("sealing failed"))?;
        let stored = StoredKey::new(name, kind, public_key.clone(), opaque);
        Ok((stored, Self::new(pair, public_key, kind)))
    }

    /// Unseals a stored key.
    pub(crate) fn open(master: &Master, stored: &StoredKey) -> Result<Self> {
        let cause = "the master does not unseal it";
        let pkcs8 = unseal(master, stored.name(), stored.opaque())
            .ok_or_else(|| error(ErrorKind::KeyLost, OPEN, cause))?;
        let pair =
            KeyPair::from_pkcs8(&pkcs8).map_err(|cause| error(ErrorKind::Corrupt, OPEN, cause))?;
        match public_key(&pair) {
            Some(public_key) if public_key == *stored.public_key() => {
                Ok(Self::new(pair, public_key, stored.kind()))
            }
            _ => Err(error(
                ErrorKind::Corrupt,
                OPEN,
                "its halves do not belong together",
            )),
        }
    }

    fn new(pair: KeyPair, public_key: PublicKey, kind: KeyType) -> Self {
        let scheme: &'static dyn RsaEncoding = match kind {
            KeyType::Rsa2048Pss => &RSA_PSS_SHA256,
            _ => &RSA_PKCS1_SHA256,
        };
        Self {
            pair,
            public_key,
            scheme,
        }
    }
}

fn public_key(pair: &KeyPair) -> Option<PublicKey> {
    let public_key = pair.public_key();
    let modulus = public_key
        .modulus()
        .big_endian_without_leading_zero()
        .try_into()
        .ok()?;
    let exponent = public_key.exponent().big_endian_without_leading_zero();
    let exponent = exponent.iter().try_fold(0u64, |value, byte| {
        Some(value.checked_mul(256)? + u64::from(*byte))
    })?;
    Rsa2048PublicKey::new(modulus, exponent)
        .ok()
        .map(PublicKey::from)
}

fn sealing_key(master: &Master, salt: &[u8]) -> Option<RandomizedNonceKey> {
    let key = derive(master, salt, Use::RsaSeal, &[]);
    RandomizedNonceKey::new(&AES_256_GCM, &*key).ok()
}

fn seal(master: &Master, name: &KeyName, pkcs8: &[u8]) -> Option<Vec<u8>> {
    let mut salt = [0; SALT_LEN];
    rand::fill(&mut salt).ok()?;
    // Exactly as long as it becomes: a vector that grows leaves a plain copy behind.
    let mut sealed = Zeroizing::new(Vec::with_capacity(pkcs8.len() + AES_256_GCM.tag_len()));
    sealed.extend(pkcs8);
    let nonce = sealing_key(master, &salt)?
        .seal_in_place_append_tag(Aad::from(name.as_bytes()), &mut *sealed)
        .ok()?;
    Some([&[VERSION][..], &salt, nonce.as_ref(), &sealed].concat())
}

pub(crate) fn unseal(master: &Master, name: &KeyName, opaque: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (&[VERSION], rest) = opaque.split_first_chunk()? else {
        return None;
    };
    let (salt, rest) = rest.split_first_chunk::<SALT_LEN>()?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
    let mut sealed = Zeroizing::new(sealed.to_vec());
    let opened = sealing_key(master, salt)?
        .open_in_place(Nonce::from(nonce), Aad::from(name.as_bytes()), &mut sealed)
        .ok()?
        .len();
    sealed.truncate(opened);
    Some(sealed)
}

impl DeviceKey for RsaKey {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn sign(&self, data: &SignedData) -> Result<Signature> {
        let mut signature = [0; 256];
        let rng = SystemRandom::new();
        wiped_after(|| {
            self.pair
                .sign(self.scheme, &rng, data.as_bytes(), &mut signature)
        })
        .map_err(|_| error(ErrorKind::Internal, SIGN, "RSA failed"))?;
        Ok(Signature::Rsa2048(signature))
    }
}
