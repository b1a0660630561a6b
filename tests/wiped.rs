//! What a process that used the library has left of PINs, passphrases and authorizations: nothing.
//!
//! A child process reads its configuration, signs and drops everything; its memory is read from
//! outside. What hangs on a master is looked for in the software keystore's own tests.

#![cfg(all(feature = "software", feature = "pkcs11", feature = "tpm"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use tokenbinding::{Binder, Config, Ekm, KeyType, TokenBindingType};
use tokenbinding_devices::{
    command,
    memory::{Needle, Watched, pause},
    own_process::is_child,
    softhsm::{self, SoftHsm},
    swtpm::Swtpm,
    this_test,
};

/// An EKM.
const HELD: [u8; Ekm::LEN] = [7; Ekm::LEN];
/// libtss2 keeps the authorization of the last object in its structure of a session
/// (`IESYS_SESSION.sessionValue`) and frees that unwiped; nothing of its interface reaches it.
const OF_LIBTSS2: usize = 1;
/// Names the folder that parent and child share.
const FOLDER: &str = "TOKENBINDING_WIPED";

fn child() {
    let folder = PathBuf::from(env::var_os(FOLDER).unwrap());
    let config = Config::read(folder.join("config.toml")).unwrap();
    let binder = Binder::open(&config).unwrap();
    // Found while it is held: the search is of use.
    let ekm = Box::new(Ekm::new(HELD));
    for kind in KeyType::ALL {
        let binding = binder.generate_binding("a.example", kind, TokenBindingType::Provided, &ekm);
        drop(binding.unwrap());
    }
    pause("held");
    drop((binder, config));
    pause("dropped");
}

fn secret_file(folder: &TempDir, name: &str, content: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Watches the child of the test that `closure` stands in, with this configuration. At most `foreign`
/// copies are left, which are others' to wipe.
fn watch(
    closure: &str,
    folder: &TempDir,
    config: &str,
    environment: &[(&str, OsString)],
    secrets: &[(&str, &str)],
    foreign: usize,
) {
    let store = folder.path().join("store");
    let config = format!("store = '{}'\n{config}", store.display());
    secret_file(folder, "config.toml", &config);
    let mut environment = environment.to_vec();
    environment.push((FOLDER, Path::new(folder.path()).into()));
    let mut child = Watched::start(closure, &environment);
    child.wait_for("held");
    let needles: Vec<Needle> = secrets
        .iter()
        .map(|(name, secret)| ((*name).to_owned(), secret.as_bytes().to_vec()))
        .collect();
    let held = [("the EKM".to_owned(), HELD.to_vec())];
    assert_ne!(child.find(&held), [], "the search is of no use");
    child.go_on();
    child.wait_for("dropped");
    let left = child.find(&needles);
    assert!(left.len() <= foreign, "{left:#?}");
    child.finish();
}

#[test]
fn nothing_is_left_of_a_passphrase_of_a_file() {
    if is_child(this_test!()) {
        return child();
    }
    let folder = tempfile::tempdir().unwrap();
    let passphrase = "correct horse battery staple";
    let pin = secret_file(&folder, "pin", passphrase);
    let config =
        format!("provider = 'software'\npin_file = '{pin}'\n[software]\nmaster = 'passphrase'\n");
    let secrets = [("the passphrase", passphrase)];
    watch(this_test!(), &folder, &config, &[], &secrets, 0);
}

#[test]
fn nothing_is_left_of_a_pin_of_a_file() {
    if is_child(this_test!()) {
        return child();
    }
    let softhsm = SoftHsm::start(&["work"]);
    let folder = tempfile::tempdir().unwrap();
    let pin = secret_file(&folder, "pin", softhsm::PIN);
    let config = format!(
        "provider = 'pkcs11'\npin_file = '{pin}'\n\
         [pkcs11]\nuri = 'pkcs11:token=work?module-path={}'\n",
        softhsm::MODULE
    );
    let secrets = [("the PIN", softhsm::PIN)];
    watch(
        this_test!(),
        &folder,
        &config,
        &softhsm.environment(),
        &secrets,
        0,
    );
}

#[test]
fn nothing_is_left_of_a_pin_of_a_uri() {
    if is_child(this_test!()) {
        return child();
    }
    let softhsm = SoftHsm::start(&["work"]);
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "provider = 'pkcs11'\n[pkcs11]\nuri = 'pkcs11:token=work?module-path={}&pin-value={}'\n",
        softhsm::MODULE,
        softhsm::PIN
    );
    let secrets = [("the PIN", softhsm::PIN)];
    watch(
        this_test!(),
        &folder,
        &config,
        &softhsm.environment(),
        &secrets,
        0,
    );
}

#[test]
fn nothing_of_ours_is_left_of_the_owners_authorization() {
    if is_child(this_test!()) {
        return child();
    }
    let swtpm = Swtpm::start();
    let owner = "owner-authorization-8642";
    swtpm.execute(&command::set_owner_auth(owner.as_bytes()));
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "provider = 'tpm'\n[tpm]\ntcti = '{}'\nowner_auth_file = '{}'\n",
        swtpm.tcti(),
        secret_file(&folder, "owner", owner),
    );
    let secrets = [("the owner's authorization", owner)];
    watch(this_test!(), &folder, &config, &[], &secrets, OF_LIBTSS2);
}

#[test]
fn nothing_of_ours_is_left_of_the_authorization_of_keys() {
    if is_child(this_test!()) {
        return child();
    }
    let swtpm = Swtpm::start();
    let key = "key-authorization-7531";
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "provider = 'tpm'\n[tpm]\ntcti = '{}'\nkey_auth_file = '{}'\n",
        swtpm.tcti(),
        secret_file(&folder, "key", key),
    );
    let secrets = [("the keys' authorization", key)];
    watch(this_test!(), &folder, &config, &[], &secrets, OF_LIBTSS2);
}
