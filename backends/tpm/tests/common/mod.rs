//! What the tests on swtpm share.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::sync::Arc;

use tokenbinding_backend::{
    Backend as _, DeviceKey, ErrorKind, KeyId, KeyType, Profile, Result, SignedData, StoredKey,
};
use tokenbinding_tpm::{TpmBackend, TpmConfig};
use zeroize::Zeroizing;

pub(crate) const P256: KeyType = KeyType::EcdsaP256;

/// The TPM at `tcti`, with nothing chosen.
pub(crate) fn config(tcti: String) -> TpmConfig {
    TpmConfig {
        tcti: Some(tcti),
        ..TpmConfig::default()
    }
}

pub(crate) fn open(tcti: String) -> TpmBackend {
    TpmBackend::open(&config(tcti)).expect("the TPM opens")
}

pub(crate) fn secret(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    Some(Zeroizing::new(text.as_bytes().to_vec()))
}

pub(crate) fn id(scope: &str) -> KeyId {
    KeyId::new(Profile::default(), scope)
}

pub(crate) fn data(kind: KeyType) -> SignedData {
    let mut bytes = [0x5a; SignedData::LEN];
    bytes[..2].copy_from_slice(&[0, kind.octet()]);
    SignedData::new(bytes)
}

pub(crate) fn create(backend: &TpmBackend, kind: KeyType) -> (StoredKey, Arc<dyn DeviceKey>) {
    let created = backend.create(&id("host:example.com"), kind);
    created.expect("the TPM makes a key")
}

/// Signs, and checks the signature.
pub(crate) fn sign(key: &dyn DeviceKey, kind: KeyType) -> Result<()> {
    let data = data(kind);
    let signature = key.sign(&data)?;
    let checked = key.public_key().verify(kind, &data, signature.as_bytes());
    assert_eq!(checked, Ok(()), "the signature of a {kind} key");
    Ok(())
}

pub(crate) fn assert_signs(key: &dyn DeviceKey, kind: KeyType) {
    sign(key, kind).unwrap_or_else(|error| panic!("signing with a {kind} key: {error}"));
}

/// The kind and the text of an error.
pub(crate) fn failed<T>(result: Result<T>) -> (ErrorKind, String) {
    match result {
        Ok(_) => panic!("it should have failed"),
        Err(error) => (error.kind(), error.to_string()),
    }
}
