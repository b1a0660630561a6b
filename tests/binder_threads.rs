//! Threads and processes that use one store at once.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokenbinding::{
    Binder, Config, Ekm, KeyType, ProviderChoice, TokenBindingId, TokenBindingType,
};

const P256: KeyType = KeyType::EcdsaP256;
const A: &str = "https://a.example/";

fn open(dir: &TempDir) -> Binder {
    Binder::open(&Config {
        store: Some(dir.path().to_owned()),
        provider: Some(ProviderChoice::Software),
        ..Config::default()
    })
    .unwrap()
}

fn id(binder: &Binder, target: &str) -> TokenBindingId {
    binder.id(target, P256).unwrap().id
}

/// A second is what is promised; the test allows two, for a machine that has other things to do.
#[test]
fn another_process_stops_using_a_deleted_key_within_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let (here, there) = (open(&dir), open(&dir));
    let old = id(&here, A);
    assert_eq!(id(&there, A), old);
    here.delete(A).unwrap();
    let deadline = Instant::now() + Duration::from_secs(2);
    let new = loop {
        let key = there
            .generate_binding(A, P256, TokenBindingType::Provided, &Ekm::new([0x5a; 32]))
            .unwrap();
        if key.key().id != old {
            break key.key().id.clone();
        }
        assert!(Instant::now() < deadline, "the deleted key is still used");
        thread::yield_now();
    };
    assert_eq!(id(&here, A), new);
}

#[test]
fn threads_that_ask_at_once_get_one_key() {
    let dir = tempfile::tempdir().unwrap();
    let binder = open(&dir);
    let barrier = Barrier::new(16);
    let keys: Vec<_> = thread::scope(|scope| {
        let ask = || {
            barrier.wait();
            binder.id(A, P256).unwrap()
        };
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(keys.iter().all(|key| key.id == keys[0].id));
    assert_eq!(keys.iter().filter(|key| key.created).count(), 1);
    assert_eq!(binder.list().unwrap().len(), 1);
}

#[test]
fn two_connections_that_race_end_with_one_key_for_each_target() {
    let dir = tempfile::tempdir().unwrap();
    let barrier = Barrier::new(2);
    let race = || {
        let binder = open(&dir);
        let targets = (0..20).map(|i| format!("https://{i}.example/"));
        let ask = |target: String| {
            barrier.wait();
            id(&binder, &target)
        };
        targets.map(ask).collect::<Vec<_>>()
    };
    let (one, two) = thread::scope(|scope| {
        let (one, two) = (scope.spawn(race), scope.spawn(race));
        (one.join().unwrap(), two.join().unwrap())
    });
    assert_eq!(one, two);
    assert_eq!(open(&dir).list().unwrap().len(), 20);
}

#[test]
fn a_binder_may_be_shared_between_threads() {
    fn shareable<T: Send + Sync + 'static>() {}
    shareable::<Binder>();
}
