//! What a process that used the keystore has left of its secrets: nothing.
//!
//! A child process opens the keystore, makes, opens, uses and drops keys. Its memory is read from
//! outside while a key is held, where its private half is found, and right after it is dropped, where no
//! secret of it is.

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

/// What the child does with the keystore of `source`. It pauses after each piece of work, before
/// anything else takes the memory that it left.
fn child(source: fn(&Path) -> MasterSource) {
    let folder = env::var_os(FOLDER).unwrap();
    let folder = Path::new(&folder);
    let backend = SoftwareBackend::open(&source(folder)).unwrap();
    pause("opened");
    let data = SignedData::new([7; SignedData::LEN]);
    for kind in KeyType::ALL {
        let id = KeyId::new(Profile::default(), "host:made.example");
        let (stored, key) = backend.create(&id, kind).unwrap();
        fs::write(folder.join(kind.name()), stored.encode()).unwrap();
        pause("key made");
        key.sign(&data).unwrap();
        drop(key);
        pause("made key dropped");
        let key = backend.open(&stored).unwrap();
        pause("key opened");
        key.sign(&data).unwrap();
        drop(key);
        pause("opened key dropped");
    }
    drop(backend);
    pause("dropped");
}

/// Watches the child of the test that `closure` stands in. While a key is held, what is in use of it
/// is found; once it is dropped, nothing is, and in the end neither the master nor what was `planted`.
fn watch(closure: &str, folder: &TempDir, source: &MasterSource, planted: &[Needle]) {
    let environment = [(FOLDER, OsString::from(folder.path()))];
    let mut child = Watched::start(closure, &environment);
    child.wait_for("opened");
    let master = source.open().unwrap();
    let of_master = [needle("the master", master.as_bytes())];
    assert_eq!(
        child.find(&of_master).len(),
        1,
        "in its page and nowhere else"
    );
    assert_eq!(child.find(planted), [], "it is no longer needed");
    for kind in KeyType::ALL {
        child.go_on();
        child.wait_for("key made");
        let stored = fs::read(folder.path().join(kind.name())).unwrap();
        let of_key = secrets_of(&master, &StoredKey::decode(&stored).unwrap());
        // The numbers that signing needs, in the order of arithmetic.
        let used: &[_] = if kind.is_rsa() {
            &["p", "q"]
        } else {
            &["the scalar"]
        };
        for (held, dropped) in [
            ("key made", "made key dropped"),
            ("key opened", "opened key dropped"),
        ] {
            if held == "key opened" {
                child.go_on();
                child.wait_for(held);
            }
            let found = child.find(&of_key);
            for name in used {
                let is_found = found.iter().any(|(what, _)| what == name);
                assert!(
                    is_found,
                    "{name} is not found while it is held: the search is of no use"
                );
            }
            child.go_on();
            child.wait_for(dropped);
            assert_eq!(child.find(&of_key), [], "{kind}: {dropped}");
        }
    }
    child.go_on();
    child.wait_for("dropped");
    assert_eq!(child.find(&of_master), []);
    assert_eq!(child.find(planted), []);
    child.finish();
}

fn needle(name: &str, secret: &[u8]) -> Needle {
    (name.to_owned(), secret.to_vec())
}

/// What leads to the private half of a key, each number in both orders.
fn secrets_of(master: &Master, stored: &StoredKey) -> Vec<Needle> {
    let salt = &stored.opaque()[1..][..SALT_LEN];
    let mut secrets: Vec<_> = if stored.kind().is_rsa() {
        let pkcs8 = rsa_key::unseal(master, stored.name(), stored.opaque()).unwrap();
        let sealing_key = derive(master, salt, Use::RsaSeal, &[]);
        ["d", "p", "q", "d mod p-1", "d mod q-1", "the inverse of q"]
            .into_iter()
            .zip(private_numbers(&pkcs8))
            .map(|(name, number)| needle(name, &number))
            .chain([needle("the sealing key", &*sealing_key)])
            .collect()
    } else {
        let scalar = p256_key::scalar(master, salt, stored.name());
        vec![needle("the scalar", &scalar.to_bytes())]
    };
    let mut reversed = secrets.clone();
    for (_, bytes) in &mut reversed {
        bytes.reverse();
    }
    secrets.append(&mut reversed);
    secrets
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
