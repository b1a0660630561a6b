//! What a process that used the keystore has left of its secrets: nothing.
//!
//! A child process opens the keystore, makes, opens and uses keys, and drops everything. Its memory is
//! read from outside while the keys are held, where their private halves are found, and afterwards,
//! where no secret is.

use std::{env, ffi::OsString, fs, path::Path};

use tempfile::TempDir;
use tokenbinding_backend::{Backend as _, KeyId, KeyType, Profile, SignedData, StoredKey, private};
use tokenbinding_devices::{
    memory::{Needle, Watched, pause},
    own_process::is_child,
    this_test,
};
use zeroize::Zeroizing;

use crate::{
    Master, MasterSource, SoftwareBackend,
    derive::{SALT_LEN, Use, derive},
    p256_key, rsa_key,
};

/// Names the folder that parent and child share.
const FOLDER: &str = "TOKENBINDING_WIPED";

/// What the child does: with the keystore of `source`, to the keys that it made and to those that
/// were there.
fn child(source: fn(&Path) -> MasterSource) {
    let folder = env::var_os(FOLDER).unwrap();
    let folder = Path::new(&folder);
    let backend = SoftwareBackend::open(&source(folder)).unwrap();
    let mut keys = Vec::new();
    for kind in KeyType::ALL {
        let id = KeyId::new(Profile::default(), "host:made.example");
        let (stored, key) = backend.create(&id, kind).unwrap();
        fs::write(folder.join(kind.name()), stored.encode()).unwrap();
        key.sign(&SignedData::new([7; SignedData::LEN])).unwrap();
        keys.push(key);
        keys.push(backend.open(&stored).unwrap());
    }
    for key in &keys {
        key.sign(&SignedData::new([7; SignedData::LEN])).unwrap();
    }
    pause("held");
    drop((keys, backend));
    pause("dropped");
}

/// Watches the child of the test that `closure` stands in: `planted` secrets are gone in the end, and
/// so is everything that hangs on them.
fn watch(closure: &str, folder: &TempDir, source: &MasterSource, planted: &[Needle]) {
    let environment = [(FOLDER, OsString::from(folder.path()))];
    let mut child = Watched::start(closure, &environment);
    child.wait_for("held");
    let master = source.open().unwrap();
    let mut secrets = planted.to_vec();
    secrets.push(needle("the master", master.as_bytes()));
    for kind in KeyType::ALL {
        let stored = fs::read(folder.path().join(kind.name())).unwrap();
        let stored = StoredKey::decode(&stored).unwrap();
        secrets.extend(secrets_of(&master, &stored));
    }
    // Arithmetic has numbers in little-endian order.
    let reversed = secrets.clone().into_iter().map(|(name, mut bytes)| {
        bytes.reverse();
        (name, bytes)
    });
    let secrets: Vec<_> = secrets.iter().cloned().chain(reversed).collect();
    let held = child.find(&secrets);
    for name in [
        "the master",
        "a P-256 scalar",
        "p of an RSA key",
        "q of an RSA key",
    ] {
        assert!(
            held.iter().any(|(found, _)| *found == name),
            "{name} is not found while it is held: the search is of no use"
        );
    }
    child.go_on();
    child.wait_for("dropped");
    let left = child.find(&secrets);
    assert!(left.is_empty(), "{left:#?}");
    child.finish();
}

fn needle(name: &str, secret: &[u8]) -> Needle {
    (name.to_owned(), secret.to_vec())
}

/// What leads to the private half of a key.
fn secrets_of(master: &Master, stored: &StoredKey) -> Vec<Needle> {
    let salt = &stored.opaque()[1..][..SALT_LEN];
    if !stored.kind().is_rsa() {
        let scalar = p256_key::scalar(master, salt, stored.name());
        return vec![needle("a P-256 scalar", &scalar.to_bytes())];
    }
    let pkcs8 = rsa_key::unseal(master, stored.name(), stored.opaque()).unwrap();
    let sealing_key = derive(master, salt, Use::RsaSeal, &[]);
    ["d", "p", "q", "d mod p-1", "d mod q-1", "the inverse of q"]
        .into_iter()
        .zip(private_numbers(&pkcs8))
        .map(|(name, number)| needle(&format!("{name} of an RSA key"), &number))
        .chain([needle("the key that seals an RSA key", &*sealing_key)])
        .collect()
}

/// The numbers of a PKCS#8 RSA key after the public ones (RFC 8017 §A.1.2), without leading zeros.
fn private_numbers(pkcs8: &[u8]) -> Vec<Vec<u8>> {
    // Sequence, version, algorithm, octet string, sequence; each number is long enough to be found.
    let mut numbers = Vec::new();
    let mut rest = pkcs8;
    while let Some((tag, content, after)) = element(rest) {
        match tag {
            // What holds others is entered, but for the algorithm.
            0x30 if content.len() > 100 => rest = content,
            0x04 => rest = content,
            0x02 => {
                let number = content.strip_prefix(&[0]).unwrap_or(content);
                if number.len() >= 100 {
                    numbers.push(number.to_vec());
                }
                rest = after;
            }
            _ => rest = after,
        }
    }
    // The first is the modulus, which anybody may know.
    numbers.split_off(1)
}

/// The first element of DER: tag, content, and what comes after.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = der.split_first_chunk()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        let length = length
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        (length, rest)
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

fn master_file(folder: &Path) -> MasterSource {
    MasterSource::File(folder.join("store/master"))
}

fn credential(folder: &Path) -> MasterSource {
    MasterSource::Credential(folder.join("credential"))
}

fn passphrase(folder: &Path) -> MasterSource {
    MasterSource::Passphrase {
        file: folder.join("store/passphrase"),
        passphrase: private::read_pin(&folder.join("pin")).unwrap(),
    }
}

#[test]
fn nothing_is_left_of_a_master_that_was_made_and_of_its_keys() {
    if is_child(this_test!()) {
        return child(master_file);
    }
    let folder = tempfile::tempdir().unwrap();
    watch(this_test!(), &folder, &master_file(folder.path()), &[]);
}

#[test]
fn nothing_is_left_of_a_master_that_was_read_and_of_its_keys() {
    if is_child(this_test!()) {
        return child(master_file);
    }
    let folder = tempfile::tempdir().unwrap();
    let source = master_file(folder.path());
    source.open().unwrap();
    watch(this_test!(), &folder, &source, &[]);
}

#[test]
fn nothing_is_left_of_a_credential_and_of_its_keys() {
    if is_child(this_test!()) {
        return child(credential);
    }
    let folder = tempfile::tempdir().unwrap();
    let source = credential(folder.path());
    private::create(source.path(), Master::random().unwrap().as_bytes()).unwrap();
    watch(this_test!(), &folder, &source, &[]);
}

#[test]
fn nothing_is_left_of_a_passphrase_and_of_its_keys() {
    if is_child(this_test!()) {
        return child(passphrase);
    }
    let folder = tempfile::tempdir().unwrap();
    let text = Zeroizing::new("correct horse battery staple".to_owned());
    private::create(&folder.path().join("pin"), text.as_bytes()).unwrap();
    let source = passphrase(folder.path());
    let planted = [needle("the passphrase", text.as_bytes())];
    watch(this_test!(), &folder, &source, &planted);
}
