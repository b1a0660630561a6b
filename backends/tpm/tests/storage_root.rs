//! The storage root at 0x81000001, and what others find in the TPM. With tpm2-tools, as an
//! administrator has them.

mod common;

use std::process::Command;

use common::{P256, assert_signs, config, create, failed, open, secret};
use tempfile::TempDir;
use tokenbinding_backend::{Backend as _, ErrorKind, KeyType};
use tokenbinding_devices::swtpm::Swtpm;
use tokenbinding_tpm::{P256Keys, TpmBackend, TpmConfig};

const RSA: KeyType = KeyType::Rsa2048Pkcs1_5;

/// A TPM and a folder for the administrator's files.
struct Admin {
    swtpm: Swtpm,
    folder: TempDir,
}

impl Admin {
    fn start() -> Self {
        Self {
            swtpm: Swtpm::start(),
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    /// Runs one of tpm2-tools and gives its output.
    fn run(&self, tool: &str, arguments: &[&str]) -> String {
        let output = Command::new(tool)
            .args(arguments)
            .env("TPM2TOOLS_TCTI", self.swtpm.tcti())
            .current_dir(self.folder.path())
            .output()
            .expect("tpm2-tools are installed");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{tool}: {error}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Makes a primary key and puts it at 0x81000001.
    fn persist(&self, arguments: &[&str]) {
        let create = [&["-C", "o", "-c", "root.ctx", "-Q"], arguments].concat();
        self.run("tpm2_createprimary", &create);
        self.run("tpm2_flushcontext", &["-t"]);
        let evict = ["-C", "o", "-c", "root.ctx", "0x81000001", "-Q"];
        self.run("tpm2_evictcontrol", &evict);
    }

    fn open(&self) -> TpmBackend {
        open(self.swtpm.tcti())
    }
}

#[test]
fn keys_are_wrapped_by_the_persistent_storage_root() {
    let admin = Admin::start();
    admin.persist(&["-G", "rsa2048"]);
    let (stored, key) = create(&admin.open(), RSA);
    assert_signs(&*key, RSA);
    drop(key);
    let key = admin.open().open(&stored).expect("it opens");
    assert_signs(&*key, RSA);
    drop(key);
    admin.run("tpm2_evictcontrol", &["-C", "o", "-c", "0x81000001", "-Q"]);
    // It is not tried under another root.
    let (kind, text) = failed(admin.open().open(&stored));
    assert_eq!(kind, ErrorKind::KeyLost);
    assert!(
        text.contains("the storage root that wrapped the key is gone"),
        "{text}"
    );
}

#[test]
fn the_storage_root_is_used_with_its_authorization() {
    let admin = Admin::start();
    admin.persist(&["-G", "ecc256", "-p", "root"]);
    let with_auth = |auth| TpmConfig {
        storage_auth: auth,
        ..config(admin.swtpm.tcti())
    };
    let open = |auth| TpmBackend::open(&with_auth(auth)).expect("the TPM opens");
    let (stored, _) = create(&open(secret("root")), RSA);
    let key = open(secret("root")).open(&stored).expect("it opens");
    assert_signs(&*key, RSA);
    drop(key);
    let error = failed(open(None).open(&stored));
    assert_eq!(error.0, ErrorKind::PinRequired, "{}", error.1);
    let error = failed(open(secret("guessed")).open(&stored));
    assert_eq!(error.0, ErrorKind::PinIncorrect, "{}", error.1);
}

#[test]
fn p256_keys_are_wrapped_where_the_owner_keeps_the_hierarchy() {
    let admin = Admin::start();
    admin.persist(&["-G", "ecc256"]);
    admin.run("tpm2_changeauth", &["-c", "o", "owner"]);
    let (stored, key) = create(&admin.open(), P256);
    assert_signs(&*key, P256);
    drop(key);
    assert_signs(&*admin.open().open(&stored).expect("it opens"), P256);
}

#[test]
fn what_is_no_storage_key_is_left_alone_and_not_used() {
    let admin = Admin::start();
    let attributes = "sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth";
    admin.persist(&["-G", "ecc256:ecdsa", "-a", attributes]);
    let before = admin.run("tpm2_readpublic", &["-c", "0x81000001"]);
    let (stored, _) = create(&admin.open(), RSA);
    assert_signs(&*admin.open().open(&stored).expect("it opens"), RSA);
    assert_eq!(admin.run("tpm2_readpublic", &["-c", "0x81000001"]), before);
}

#[test]
fn a_key_outlives_the_persistence_of_its_root() {
    let admin = Admin::start();
    let config = TpmConfig {
        p256: P256Keys::Wrapped,
        ..config(admin.swtpm.tcti())
    };
    let (stored, _) = create(&TpmBackend::open(&config).expect("it opens"), P256);
    // The administrator makes another key the storage root.
    admin.persist(&["-G", "rsa2048"]);
    assert_signs(&*admin.open().open(&stored).expect("it opens"), P256);
}

#[test]
fn keys_cannot_be_exported() {
    let admin = Admin::start();
    let backend = admin.open();
    let (_, _key) = create(&backend, P256);
    let listed = admin.run("tpm2_getcap", &["handles-transient"]);
    let handle = listed.trim().trim_start_matches("- ");
    let public = admin.run("tpm2_readpublic", &["-c", handle]);
    assert!(public.contains("raw: 0x40472"), "{public}");
}

#[test]
fn nothing_stays_loaded() {
    let admin = Admin::start();
    {
        let backend = admin.open();
        for kind in KeyType::ALL {
            assert_signs(&*create(&backend, kind).1, kind);
        }
    }
    assert_eq!(admin.run("tpm2_getcap", &["handles-transient"]), "");
    assert_eq!(admin.run("tpm2_getcap", &["handles-persistent"]), "");
}

#[test]
fn the_status_says_what_tpm2_getcap_says() {
    let admin = Admin::start();
    let status = admin.open().status().expect("the TPM answers");
    assert!(status.simulator);
    assert_eq!(status.manufacturer, "IBM");
    assert_eq!(status.key_types, KeyType::ALL);
    assert_eq!(status.object_slots.promised, 3);
    assert!(!status.lockout.active && !status.owner_auth_set);
    let fixed = admin.run("tpm2_getcap", &["properties-fixed"]);
    assert!(
        fixed.contains(&format!("value: {}", status.spec_revision)),
        "{fixed}"
    );
}
