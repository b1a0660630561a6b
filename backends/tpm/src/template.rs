//! The public areas that keys are made from, and what becomes of the TPM's answers.
//!
//! The scheme stands in the key, so a key of one type never signs for another. A change here is a
//! change of every derived key: the template is an input of the derivation (TPM 2.0 Library,
//! Part 3, §24.1).

use tokenbinding_backend::{KeyType, P256PublicKey, PublicKey, Rsa2048PublicKey, Signature};
use tss_esapi::{
    attributes::{ObjectAttributes, ObjectAttributesBuilder},
    interface_types::{
        algorithm::{HashingAlgorithm, PublicAlgorithm},
        ecc::EccCurve,
        key_bits::RsaKeyBits,
    },
    structures::{
        EccParameter, EccPoint, EccScheme, HashScheme, Public, PublicBuilder, PublicEccParameters,
        PublicEccParametersBuilder, PublicKeyRsa, PublicRsaParametersBuilder, RsaExponent,
        RsaScheme, Signature as TpmSignature, SymmetricDefinitionObject,
    },
};

use crate::failure::{Failure, Result};

const SHA256: HashScheme = HashScheme::new(HashingAlgorithm::Sha256);

/// `failure` of building a template: a defect of ours.
fn defect(error: tss_esapi::Error) -> Failure {
    Failure::of("template", error)
}

/// fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, sign and noDA: 0x00040472. A key
/// with an authorization goes without noDA, so that guessing leads to lockout: 0x00040072.
fn signing_attributes(with_auth: bool) -> Result<ObjectAttributes> {
    ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_sign_encrypt(true)
        .with_no_da(!with_auth)
        .build()
        .map_err(defect)
}

fn point(x: &[u8], y: &[u8]) -> Result<EccPoint> {
    let x = EccParameter::try_from(x).map_err(defect)?;
    let y = EccParameter::try_from(y).map_err(defect)?;
    Ok(EccPoint::new(x, y))
}

fn ecc(
    attributes: ObjectAttributes,
    parameters: PublicEccParameters,
    unique: EccPoint,
) -> Result<Public> {
    PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::Ecc)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_ecc_parameters(parameters)
        .with_ecc_unique_identifier(unique)
        .build()
        .map_err(defect)
}

/// A P-256 signing key; `x` and `y`, 32 bytes each, are its point or what it is derived from.
fn p256(with_auth: bool, x: &[u8], y: &[u8]) -> Result<Public> {
    let parameters = PublicEccParametersBuilder::new_unrestricted_signing_key(
        EccScheme::EcDsa(SHA256),
        EccCurve::NistP256,
    );
    let parameters = parameters.build().map_err(defect)?;
    ecc(signing_attributes(with_auth)?, parameters, point(x, y)?)
}

/// An RSA-2048 signing key of type `kind` with the exponent 65537; `modulus` may be empty.
pub(crate) fn rsa2048(
    kind: KeyType,
    attributes: ObjectAttributes,
    modulus: &[u8],
) -> Result<Public> {
    let scheme = match kind {
        KeyType::Rsa2048Pss => RsaScheme::RsaPss(SHA256),
        _ => RsaScheme::RsaSsa(SHA256),
    };
    let parameters = PublicRsaParametersBuilder::new_unrestricted_signing_key(
        scheme,
        RsaKeyBits::Rsa2048,
        // Zero stands for 65537, the only exponent that every TPM has.
        RsaExponent::ZERO_EXPONENT,
    );
    PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::Rsa)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_rsa_parameters(parameters.build().map_err(defect)?)
        .with_rsa_unique_identifier(PublicKeyRsa::try_from(modulus).map_err(defect)?)
        .build()
        .map_err(defect)
}

/// The template of a derived P-256 key.
pub(crate) fn derived(x: &[u8; 32], y: &[u8; 32]) -> Result<Public> {
    p256(false, x, y)
}

/// The template of a new wrapped key.
pub(crate) fn new_wrapped(kind: KeyType, with_auth: bool) -> Result<Public> {
    match kind {
        KeyType::EcdsaP256 => p256(with_auth, &[], &[]),
        _ => rsa2048(kind, signing_attributes(with_auth)?, &[]),
    }
}

/// The public area of a wrapped key that exists. `TPM2_Load` checks it against the private half.
pub(crate) fn wrapped(kind: KeyType, with_auth: bool, key: &PublicKey) -> Result<Public> {
    match key {
        PublicKey::EcdsaP256(key) => {
            let (x, y) = key.xy().split_at(32);
            p256(with_auth, x, y)
        }
        PublicKey::Rsa2048(key) => rsa2048(kind, signing_attributes(with_auth)?, key.modulus()),
    }
}

/// A storage key by the TCG's template for ECC P-256 (EK Credential Profile, template L-2, with
/// the changes for a storage root of the TPM 2.0 Provisioning Guidance): userWithAuth and noDA,
/// no policy. `y` is all zero there; ours for ephemeral keys differs.
pub(crate) fn storage_root(y: &[u8; 32]) -> Result<Public> {
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_no_da(true)
        .with_restricted(true)
        .with_decrypt(true)
        .build()
        .map_err(defect)?;
    let parameters = PublicEccParametersBuilder::new_restricted_decryption_key(
        SymmetricDefinitionObject::AES_128_CFB,
        EccCurve::NistP256,
    );
    let parameters = parameters.build().map_err(defect)?;
    ecc(attributes, parameters, point(&[0; 32], y)?)
}

/// Whether children can be wrapped under this key.
pub(crate) fn is_storage_key(public: &Public) -> bool {
    let attributes = public.object_attributes();
    let asymmetric = matches!(public, Public::Rsa { .. } | Public::Ecc { .. });
    asymmetric && attributes.restricted() && attributes.decrypt() && !attributes.sign_encrypt()
}

/// Whether an object may have been made by this crate: a key without policy that is fixed to this
/// TPM and only signs, or a storage root by the template.
pub(crate) fn is_ours(public: &Public) -> bool {
    const OURS: [u32; 3] = [0x0004_0472, 0x0004_0072, 0x0003_0472];
    public.auth_policy().is_empty() && OURS.contains(&public.object_attributes().0)
}

/// The public key of a public area. Numbers come with leading zeros added or dropped.
pub(crate) fn public_key(public: &Public) -> Option<PublicKey> {
    match public {
        Public::Ecc { unique, .. } => {
            let mut xy = [0; 64];
            let (x, y) = xy.split_at_mut(32);
            pad(unique.x(), x)?;
            pad(unique.y(), y)?;
            P256PublicKey::from_xy(&xy).ok().map(PublicKey::from)
        }
        Public::Rsa { unique, .. } => {
            let modulus = unique.as_slice().try_into().ok()?;
            let key = Rsa2048PublicKey::new(modulus, Rsa2048PublicKey::F4);
            key.ok().map(PublicKey::from)
        }
        _ => None,
    }
}

/// Puts a big-endian number at the end of `field`.
fn pad(number: &[u8], field: &mut [u8]) -> Option<()> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..)?;
    let start = field.len().checked_sub(digits.len())?;
    field.get_mut(start..)?.copy_from_slice(digits);
    Some(())
}

/// The signature of a key of type `kind`, or `None` when the TPM returned one of another scheme
/// or size.
pub(crate) fn signature(kind: KeyType, signature: &TpmSignature) -> Option<Signature> {
    match (kind, signature) {
        (KeyType::EcdsaP256, TpmSignature::EcDsa(ecdsa)) => {
            Signature::from_r_s(ecdsa.signature_r(), ecdsa.signature_s())
        }
        (KeyType::Rsa2048Pkcs1_5, TpmSignature::RsaSsa(rsa))
        | (KeyType::Rsa2048Pss, TpmSignature::RsaPss(rsa)) => {
            let bytes = rsa.signature().as_slice().try_into().ok()?;
            Some(Signature::Rsa2048(bytes))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_cannot_be_exported_and_only_sign() {
        let attributes = |with_auth| signing_attributes(with_auth).expect("consistent").0;
        assert_eq!(attributes(false), 0x0004_0472);
        assert_eq!(attributes(true), 0x0004_0072);
    }

    #[test]
    fn numbers_are_padded_on_the_left_and_never_cut() {
        let mut field = [9; 4];
        assert_eq!(pad(&[1, 2], &mut field), Some(()));
        assert_eq!(field, [9, 9, 1, 2]);
        assert_eq!(pad(&[0, 1, 2, 3, 4], &mut field), Some(()));
        assert_eq!(field, [1, 2, 3, 4]);
        assert_eq!(pad(&[1, 2, 3, 4, 5], &mut field), None);
    }
}
