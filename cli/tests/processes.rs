//! Several processes on one store, and processes that are killed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{BuildHasher as _, RandomState},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use common::{Sandbox, text};

/// 8 processes × 200 `generate` for 20 targets at once, from an empty store.
#[test]
fn processes_that_start_at_once_agree_on_one_key_for_each_target() {
    let sandbox = Sandbox::new();
    let run = |worker: usize| -> Vec<(String, String)> {
        let one = |round: usize| {
            let target = format!("https://t{}.example/", (worker + round) % 20);
            let document = sandbox.generate(&target);
            let (message, ekm) = (text(&document, "message"), text(&document, "ekm"));
            verify(message, ekm);
            (target, text(&document["bindings"][0], "id").to_owned())
        };
        (0..200).map(one).collect()
    };
    let seen: Vec<_> = thread::scope(|scope| {
        let run = &run;
        let workers: Vec<_> = (0..8)
            .map(|worker| scope.spawn(move || run(worker)))
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect()
    });
    assert_eq!(seen.len(), 1600);
    let keys: BTreeSet<_> = seen.into_iter().collect();
    assert_eq!(keys.len(), 20, "exactly one key for each target");
    assert_eq!(
        sandbox
            .json(&["keys", "list", "--json"])
            .as_array()
            .unwrap()
            .len(),
        20
    );
    assert_integrity(&sandbox);
}

fn verify(message: &str, ekm: &str) {
    let ekm = tokenbinding::Ekm::from_hex(ekm).unwrap();
    let verifier = tokenbinding::Verifier::new(tokenbinding::KeyType::EcdsaP256);
    verifier.verify_header(message, &ekm).unwrap();
}

/// `kill -9` at random moments, 50 times: the store opens, and no key that was printed is lost.
#[test]
fn a_killed_process_loses_no_key_that_was_printed() {
    let sandbox = Sandbox::new();
    let mut printed = BTreeMap::new();
    let started = Instant::now();
    sandbox.generate("warm-up.example");
    let whole_run = started.elapsed();
    for round in 0..50 {
        let target = format!("https://t{}.example/", round % 25);
        let mut child = sandbox
            .command()
            .args(["id", &target])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let moment = whole_run.mul_f64(random_share());
        let started = Instant::now();
        while started.elapsed() < moment && child.try_wait().unwrap().is_none() {
            thread::yield_now();
        }
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let id = String::from_utf8(output.stdout).unwrap();
        if !id.is_empty() {
            let before = printed.insert(target, id.clone());
            assert!(
                before.is_none_or(|before| before == id),
                "a printed key was replaced"
            );
        }
    }
    for (target, id) in printed {
        assert_eq!(
            sandbox.ok(&["id", &target, "--key-type", "any-existing"]),
            id
        );
    }
    assert_integrity(&sandbox);
}

/// A number from 0 to 1.2: some moments are after the end.
fn random_share() -> f64 {
    let random = RandomState::new().hash_one(Instant::now());
    Duration::from_nanos(random % 1_200_000_000).as_secs_f64()
}

#[test]
fn a_process_stops_using_a_key_that_another_deleted() {
    let sandbox = Sandbox::new();
    let config = tokenbinding::Config {
        provider: Some(tokenbinding::ProviderChoice::Software),
        store: Some(sandbox.store()),
        ..tokenbinding::Config::default()
    };
    let binder = tokenbinding::Binder::open(&config).unwrap();
    let id = || {
        binder
            .id("example.com", tokenbinding::KeyType::EcdsaP256)
            .unwrap()
            .id
    };
    let old = id();
    sandbox.ok(&["keys", "delete", "example.com"]);
    let deleted = Instant::now();
    while id() == old {
        assert!(
            deleted.elapsed() < Duration::from_secs(1),
            "the deleted key is still in use"
        );
        thread::yield_now();
    }
}

fn assert_integrity(sandbox: &Sandbox) {
    let script = "import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute('PRAGMA integrity_check').fetchone()[0])";
    let output = Command::new("python3")
        .args(["-c", script])
        .arg(sandbox.store().join("keys.db"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ok\n");
}
