//! The key map as its file: who may touch it, what survives, what is forgotten, what races.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::HashSet, fs, os::unix::fs::PermissionsExt as _, path::Path, sync::Barrier};

use tempfile::TempDir;
use tokenbinding::{
    KeyType, Profile,
    key_map::{Added, KeyMap, KeyRow, SetAsideRow, StoreErrorKind},
};
use tokenbinding_backend::{KeyId, private::PrivateError};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A row whose stored bytes are easily found again: 600 bytes that begin with `mark`.
fn row(scope: &str, mark: &str) -> KeyRow {
    let mut stored = mark.as_bytes().to_vec();
    stored.resize(600, b'.');
    KeyRow {
        id: KeyId::new(Profile::default(), scope),
        kind: KeyType::EcdsaP256,
        device: "fake:1".to_owned(),
        provider: "fake".to_owned(),
        stored,
        created: 1_700_000_000,
    }
}

fn get(map: &KeyMap, row: &KeyRow) -> Option<KeyRow> {
    map.get(&row.id, row.kind, &row.device).unwrap()
}

fn rows(map: &KeyMap) -> Vec<KeyRow> {
    map.contents(&Profile::default()).unwrap().in_use
}

fn set_aside(map: &KeyMap) -> Vec<SetAsideRow> {
    map.contents(&Profile::default()).unwrap().set_aside
}

/// The files of the folder that hold `mark`.
fn files_with(dir: &Path, mark: &str) -> Vec<String> {
    let files = dir.read_dir().unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| {
            let bytes = fs::read(path).unwrap();
            bytes.windows(mark.len()).any(|at| at == mark.as_bytes())
        })
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn the_folder_and_every_file_are_private() {
    let dir = folder();
    let store = dir.path().join("a/store");
    let map = KeyMap::open(&store).unwrap();
    map.add(&row("host:a", "a")).unwrap();
    assert_eq!(mode(&store), 0o700);
    let mut names: Vec<_> = store
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["keys.db", "keys.db-shm", "keys.db-wal", "keys.db.lock"]
    );
    for name in names {
        assert_eq!(mode(&store.join(&name)), 0o600, "{name:?}");
    }
}

#[test]
fn a_folder_that_others_may_write_to_is_refused_with_the_remedy() {
    for others in [0o770, 0o702] {
        let dir = folder();
        drop(KeyMap::open(dir.path()).unwrap());
        set_mode(dir.path(), others);
        let error = KeyMap::open(dir.path()).unwrap_err();
        let kind = error.kind();
        assert!(
            matches!(kind, StoreErrorKind::Private(PrivateError::Mode { .. })),
            "{error}"
        );
        assert!(error.to_string().contains("chmod 700"), "{error}");
    }
}

#[test]
fn a_file_that_others_may_use_is_refused_with_the_remedy() {
    for others in [0o660, 0o602, 0o604] {
        let dir = folder();
        drop(KeyMap::open(dir.path()).unwrap());
        set_mode(&dir.path().join("keys.db"), others);
        let error = KeyMap::open(dir.path()).unwrap_err();
        let kind = error.kind();
        assert!(
            matches!(kind, StoreErrorKind::Private(PrivateError::Mode { .. })),
            "{error}"
        );
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
}

#[test]
fn a_second_row_for_a_key_does_not_replace_the_first() {
    let dir = folder();
    let map = KeyMap::open(dir.path()).unwrap();
    let first = row("host:a", "first");
    assert_eq!(map.add(&first).unwrap(), Added::New);
    let second = row("host:a", "second");
    assert_eq!(map.add(&second).unwrap(), Added::Existing(first.clone()));
    assert_eq!(rows(&map), [first]);
}

#[test]
fn rows_of_other_types_devices_and_profiles_do_not_meet() {
    let dir = folder();
    let map = KeyMap::open(dir.path()).unwrap();
    let first = row("host:a", "a");
    let other_type = KeyRow {
        kind: KeyType::Rsa2048Pss,
        ..first.clone()
    };
    let other_device = KeyRow {
        device: "fake:2".to_owned(),
        ..first.clone()
    };
    let other_profile = KeyRow {
        id: KeyId::new("work".parse().unwrap(), "host:a"),
        ..first.clone()
    };
    for row in [&first, &other_type, &other_device, &other_profile] {
        assert_eq!(map.add(row).unwrap(), Added::New);
        assert_eq!(get(&map, row).as_ref(), Some(row));
    }
    assert_eq!(map.contents_of(&first.id).unwrap().in_use.len(), 3);
}

#[test]
fn rows_survive_reopening() {
    let dir = folder();
    let kept = row("host:a", "a");
    KeyMap::open(dir.path()).unwrap().add(&kept).unwrap();
    let map = KeyMap::open(dir.path()).unwrap();
    assert_eq!(rows(&map), [kept]);
}

#[test]
fn a_row_set_aside_is_out_of_use_and_kept_with_its_reason() {
    let dir = folder();
    let map = KeyMap::open(dir.path()).unwrap();
    let lost = row("host:a", "lost");
    map.add(&lost).unwrap();
    map.set_aside(&lost, "cleared").unwrap();
    assert_eq!(rows(&map), []);
    let aside = set_aside(&map);
    assert_eq!(aside.len(), 1);
    assert_eq!((&aside[0].row, &*aside[0].reason), (&lost, "cleared"));
}

#[test]
fn a_row_that_took_the_place_of_another_is_not_set_aside_for_it() {
    let map = KeyMap::in_memory().unwrap();
    let present = row("host:a", "present");
    map.add(&present).unwrap();
    map.set_aside(&row("host:a", "past"), "cleared").unwrap();
    assert_eq!(rows(&map), [present]);
    assert!(set_aside(&map).is_empty());
}

#[test]
fn pruning_removes_what_this_profile_set_aside_and_nothing_else() {
    let map = KeyMap::in_memory().unwrap();
    let kept = row("host:kept", "kept");
    map.add(&kept).unwrap();
    let work: Profile = "work".parse().unwrap();
    let lost = row("host:a", "lost");
    let foreign = KeyRow {
        id: KeyId::new(work.clone(), "host:a"),
        ..lost.clone()
    };
    for row in [&lost, &foreign] {
        map.add(row).unwrap();
        map.set_aside(row, "cleared").unwrap();
    }
    assert_eq!(map.prune(&Profile::default()).unwrap(), 1);
    assert!(set_aside(&map).is_empty());
    assert_eq!(map.contents(&work).unwrap().set_aside.len(), 1);
    assert_eq!(rows(&map), [kept]);
}

#[test]
fn only_this_very_row_is_removed() {
    let map = KeyMap::in_memory().unwrap();
    let present = row("host:a", "present");
    let gone = row("host:b", "gone");
    map.add(&present).unwrap();
    map.add(&gone).unwrap();
    map.remove(&[row("host:a", "past"), gone]).unwrap();
    assert_eq!(rows(&map), [present]);
}

#[test]
fn a_row_that_was_set_aside_is_removed_like_one_in_use() {
    let map = KeyMap::in_memory().unwrap();
    let lost = row("host:a", "lost");
    map.add(&lost).unwrap();
    map.set_aside(&lost, "cleared").unwrap();
    map.remove(&[lost]).unwrap();
    assert!(set_aside(&map).is_empty());
}

/// Rows move between pages as the map grows: no copy may stay behind in any of them.
#[test]
fn the_bytes_of_a_removed_row_are_in_no_file_of_the_folder() {
    let dir = folder();
    let map = KeyMap::open(dir.path()).unwrap();
    let mark = |i: usize| format!("<stored bytes of {i:03}>");
    // An order in which rows come before, between and after others.
    let all: Vec<_> = (0..101).map(|i| i * 37 % 101).collect();
    for &i in &all {
        map.add(&row(&format!("host:{i:03}"), &mark(i))).unwrap();
    }
    assert!(!files_with(dir.path(), &mark(7)).is_empty());
    for &i in &all[..50] {
        map.remove(&[row(&format!("host:{i:03}"), &mark(i))])
            .unwrap();
        assert_eq!(files_with(dir.path(), &mark(i)), [""; 0], "row {i}");
    }
    assert_eq!(rows(&map).len(), 51);
}

#[test]
fn a_reader_in_the_way_only_delays_that_a_removed_row_is_forgotten() {
    let dir = folder();
    let map = KeyMap::open(dir.path()).unwrap();
    let mark = "<the stored bytes>";
    let gone = row("host:a", mark);
    map.add(&gone).unwrap();
    let reader = rusqlite::Connection::open(dir.path().join("keys.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM keys").unwrap();
    map.remove(&[gone]).unwrap();
    assert_eq!(rows(&map), []);
    assert!(
        !files_with(dir.path(), mark).is_empty(),
        "the reader needs it"
    );
    reader.execute_batch("COMMIT").unwrap();
    drop(map);
    assert_eq!(files_with(dir.path(), mark), [""; 0]);
    drop(reader);
}

#[test]
fn a_lock_on_the_folder_keeps_nobody_out() {
    let dir = folder();
    let others = fs::File::open(dir.path()).unwrap();
    others.lock().unwrap();
    KeyMap::open(dir.path()).unwrap();
}

#[test]
fn the_bytes_of_a_pruned_row_are_in_no_file_of_the_folder() {
    let dir = folder();
    let map = KeyMap::open(dir.path()).unwrap();
    let mark = "<the stored bytes>";
    let lost = row("host:a", mark);
    map.add(&lost).unwrap();
    map.set_aside(&lost, "cleared").unwrap();
    map.prune(&Profile::default()).unwrap();
    assert_eq!(files_with(dir.path(), mark), [""; 0]);
}

#[test]
fn the_data_version_changes_through_other_connections_alone() {
    let dir = folder();
    let map = KeyMap::open(dir.path()).unwrap();
    let before = map.data_version().unwrap();
    map.add(&row("host:a", "a")).unwrap();
    assert_eq!(map.data_version().unwrap(), before, "own change");
    let other = KeyMap::open(dir.path()).unwrap();
    assert_eq!(map.data_version().unwrap(), before, "no change");
    other.add(&row("host:b", "b")).unwrap();
    assert_ne!(map.data_version().unwrap(), before, "another's change");
}

#[test]
fn all_who_open_an_empty_folder_at_once_share_one_map() {
    let dir = folder();
    let store = dir.path().join("store");
    let barrier = Barrier::new(8);
    let added: Vec<Added> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|i| {
                let (barrier, store) = (&barrier, &store);
                scope.spawn(move || {
                    barrier.wait();
                    let map = KeyMap::open(store).unwrap();
                    map.add(&row("host:a", &format!("thread {i}"))).unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    let new = added.iter().filter(|added| **added == Added::New).count();
    let theirs: HashSet<_> = added
        .iter()
        .filter_map(|added| match added {
            Added::Existing(row) => Some(row.stored.clone()),
            Added::New => None,
        })
        .collect();
    assert_eq!((new, theirs.len()), (1, 1));
}
