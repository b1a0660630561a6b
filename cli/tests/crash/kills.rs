//! Processes that make, delete and list keys of one store, killed at random moments.

use std::{
    collections::BTreeMap,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    common::Sandbox,
    job::{assert_integrity, rounds},
};

const WORKERS: u64 = 4;
const TARGETS: u64 = 5;

/// Numbers that are the same in each run (`SplitMix64`).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// Lets a process run for `moment` and kills it. Its result, if it printed one.
fn kill_after(mut child: Child, moment: Duration) -> Option<String> {
    let started = Instant::now();
    while started.elapsed() < moment && child.try_wait().unwrap().is_none() {
        thread::yield_now();
    }
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.ends_with('\n').then_some(text)
}

/// What a worker knows of a key that it alone makes and deletes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    /// This one was shown.
    Key(String),
    /// It was deleted, and the deletion shown, or never shown.
    NoneShown,
}

/// One worker on its own targets: after each kill, what was shown must still be true.
fn work(sandbox: &Sandbox, worker: u64, kills: u32, whole: Duration) -> u32 {
    let mut random = Random(worker + 1);
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    let mut gone: Vec<String> = Vec::new();
    let mut shown = 0;
    for _ in 0..kills {
        let target = format!("w{worker}-t{}.example", random.below(TARGETS));
        let job = match random.below(4) {
            0 => vec!["keys", "delete", &target],
            1 => vec!["keys", "list"],
            _ => vec!["id", &target],
        };
        let mut command = sandbox.command();
        command
            .args(&job)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let moment = whole.mul_f64(random.below(1300) as f64 / 1000.0);
        let result = kill_after(command.spawn().unwrap(), moment);
        shown += u32::from(result.is_some());
        let before = known.get(&target).cloned().unwrap_or(Known::NoneShown);
        match (job[1], result) {
            ("list", _) => (),
            ("delete", result) => {
                if let Known::Key(id) = before {
                    let now = sandbox.run(&["id", &target, "--key-type", "any-existing"]);
                    let now = String::from_utf8(now.stdout).unwrap();
                    assert!(now.is_empty() || now == id && result.is_none(), "{target}");
                    if now.is_empty() {
                        gone.push(id);
                        known.remove(&target);
                    }
                }
            }
            (_, Some(id)) => {
                assert!(!gone.contains(&id), "a deleted key came back: {target}");
                if let Known::Key(before) = before {
                    assert_eq!(before, id, "a key that was shown was replaced: {target}");
                }
                known.insert(target, Known::Key(id));
            }
            (_, None) => (),
        }
    }
    for (target, key) in known {
        let Known::Key(id) = key else { continue };
        let now = sandbox.ok(&["id", &target, "--key-type", "any-existing"]);
        assert_eq!(now, id, "a key that was shown is lost: {target}");
    }
    shown
}

#[test]
fn processes_killed_at_random_lose_no_key_and_bring_none_back() {
    let sandbox = Sandbox::new();
    let started = Instant::now();
    sandbox.ok(&["id", "warm-up.example"]);
    // Several run at once.
    let whole = started.elapsed() * 2;
    let kills = 15 * rounds();
    let shown: u32 = thread::scope(|scope| {
        let sandbox = &sandbox;
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| scope.spawn(move || work(sandbox, worker, kills, whole)))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .sum()
    });
    sandbox.ok(&["keys", "list"]);
    assert_integrity(&sandbox.store());
    let all = WORKERS * u64::from(kills);
    println!("{WORKERS} processes at once, {all} killed, {shown} after they had shown a result");
}

/// The first process of a store is killed while others start: all agree on one master.
#[test]
fn processes_killed_while_the_store_is_made_leave_one_that_works() {
    let mut random = Random(7);
    for _ in 0..8 * rounds() {
        let sandbox = Sandbox::new();
        let children: Vec<_> = (0..3)
            .map(|_| {
                let mut command = sandbox.command();
                command.args(["id", "example.com"]);
                command.stdout(Stdio::piped()).stderr(Stdio::null());
                command.spawn().unwrap()
            })
            .collect();
        let killed = |child| {
            let moment = Duration::from_micros(random.below(40_000));
            kill_after(child, moment)
        };
        let shown: Vec<_> = children.into_iter().filter_map(killed).collect();
        let now = sandbox.ok(&["id", "example.com"]);
        assert!(
            shown.iter().all(|id| *id == now),
            "a key that was shown is lost"
        );
        assert_integrity(&sandbox.store());
    }
}
