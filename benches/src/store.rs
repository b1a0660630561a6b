//! Stores and configurations to measure with.

use std::path::Path;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use tempfile::TempDir;
use tokenbinding::{
    Config, KeyType, ProviderChoice,
    config::Pkcs11Config,
    key_map::{KeyMap, KeyRow},
};
use tokenbinding_backend::{KeyId, P256PublicKey, Profile, StoredKey, private};
use tokenbinding_devices::softhsm;

/// The device of the keys in [`of_targets`].
pub const DEVICE: &str = "software:0123456789abcdef";

/// The `number`th target of [`of_targets`].
#[must_use]
pub fn id_of_target(number: usize) -> KeyId {
    KeyId::new(Profile::default(), format!("host:site-{number}.example"))
}

/// A store whose key map has a P-256 key for each of so many targets. It is filled in memory, where
/// nothing waits for a disk, and then copied to one.
///
/// # Panics
/// When there is no room for it.
#[must_use]
pub fn of_targets(targets: usize) -> TempDir {
    const P256: KeyType = KeyType::EcdsaP256;
    let in_memory = tempfile::tempdir_in("/dev/shm").expect("a folder in memory");
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let xy = pair.public_key().as_ref().last_chunk().expect("65 bytes");
    let public_key = P256PublicKey::from_xy(xy).expect("a point");
    let map = KeyMap::open(in_memory.path()).expect("a key map");
    for number in 0..targets {
        let id = id_of_target(number);
        let opaque = [&[1][..], &[7; 32]].concat();
        let stored = StoredKey::new(id.name(P256), P256, public_key.into(), opaque);
        let row = KeyRow::new(id, &stored, DEVICE, "elsewhere");
        map.add(&row).expect("a row");
    }
    drop(map);
    let on_disk = tempfile::tempdir().expect("a folder");
    for file in std::fs::read_dir(in_memory.path()).expect("its files") {
        let file = file.expect("a file");
        std::fs::copy(file.path(), on_disk.path().join(file.file_name())).expect("a copy");
    }
    on_disk
}

/// The configuration of the SoftHSM token `label` behind `module`, with all files in `dir`.
///
/// # Panics
/// When the file of the PIN cannot be made.
#[must_use]
pub fn of_token(dir: &Path, module: &str, label: &str) -> Config {
    let pin = dir.join("pin");
    private::create(&pin, softhsm::PIN.as_bytes()).expect("a file for the PIN");
    Config {
        provider: Some(ProviderChoice::Pkcs11),
        store: Some(dir.join("store")),
        pin_file: Some(pin),
        pkcs11: Pkcs11Config {
            uri: Some(format!("pkcs11:token={label}?module-path={module}").into()),
            ..Pkcs11Config::default()
        },
        ..Config::default()
    }
}
