//! Rows of the key map that the software keystore cannot use: kept, told, and never signed with.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use rusqlite::{Connection, params};
use tempfile::TempDir;
use tokenbinding::{
    Binder, Config, Error, KeyType, Profile, ProviderChoice, TokenBindingId, binder::ListedKey,
    key_map::KeyMap,
};
use tokenbinding_backend::{KeyId, StoredKey};

const A: &str = "https://a.example/";
const B: &str = "https://b.example/";

fn open(store: &Path) -> Binder {
    Binder::open(&Config {
        store: Some(store.to_owned()),
        provider: Some(ProviderChoice::Software),
        ..Config::default()
    })
    .unwrap()
}

fn id(binder: &Binder, target: &str, kind: KeyType) -> TokenBindingId {
    binder.id(target, kind).unwrap().id
}

fn set_aside(binder: &Binder) -> Vec<ListedKey> {
    let mut keys = binder.list().unwrap();
    keys.retain(|key| key.set_aside.is_some());
    keys
}

/// A store with a key of `kind` for each of two targets, and these keys as they are stored.
fn two_keys(kind: KeyType) -> (TempDir, [TokenBindingId; 2], [StoredKey; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let binder = open(dir.path());
    let ids = [A, B].map(|target| id(&binder, target, kind));
    let map = KeyMap::open(dir.path()).unwrap();
    let rows = map.contents(&Profile::default()).unwrap().in_use;
    let stored: Vec<_> = rows.iter().map(|row| row.stored_key().unwrap()).collect();
    (dir, ids, stored.try_into().unwrap())
}

/// Puts other bytes into the row of a scope, as nobody but the owner of the store can.
fn overwrite(dir: &TempDir, scope: &str, stored: &[u8]) {
    let map = Connection::open(dir.path().join("keys.db")).unwrap();
    let sql = "UPDATE keys SET stored = ?1 WHERE scope = ?2";
    assert_eq!(map.execute(sql, params![stored, scope]).unwrap(), 1);
}

fn assert_both_give_way_to_new_keys(dir: &TempDir, kind: KeyType, old: &[TokenBindingId]) {
    let binder = open(dir.path());
    for target in [A, B] {
        let key = binder.id(target, kind).unwrap();
        assert!(
            key.created && !old.contains(&key.id),
            "{target} has {}",
            key.id
        );
    }
    assert_eq!(set_aside(&binder).len(), 2);
}

#[test]
fn swapped_rows_are_set_aside() {
    for kind in KeyType::ALL {
        let (dir, ids, [a, b]) = two_keys(kind);
        overwrite(&dir, "host:a.example", &b.encode());
        overwrite(&dir, "host:b.example", &a.encode());
        assert_both_give_way_to_new_keys(&dir, kind, &ids);
    }
}

/// The blob of another scope under this scope's own name: only the keystore can tell.
#[test]
fn a_key_moved_to_another_scope_is_set_aside() {
    for kind in KeyType::ALL {
        let (dir, ids, [a, b]) = two_keys(kind);
        for (scope, other) in [("host:a.example", &b), ("host:b.example", &a)] {
            let name = *KeyId::new(Profile::default(), scope).name(kind).as_bytes();
            let mut moved = other.encode();
            moved[2..34].copy_from_slice(&name);
            assert_eq!(*StoredKey::decode(&moved).unwrap().name().as_bytes(), name);
            overwrite(&dir, scope, &moved);
        }
        assert_both_give_way_to_new_keys(&dir, kind, &ids);
    }
}

#[test]
fn a_row_of_garbage_is_set_aside_and_listed_without_an_id() {
    let (dir, _, _) = two_keys(KeyType::EcdsaP256);
    overwrite(&dir, "host:a.example", b"garbage");
    let binder = open(dir.path());
    assert!(binder.id(A, KeyType::EcdsaP256).unwrap().created);
    let aside = set_aside(&binder);
    assert_eq!(aside.len(), 1);
    assert_eq!((&aside[0].id, aside[0].scope.name()), (&None, "a.example"));
}

#[test]
fn a_row_of_garbage_can_be_deleted() {
    let (dir, _, _) = two_keys(KeyType::EcdsaP256);
    overwrite(&dir, "host:a.example", b"garbage");
    let binder = open(dir.path());
    assert_eq!(binder.delete(A).unwrap().keys, 1);
    assert_eq!(binder.list().unwrap().len(), 1);
}

/// A store under a new master, as after a restore without the master's file.
fn under_another_master() -> (TempDir, TokenBindingId) {
    let (dir, [old, _], _) = two_keys(KeyType::EcdsaP256);
    fs::write(dir.path().join("software.master"), [7; 32]).unwrap();
    (dir, old)
}

#[test]
fn a_missing_master_is_not_replaced_while_the_map_has_keys() {
    let (dir, ..) = two_keys(KeyType::EcdsaP256);
    let master = dir.path().join("software.master");
    fs::remove_file(&master).unwrap();
    let binder = open(dir.path());
    let error = binder.id(A, KeyType::EcdsaP256).unwrap_err();
    assert!(matches!(error, Error::NoMaster { .. }), "{error}");
    assert!(!master.exists());

    let keys = binder.list().unwrap();
    assert_eq!(keys.len(), 2, "looking needs no master");
    assert_eq!(binder.forget_device(&keys[0].device).unwrap(), 2);
    assert!(binder.id(A, KeyType::EcdsaP256).unwrap().created);
}

#[test]
fn under_another_master_there_are_new_keys_and_the_old_rows_are_kept() {
    let (dir, old) = under_another_master();
    let binder = open(dir.path());
    assert_ne!(id(&binder, A, KeyType::EcdsaP256), old);
    let ids = binder.list().unwrap().into_iter().filter_map(|key| key.id);
    assert!(ids.into_iter().any(|id| id == old), "it is still listed");
    assert_eq!(set_aside(&binder), [], "it may be of use again");
}

#[test]
fn the_old_keys_are_back_with_their_master() {
    let (dir, [old, _], _) = two_keys(KeyType::EcdsaP256);
    let master = dir.path().join("software.master");
    let own = fs::read(&master).unwrap();
    fs::write(&master, [7; 32]).unwrap();
    assert_ne!(id(&open(dir.path()), A, KeyType::EcdsaP256), old);
    fs::write(&master, own).unwrap();
    assert_eq!(id(&open(dir.path()), A, KeyType::EcdsaP256), old);
}

#[test]
fn the_keys_of_another_master_are_forgotten_when_their_device_is_named() {
    let (dir, old) = under_another_master();
    let binder = open(dir.path());
    let new = id(&binder, A, KeyType::EcdsaP256);
    assert_ne!(new, old);
    assert_eq!(binder.prune().unwrap(), 0, "they may be of use again");
    let keys = binder.list().unwrap();
    let gone = keys
        .iter()
        .find(|key| key.id.as_ref() == Some(&old))
        .unwrap();
    assert_eq!(binder.forget_device(&gone.device).unwrap(), 2);
    let ids: Vec<_> = binder
        .list()
        .unwrap()
        .into_iter()
        .map(|key| key.id)
        .collect();
    assert_eq!(ids, [Some(new)]);
}

#[test]
fn a_key_of_another_master_is_told_as_out_of_reach_when_its_target_is_deleted() {
    let (dir, _) = under_another_master();
    let deleted = open(dir.path()).delete(A).unwrap();
    assert_eq!((deleted.keys, deleted.unreachable.len()), (0, 1));
}
