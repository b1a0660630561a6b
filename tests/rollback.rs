//! A store that is put back to an earlier state, under the feet of programs or while none runs.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tempfile::TempDir;
use tokenbinding::{
    Binder, Config, Error, KeyType, Profile, ProviderChoice, TokenBindingId,
    key_map::{KeyMap, KeyRow, StoreErrorKind},
};
use tokenbinding_backend::{KeyId, fake::FakeDevice};

const P256: KeyType = KeyType::EcdsaP256;
const OLD: &str = "https://old.example/";
const NEW: &str = "https://new.example/";
/// How long a program may go on with what is not in the store any more.
const SOON: Duration = Duration::from_secs(1);

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn software(store: &Path) -> Binder {
    let config = Config {
        provider: Some(ProviderChoice::Software),
        store: Some(store.to_owned()),
        ..Config::default()
    };
    Binder::open(&config).unwrap()
}

fn id(binder: &Binder, target: &str) -> TokenBindingId {
    binder.id(target, P256).unwrap().id
}

fn file(store: &TempDir) -> PathBuf {
    store.path().join("keys.db")
}

/// Copies the files of a map, as a backup does while it is in use.
fn copy(from: &Path, to: &Path) {
    for name in ["keys.db", "keys.db-wal"] {
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

/// Puts the map of `backup` in the place of the present one, as `mv` and package managers do.
fn put_back(backup: &TempDir, store: &TempDir) {
    let beside = store.path().join("keys.db.restored");
    fs::copy(file(backup), &beside).unwrap();
    fs::rename(beside, file(store)).unwrap();
}

fn row(number: usize) -> KeyRow {
    KeyRow {
        id: KeyId::new(Profile::default(), format!("host:{number:04}.example")),
        kind: P256,
        device: "fake:1".to_owned(),
        provider: "fake".to_owned(),
        stored: vec![7; 900],
        created: 1_700_000_000,
    }
}

fn in_use(map: &KeyMap) -> Vec<KeyRow> {
    map.contents(&Profile::default()).unwrap().in_use
}

/// What is not on the device is in the map alone.
#[test]
fn a_restored_store_has_its_old_keys_and_makes_new_ones_for_those_since() {
    let (store, backup) = (folder(), folder());
    let old = id(&software(store.path()), OLD);
    copy(store.path(), backup.path());
    let since = id(&software(store.path()), NEW);
    put_back(&backup, &store);
    let binder = software(store.path());
    assert_eq!(id(&binder, OLD), old);
    assert_ne!(id(&binder, NEW), since);
}

/// What rollback can do, and why deletion is no defence against who has both backup and device.
#[test]
fn a_key_deleted_after_the_backup_is_there_again_only_where_the_device_kept_nothing() {
    let (store, backup) = (folder(), folder());
    let binder = software(store.path());
    let old = id(&binder, OLD);
    copy(store.path(), backup.path());
    binder.delete(OLD).unwrap();
    drop(binder);
    put_back(&backup, &store);
    assert_eq!(id(&software(store.path()), OLD), old, "its salt is back");

    let (store, backup) = (folder(), folder());
    let token = FakeDevice::new("1");
    let open = || Binder::with_backend(KeyMap::open(store.path()).unwrap(), token.open());
    let old = id(&open(), OLD);
    copy(store.path(), backup.path());
    open().delete(OLD).unwrap();
    put_back(&backup, &store);
    assert_ne!(id(&open(), OLD), old, "the token has destroyed it");
}

#[test]
fn a_key_made_after_the_backup_is_found_again_on_its_token() {
    let (store, backup) = (folder(), folder());
    let token = FakeDevice::new("1");
    let open = || Binder::with_backend(KeyMap::open(store.path()).unwrap(), token.open());
    id(&open(), OLD);
    copy(store.path(), backup.path());
    let since = id(&open(), NEW);
    put_back(&backup, &store);
    assert_eq!(id(&open(), NEW), since);
    assert_eq!(token.keys().len(), 2);
}

#[test]
fn a_running_program_turns_to_the_map_that_took_the_place_of_its_own() {
    let (store, backup) = (folder(), folder());
    let binder = software(store.path());
    let old = id(&binder, OLD);
    copy(store.path(), backup.path());
    let since = id(&binder, NEW);
    put_back(&backup, &store);
    let replaced = Instant::now();
    while id(&binder, NEW) == since {
        assert!(replaced.elapsed() < SOON, "a key of the old map is in use");
        thread::yield_now();
    }
    assert_eq!(id(&binder, OLD), old);
    let made = [id(&binder, NEW), id(&binder, "https://newer.example/")];
    drop(binder);
    let again = software(store.path());
    let kept = [id(&again, NEW), id(&again, "https://newer.example/")];
    assert_eq!(kept, made, "made in the map that has no name any more");
}

/// SQLite would remove the log by its name when the last user of the old file ends.
#[test]
fn the_end_of_a_program_does_not_touch_the_log_of_another_map() {
    let (store, backup) = (folder(), folder());
    let old = KeyMap::open(store.path()).unwrap();
    old.add(&row(1)).unwrap();
    copy(store.path(), backup.path());
    put_back(&backup, &store);
    let new = KeyMap::open(store.path()).unwrap();
    // A reader keeps the log from being written back.
    let reader = Connection::open(file(&store)).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM keys").unwrap();
    new.add(&row(2)).unwrap();
    let log = store.path().join("keys.db-wal");
    let before = fs::read(&log).unwrap();
    assert!(!before.is_empty());
    drop(old);
    assert_eq!(fs::read(&log).unwrap(), before);
    drop((new, reader));
    assert_eq!(in_use(&KeyMap::open(store.path()).unwrap()).len(), 2);
}

#[test]
fn a_map_that_was_moved_away_is_told_and_used_again_when_it_is_back() {
    let store = folder();
    let map = KeyMap::open(store.path()).unwrap();
    map.add(&row(1)).unwrap();
    let away = store.path().join("away");
    fs::rename(file(&store), &away).unwrap();
    let error = map.add(&row(2)).unwrap_err();
    assert!(matches!(error.kind(), StoreErrorKind::Gone), "{error}");
    assert!(error.to_string().contains("put it back"), "{error}");
    fs::rename(&away, file(&store)).unwrap();
    map.add(&row(2)).unwrap();
    assert_eq!(in_use(&map).len(), 2);
}

/// The file alone is the whole map between two changes, so that a copy of it is a backup.
#[test]
fn a_copy_of_the_file_alone_has_every_key_even_while_a_program_runs() {
    let (store, backup) = (folder(), folder());
    let map = KeyMap::open(store.path()).unwrap();
    for number in 0..20 {
        map.add(&row(number)).unwrap();
        assert_eq!(
            fs::metadata(store.path().join("keys.db-wal"))
                .unwrap()
                .len(),
            0
        );
    }
    fs::copy(file(&store), file(&backup)).unwrap();
    assert_eq!(in_use(&KeyMap::open(backup.path()).unwrap()), in_use(&map));
}

/// A map of 90 scattered rows whose last changes are in its log alone, as after a crash; and what its
/// file was after the first `in_backup` rows.
fn crashed(in_backup: usize, in_log: usize) -> (TempDir, Vec<u8>) {
    let (store, left) = (folder(), folder());
    let map = KeyMap::open(store.path()).unwrap();
    let mut backup = Vec::new();
    let mut reader = None;
    for number in 0..90 {
        if number == in_backup {
            backup = fs::read(file(&store)).unwrap();
        }
        if number == 90 - in_log {
            let connection = Connection::open(file(&store)).unwrap();
            connection
                .execute_batch("BEGIN; SELECT * FROM keys")
                .unwrap();
            reader = Some(connection);
        }
        map.add(&row(number * 5 % 97)).unwrap();
    }
    copy(store.path(), left.path());
    drop((map, reader));
    (left, backup)
}

fn assert_log_is_foreign(store: &TempDir) {
    let log = store.path().join("keys.db-wal");
    let before = [file(store), log.clone()].map(|path| fs::read(path).unwrap());
    let error = KeyMap::open(store.path()).unwrap_err();
    let foreign = matches!(error.kind(), StoreErrorKind::ForeignLog(path) if *path == log);
    assert!(foreign, "{error}");
    assert!(error.to_string().contains("move the log away"), "{error}");
    let after = [file(store), log].map(|path| fs::read(path).unwrap());
    assert_eq!(after, before, "it was changed");
}

/// SQLite takes a log for that of whatever file it is beside, and mixes the two.
#[test]
fn a_log_that_a_crash_left_is_not_mixed_with_a_map_from_a_backup() {
    for in_backup in (10..70).step_by(12) {
        for in_log in [1, 2, 5, 15] {
            let (store, backup) = crashed(in_backup, in_log);
            fs::write(file(&store), &backup).unwrap();
            assert_log_is_foreign(&store);
            fs::remove_file(store.path().join("keys.db-wal")).unwrap();
            assert_eq!(
                in_use(&KeyMap::open(store.path()).unwrap()).len(),
                in_backup
            );
        }
    }
}

#[test]
fn a_log_that_a_crash_left_is_not_mixed_with_another_map() {
    let ((store, _), (other, _)) = (crashed(1, 3), crashed(1, 3));
    fs::copy(file(&other), file(&store)).unwrap();
    assert_log_is_foreign(&store);
}

#[test]
fn a_log_that_a_crash_left_beside_its_own_map_loses_nothing() {
    for in_log in [1, 2, 5, 15, 89] {
        let (store, _) = crashed(0, in_log);
        assert_eq!(in_use(&KeyMap::open(store.path()).unwrap()).len(), 90);
    }
}

#[test]
fn a_key_that_a_later_version_stored_is_told_left_alone_and_no_hindrance_to_others() {
    let store = folder();
    let binder = software(store.path());
    id(&binder, OLD);
    drop(binder);
    let newer = Connection::open(file(&store)).unwrap();
    let sql = "UPDATE keys SET stored = CAST(x'02' || substr(stored, 2) AS BLOB)";
    assert_eq!(newer.execute(sql, []).unwrap(), 1);
    newer.close().unwrap();
    let binder = software(store.path());
    let error = binder.id(OLD, P256).unwrap_err();
    assert!(
        matches!(error, Error::NewerKey { version: 2, .. }),
        "{error}"
    );
    id(&binder, NEW);
    let listed = binder.list().unwrap();
    assert_eq!(listed.len(), 2, "it was not set aside for another");
    let damage = listed.iter().find_map(|key| key.damage.clone()).unwrap();
    assert!(damage.contains("later version"), "{damage}");
    assert_eq!(binder.delete(OLD).unwrap().keys, 1);
    assert_eq!(binder.list().unwrap().len(), 1);
}

#[test]
fn a_running_program_stops_when_a_later_version_has_changed_the_tables() {
    let store = folder();
    let binder = software(store.path());
    id(&binder, OLD);
    let later = Connection::open(file(&store)).unwrap();
    later.pragma_update(None, "user_version", 99).unwrap();
    let changed = Instant::now();
    let error = loop {
        match binder.id(OLD, P256) {
            Err(error) => break error,
            Ok(_) => assert!(changed.elapsed() < SOON, "it goes on"),
        }
        thread::yield_now();
    };
    assert!(error.to_string().contains("later version"), "{error}");
}

#[test]
fn a_row_that_cannot_be_read_is_listed_pruned_and_deleted() {
    let damaged = || {
        let store = folder();
        let binder = software(store.path());
        id(&binder, OLD);
        let kept = id(&binder, NEW);
        let other = Connection::open(file(&store)).unwrap();
        let sql = "UPDATE keys SET key_type = 9 WHERE scope LIKE '%old%'";
        assert_eq!(other.execute(sql, []).unwrap(), 1);
        (store, binder, kept)
    };
    let (_store, binder, kept) = damaged();
    let listed = binder.list_of(OLD).unwrap();
    assert_eq!((listed.len(), listed[0].key_type), (1, None));
    assert!(listed[0].damage.as_ref().unwrap().contains("key type 9"));
    assert_eq!(binder.prune().unwrap(), 1);
    assert_eq!(binder.list().unwrap().len(), 1);
    assert_eq!(id(&binder, NEW), kept);
    let (_store, binder, kept) = damaged();
    assert_eq!(binder.delete(OLD).unwrap().keys, 1);
    assert_eq!(binder.list().unwrap().len(), 1);
    assert_eq!(id(&binder, NEW), kept);
}
