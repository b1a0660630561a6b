//! Exported public keys: CNG's blobs and the body of RFC 8471 §3.2.
//!
//! A CNG blob starts with little-endian numbers, its first one telling what it is; keys follow
//! big-endian. No body of RFC 8471 starts the same way, so one look tells which it is.

use tokenbinding::{KeyType, TokenBindingId};
use tokenbinding_backend::{P256PublicKey, PublicKey, Rsa2048PublicKey};

use crate::{
    failure::{Failure, Result},
    status::Cause,
};

/// `BCRYPT_ECDSA_PUBLIC_P256_MAGIC`: "ECS1".
const ECS1: &[u8; 4] = b"ECS1";
/// `BCRYPT_RSAPUBLIC_MAGIC`: "RSA1".
const RSA1: &[u8; 4] = b"RSA1";
/// The most bytes of an exported key that is taken: an RSA blob with an exponent as long as its
/// modulus.
pub(crate) const MAX_LEN: usize = 24 + 256 + 256;

/// The id of an exported public key that is used with the scheme of `kind`.
pub(crate) fn token_binding_id(kind: KeyType, exported: &[u8]) -> Result<TokenBindingId> {
    let public_key = match exported.split_first_chunk() {
        Some((ECS1, rest)) => ecc_public_blob(rest)?.into(),
        Some((RSA1, rest)) => rsa_public_blob(rest)?.into(),
        _ => return rfc_body(kind, exported),
    };
    if !PublicKey::is_of(&public_key, kind) {
        let text = format!("publicKey is not a key for {kind}");
        return Err(Failure::new(Cause::BadKeyBlob, text));
    }
    Ok(TokenBindingId::new(kind, &public_key))
}

/// `BCRYPT_ECCPUBLIC_BLOB` behind its magic: cbKey (4) = 32 ‖ X (32) ‖ Y (32).
fn ecc_public_blob(blob: &[u8]) -> Result<P256PublicKey> {
    let (size, rest) = number(blob)?;
    if size != 32 {
        return Err(bad_length(format!("cbKey is {size} and must be 32")));
    }
    let xy = rest
        .try_into()
        .map_err(|_| bad_length(format!("{} bytes follow its header and not 64", rest.len())))?;
    Ok(P256PublicKey::from_xy(xy)?)
}

/// `BCRYPT_RSAPUBLIC_BLOB` behind its magic: `BitLength` (4) ‖ cbPublicExp (4) ‖ cbModulus (4) ‖
/// cbPrime1 (4) = 0 ‖ cbPrime2 (4) = 0 ‖ exponent ‖ modulus.
fn rsa_public_blob(blob: &[u8]) -> Result<Rsa2048PublicKey> {
    let (bits, rest) = number(blob)?;
    let (exponent_size, rest) = number(rest)?;
    let (modulus_size, rest) = number(rest)?;
    let (prime1_size, rest) = number(rest)?;
    let (prime2_size, rest) = number(rest)?;
    if (bits, modulus_size) != (2048, 256) {
        let text =
            format!("publicKey has {bits} bits in {modulus_size} bytes: only 2048 are taken");
        return Err(Failure::new(Cause::BadPublicKey, text));
    }
    if (prime1_size, prime2_size) != (0, 0) {
        return Err(Failure::new(
            Cause::BadKeyBlob,
            "publicKey is a private key: export the public one",
        ));
    }
    let split = rest.split_last_chunk::<256>();
    let (exponent, modulus) = split
        .filter(|(exponent, _)| u32::try_from(exponent.len()) == Ok(exponent_size))
        .ok_or_else(|| bad_length(format!("{} bytes follow its header", rest.len())))?;
    Ok(Rsa2048PublicKey::new(modulus, exponent_of(exponent)?)?)
}

/// The number of big-endian bytes, which may start with zeros here.
fn exponent_of(bytes: &[u8]) -> Result<u64> {
    let start = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = &bytes[start..];
    if bytes.len() > 8 {
        return Err(Failure::new(
            Cause::BadPublicKey,
            "the RSA exponent has more than 64 bits",
        ));
    }
    Ok(bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// What follows `key_length` in a `TokenBindingID`.
fn rfc_body(kind: KeyType, body: &[u8]) -> Result<TokenBindingId> {
    let length = u16::try_from(body.len()).map_err(|_| bad_length("it is too long"))?;
    let [high, low] = length.to_be_bytes();
    let id = [&[kind.octet(), high, low], body].concat();
    Ok(TokenBindingId::parse(&id)?)
}

/// A little-endian number and what follows it.
fn number(blob: &[u8]) -> Result<(u32, &[u8])> {
    let (number, rest) = blob
        .split_first_chunk()
        .ok_or_else(|| bad_length("its header is cut short"))?;
    Ok((u32::from_le_bytes(*number), rest))
}

fn bad_length(what: impl std::fmt::Display) -> Failure {
    Failure::new(
        Cause::BadLength,
        format!("publicKey is no key blob: {what}"),
    )
}
