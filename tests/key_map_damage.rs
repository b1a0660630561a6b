//! A key map that is damaged, foreign or incomplete is named, typed and left as it is.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use rusqlite::Connection;
use tempfile::TempDir;
use tokenbinding::{
    KeyType, Profile,
    key_map::{Contents, KeyMap, KeyRow, StoreError, StoreErrorKind},
};
use tokenbinding_backend::KeyId;

/// A folder with the path of its key map.
fn folder() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keys.db");
    (dir, file)
}

fn write(file: &Path, bytes: &[u8]) {
    fs::write(file, bytes).unwrap();
    make_private(file);
}

fn make_private(file: &Path) {
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

fn row(number: usize) -> KeyRow {
    KeyRow {
        id: KeyId::new(Profile::default(), format!("host:{number:04}.example")),
        kind: KeyType::EcdsaP256,
        device: "fake:1".to_owned(),
        provider: "fake".to_owned(),
        stored: vec![7; 130],
        created: 1_700_000_000,
    }
}

/// A map with rows in use and rows set aside, several pages of each.
fn fill(dir: &Path) {
    let map = KeyMap::open(dir).unwrap();
    for number in 0..60 {
        map.add(&row(number)).unwrap();
        if number % 2 == 0 {
            map.set_aside(&row(number), "lost").unwrap();
        }
    }
}

fn use_everything(dir: &Path) -> Result<(), StoreError> {
    let map = KeyMap::open(dir)?;
    map.contents(&Profile::default())?;
    for number in 0..60 {
        let row = row(number);
        map.get(&row.id, row.kind, &row.device)?;
    }
    // What is counted is read when it is changed.
    map.add(&row(1000))?;
    Ok(())
}

/// Opening fails, names the file, and changes none of its bytes.
fn refused(dir: &TempDir, file: &Path) -> StoreError {
    let before = fs::read(file).unwrap();
    let error = KeyMap::open(dir.path()).unwrap_err();
    assert_eq!(fs::read(file).unwrap(), before, "the file was changed");
    assert!(error.to_string().contains(file.to_str().unwrap()));
    error
}

fn assert_corrupt(error: &StoreError) {
    let corrupt = matches!(error.kind(), StoreErrorKind::Corrupt(_));
    assert!(corrupt, "{error}");
}

#[test]
fn an_empty_file_is_corrupt_and_left_alone() {
    let (dir, file) = folder();
    write(&file, b"");
    assert_corrupt(&refused(&dir, &file));
}

#[test]
fn a_file_of_garbage_is_corrupt_and_left_alone() {
    for length in [1, 99, 100, 4096, 10_000] {
        let (dir, file) = folder();
        write(&file, &b"no database! ".repeat(1000)[..length]);
        assert_corrupt(&refused(&dir, &file));
    }
}

#[test]
fn a_truncated_map_is_corrupt_and_left_alone() {
    let (dir, file) = folder();
    fill(dir.path());
    let whole = fs::read(&file).unwrap();
    for length in [50, 100, 2000, 4096, whole.len() / 2, whole.len() - 4096] {
        write(&file, &whole[..length]);
        assert_corrupt(&refused(&dir, &file));
    }
}

#[test]
fn the_database_of_another_program_is_corrupt_and_left_alone() {
    for journal in ["DELETE", "WAL"] {
        let (dir, file) = folder();
        let other = Connection::open(&file).unwrap();
        other.pragma_update(None, "journal_mode", journal).unwrap();
        other.execute_batch("CREATE TABLE cookies (x)").unwrap();
        other.close().unwrap();
        make_private(&file);
        assert_corrupt(&refused(&dir, &file));
    }
}

#[test]
fn a_map_of_a_later_version_is_told_and_left_alone() {
    let (dir, file) = folder();
    fill(dir.path());
    let later = Connection::open(&file).unwrap();
    later.pragma_update(None, "user_version", 99).unwrap();
    later.close().unwrap();
    let error = refused(&dir, &file);
    let newer = matches!(error.kind(), StoreErrorKind::Newer { version: 99 });
    assert!(newer, "{error}");
}

/// A program that died leaves a log beside the map: not even that is written back.
#[test]
fn a_map_of_a_later_version_is_left_alone_with_its_log() {
    let (dir, file) = folder();
    fill(dir.path());
    let later = Connection::open(&file).unwrap();
    later.pragma_update(None, "user_version", 99).unwrap();
    let log = dir.path().join("keys.db-wal");
    let elsewhere = tempfile::tempdir().unwrap();
    for name in ["keys.db", "keys.db-wal"] {
        fs::copy(dir.path().join(name), elsewhere.path().join(name)).unwrap();
    }
    drop(later);
    for name in ["keys.db", "keys.db-wal"] {
        fs::copy(elsewhere.path().join(name), dir.path().join(name)).unwrap();
        make_private(&dir.path().join(name));
    }
    let before = fs::read(&log).unwrap();
    assert!(!before.is_empty());
    let error = refused(&dir, &file);
    assert!(
        matches!(error.kind(), StoreErrorKind::Newer { version: 99 }),
        "{error}"
    );
    assert!(
        error.to_string().contains("use that or a later one"),
        "{error}"
    );
    assert_eq!(fs::read(&log).unwrap(), before);
}

#[test]
fn a_write_ahead_log_without_its_map_is_told_and_left_alone() {
    let (dir, file) = folder();
    let log = dir.path().join("keys.db-wal");
    write(&log, b"frames");
    let error = KeyMap::open(dir.path()).unwrap_err();
    let missing = matches!(error.kind(), StoreErrorKind::Missing(path) if *path == log);
    assert!(missing, "{error}");
    assert_eq!(fs::read(&log).unwrap(), b"frames");
    assert!(!file.exists());
}

/// A map that lives on a disk which is not there now is not replaced by an empty one.
#[test]
fn a_link_to_a_map_that_is_not_there_is_told_and_left_alone() {
    let (dir, file) = folder();
    symlink(dir.path().join("unmounted/keys.db"), &file).unwrap();
    let error = KeyMap::open(dir.path()).unwrap_err();
    let private = matches!(error.kind(), StoreErrorKind::Private(e) if e.is_not_found());
    assert!(private, "{error}");
    assert!(file.is_symlink());
}

#[test]
fn what_a_process_left_behind_that_died_making_the_map_is_harmless() {
    let (dir, file) = folder();
    for left in ["keys.db.new", "keys.db.new-journal", "keys.db.new-wal"] {
        write(&dir.path().join(left), &b"half a map".repeat(1000));
    }
    KeyMap::open(dir.path()).unwrap().add(&row(1)).unwrap();
    let map = KeyMap::open(dir.path()).unwrap();
    assert_eq!(map.contents(&Profile::default()).unwrap().in_use, [row(1)]);
    let integrity: String = Connection::open(&file)
        .unwrap()
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(integrity, "ok");
}

#[test]
fn a_damaged_page_is_corrupt_whichever_it_is() {
    let (dir, file) = folder();
    fill(dir.path());
    let good = fs::read(&file).unwrap();
    let pages = good.len() / 4096;
    assert!(pages >= 5, "{pages} pages");
    for page in 1..pages {
        let mut bad = good.clone();
        for byte in &mut bad[page * 4096..][..64] {
            *byte ^= 0xff;
        }
        fs::write(&file, bad).unwrap();
        assert_corrupt(&use_everything(dir.path()).unwrap_err());
    }
}

/// A flipped byte inside a page may go unseen by SQLite, but nothing else may come of it.
#[test]
fn a_damaged_byte_is_corrupt_or_unseen() {
    let (dir, file) = folder();
    fill(dir.path());
    let good = fs::read(&file).unwrap();
    for at in (4096..good.len()).step_by(53) {
        let mut bad = good.clone();
        bad[at] ^= 0xff;
        fs::write(&file, bad).unwrap();
        if let Err(error) = use_everything(dir.path()) {
            assert_corrupt(&error);
        }
    }
}

/// A row with a value that no version wrote spoils no other row.
#[test]
fn a_row_that_cannot_be_read_is_told_apart_from_the_others_and_can_be_removed() {
    let damage = [
        "key_type = 9",
        "key_type = -1",
        "scope = CAST(x'686f7374ff' AS TEXT)",
        "device = CAST(x'ff' AS TEXT)",
    ];
    for table in ["keys", "set_aside"] {
        for set in damage {
            let (dir, file) = folder();
            fill(dir.path());
            let profile = Profile::default();
            let map = KeyMap::open(dir.path()).unwrap();
            let before = map.contents(&profile).unwrap();
            let other = Connection::open(&file).unwrap();
            let one = format!("scope = (SELECT max(scope) FROM {table})");
            let sql = format!("UPDATE {table} SET {set} WHERE {one}");
            assert_eq!(other.execute(&sql, []).unwrap(), 1);
            let contents = map.contents(&profile).unwrap();
            let readable = |contents: &Contents| contents.in_use.len() + contents.set_aside.len();
            assert_eq!(readable(&contents), readable(&before) - 1, "{set}");
            assert_eq!(contents.unreadable.len(), 1, "{set}");
            assert_eq!(map.remove_unreadable(&profile, None).unwrap(), 1, "{set}");
            let left = map.contents(&profile).unwrap();
            assert_eq!((left.unreadable.len(), readable(&left)), (0, 59), "{set}");
        }
    }
}

#[test]
fn a_row_that_cannot_be_read_is_removed_with_its_scope_alone() {
    let (dir, file) = folder();
    fill(dir.path());
    let other = Connection::open(&file).unwrap();
    let sql =
        "UPDATE keys SET key_type = 9 WHERE scope IN ('host:0001.example', 'host:0003.example')";
    assert_eq!(other.execute(sql, []).unwrap(), 2);
    let map = KeyMap::open(dir.path()).unwrap();
    let profile = Profile::default();
    let scope = Some("host:0001.example");
    assert_eq!(map.remove_unreadable(&profile, scope).unwrap(), 1);
    let left = map.contents(&profile).unwrap().unreadable;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].scope, "host:0003.example");
}
