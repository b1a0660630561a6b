//! The generator on the software keystore: what it makes, shares, keeps apart and forgets.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::HashSet, fs, os::unix::fs::PermissionsExt as _, path::Path};

use tempfile::TempDir;
use tokenbinding::{
    Binder, Config, Ekm, Error, KeyChoice, KeyType, Profile, ProviderChoice, ScopeRule,
    TokenBindingId, TokenBindingType, VerifiedBindings, Verifier,
    config::{MasterKind, SoftwareConfig},
};
use tokenbinding_backend::ErrorKind;

const P256: KeyType = KeyType::EcdsaP256;
const PROVIDED: TokenBindingType = TokenBindingType::Provided;
const REFERRED: TokenBindingType = TokenBindingType::Referred;
const A: &str = "https://a.example/";
const B: &str = "https://b.example/";

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn config(store: &Path) -> Config {
    Config {
        store: Some(store.to_owned()),
        provider: Some(ProviderChoice::Software),
        ..Config::default()
    }
}

fn open(dir: &TempDir) -> Binder {
    Binder::open(&config(dir.path())).unwrap()
}

fn open_profile(dir: &TempDir, name: &str) -> Binder {
    let profile = Some(name.parse().unwrap());
    let config = config(dir.path());
    Binder::open(&Config { profile, ..config }).unwrap()
}

fn id(binder: &Binder, target: &str) -> TokenBindingId {
    binder.id(target, P256).unwrap().id
}

fn ekm() -> Ekm {
    Ekm::new([0x5a; 32])
}

fn verified(binder: &Binder, kind: KeyType, of: &[(&str, TokenBindingType)]) -> VerifiedBindings {
    let bindings: Vec<_> = of
        .iter()
        .map(|(target, what)| {
            binder
                .generate_binding(target, kind, *what, &ekm())
                .unwrap()
        })
        .collect();
    let message = Binder::generate_message(&bindings).unwrap();
    Verifier::new(kind).verify(&message, &ekm()).unwrap()
}

#[test]
fn a_message_of_every_key_type_verifies() {
    let dir = folder();
    let binder = open(&dir);
    for kind in KeyType::ALL {
        let bindings = verified(&binder, kind, &[(A, PROVIDED)]);
        assert_eq!(bindings.provided().unwrap().key_type(), kind);
        let id = binder.id(A, kind).unwrap().id;
        assert_eq!(*bindings.provided().unwrap().id(), id);
    }
}

#[test]
fn a_message_with_provided_and_referred_binding_verifies_and_names_both_keys() {
    let dir = folder();
    let binder = open(&dir);
    let bindings = verified(&binder, P256, &[(A, PROVIDED), (B, REFERRED)]);
    assert_eq!(*bindings.provided().unwrap().id(), id(&binder, A));
    assert_eq!(*bindings.referred().unwrap().id(), id(&binder, B));
}

#[test]
fn a_key_is_made_once_and_survives_reopening() {
    let dir = folder();
    let made = open(&dir).id(A, P256).unwrap();
    let found = open(&dir).id(A, P256).unwrap();
    assert_eq!((made.created, found.created), (true, false));
    assert_eq!(made.id, found.id);
}

#[test]
fn any_existing_key_makes_none() {
    let dir = folder();
    let binder = open(&dir);
    let error = binder.id(A, KeyChoice::AnyExisting).unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    assert!(binder.list().unwrap().is_empty());
}

#[test]
fn any_existing_key_is_the_most_preferred_one() {
    let dir = folder();
    let binder = open(&dir);
    for kind in KeyType::ALL.into_iter().rev() {
        binder.id(A, kind).unwrap();
        let found = binder.id(A, KeyChoice::AnyExisting).unwrap();
        assert_eq!((found.key_type, found.created), (kind, false));
    }
}

#[test]
fn the_preferred_type_comes_first_then_any_other_then_a_new_key() {
    let dir = folder();
    let binder = open(&dir);
    let prefer = |target, kind| {
        let key = binder.id(target, KeyChoice::Prefer(kind)).unwrap();
        (key.key_type, key.created)
    };
    let rsa = KeyType::Rsa2048Pss;
    assert_eq!(prefer(A, P256), (P256, true), "there was none");
    assert_eq!(prefer(A, rsa), (P256, false), "there is another");
    binder.id(A, rsa).unwrap();
    assert_eq!(prefer(A, rsa), (rsa, false), "there is the preferred one");
}

#[test]
fn targets_of_one_site_have_one_key() {
    let dir = folder();
    let binder = open(&dir);
    let first = id(&binder, "https://www.example.co.uk/a");
    for same in ["http://EXAMPLE.co.uk:8443", "example.co.uk."] {
        assert_eq!(id(&binder, same), first, "{same}");
    }
    assert_eq!(binder.list().unwrap().len(), 1);
}

#[test]
fn targets_of_two_sites_have_two_keys() {
    let dir = folder();
    let binder = open(&dir);
    assert_ne!(
        id(&binder, "https://a.github.io"),
        id(&binder, "https://b.github.io")
    );
}

#[test]
fn the_scope_rule_of_the_configuration_counts() {
    let dir = folder();
    let scope = Some(ScopeRule::Host);
    let config = config(dir.path());
    let binder = Binder::open(&Config { scope, ..config }).unwrap();
    assert_ne!(id(&binder, "https://www.b.example"), id(&binder, B));
}

#[test]
fn after_deletion_the_target_gets_a_new_key_and_the_old_one_stays_away() {
    let dir = folder();
    let binder = open(&dir);
    let mut seen = HashSet::new();
    for _ in 0..4 {
        assert!(
            seen.insert(id(&binder, A).as_bytes().to_vec()),
            "it came back"
        );
        assert_eq!(id(&open(&dir), A), id(&binder, A));
        assert_eq!(binder.delete(A).unwrap().keys, 1);
    }
}

#[test]
fn deletion_takes_every_key_type_of_the_target_and_no_other_target() {
    let dir = folder();
    let binder = open(&dir);
    let other = id(&binder, B);
    for kind in KeyType::ALL {
        binder.id(A, kind).unwrap();
    }
    assert_eq!(binder.delete(A).unwrap().keys, 3);
    assert!(binder.id(A, KeyChoice::AnyExisting).is_err());
    assert_eq!(binder.id(B, KeyChoice::AnyExisting).unwrap().id, other);
}

#[test]
fn deleting_where_there_is_no_key_is_told() {
    let dir = folder();
    let error = open(&dir).delete(A).unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
}

#[test]
fn deleting_everything_leaves_no_key_of_the_profile() {
    let dir = folder();
    let binder = open(&dir);
    let old = id(&binder, A);
    id(&binder, B);
    assert_eq!(binder.delete_all().unwrap().keys, 2);
    assert!(binder.list().unwrap().is_empty());
    assert_ne!(id(&binder, A), old);
}

#[test]
fn the_list_tells_scope_type_provider_and_id_of_each_key() {
    let dir = folder();
    let binder = open(&dir);
    let (b, a) = (id(&binder, B), id(&binder, A));
    let listed: Vec<_> = binder
        .list()
        .unwrap()
        .into_iter()
        .map(|key| {
            (
                key.scope.canonical(),
                key.key_type.unwrap(),
                key.provider,
                key.id.unwrap(),
            )
        })
        .collect();
    let key = |scope: &str, id| (scope.to_owned(), P256, "software".to_owned(), id);
    assert_eq!(listed, [key("host:a.example", a), key("host:b.example", b)]);
}

#[test]
fn profiles_are_apart() {
    let dir = folder();
    let (home, work) = (open(&dir), open_profile(&dir, "work"));
    let kept = id(&home, A);
    assert_ne!(id(&work, A), kept);
    assert_eq!(work.delete_all().unwrap().keys, 1);
    assert_eq!(home.id(A, KeyChoice::AnyExisting).unwrap().id, kept);
}

#[test]
fn an_ephemeral_profile_writes_nothing_and_forgets_its_keys() {
    let dir = folder();
    let config = Config {
        profile: Some(Profile::Ephemeral),
        ..config(&dir.path().join("store"))
    };
    let binder = Binder::open(&config).unwrap();
    let first = id(&binder, A);
    assert_eq!(verified(&binder, P256, &[(A, PROVIDED)]).len(), 1);
    assert_eq!(dir.path().read_dir().unwrap().count(), 0);
    assert_ne!(id(&Binder::open(&config).unwrap(), A), first);
}

#[test]
fn a_wrong_passphrase_opens_nothing_and_changes_nothing() {
    let dir = folder();
    let with = |passphrase: &str| {
        let pin_file = dir.path().join("pin");
        fs::write(&pin_file, passphrase).unwrap();
        fs::set_permissions(&pin_file, fs::Permissions::from_mode(0o600)).unwrap();
        let binder = Binder::open(&Config {
            pin_file: Some(pin_file),
            software: SoftwareConfig {
                master: Some(MasterKind::Passphrase),
                file: None,
            },
            ..config(&dir.path().join("store"))
        });
        binder.unwrap().id(A, P256).map(|key| key.id)
    };
    let made = with("right").unwrap();
    let error = with("wrong").unwrap_err();
    let Error::Backend(error) = error else {
        panic!("{error}")
    };
    assert_eq!(error.kind(), ErrorKind::PinIncorrect);
    assert_eq!(with("right").unwrap(), made);
}
