//! Many threads at once, and forks among them.

#![allow(
    unsafe_code,
    clippy::unwrap_used,
    reason = "calls what C calls, and fails by panicking"
)]

mod common;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use common::calls::*;
use windows_sys::Win32::Foundation::NTE_NOT_FOUND;

const THREADS: usize = 16;
const CALLS: usize = 1_000;
/// Enough that without waiting for calls a child meets a lock that stays taken.
const FORKS: usize = 500;

/// One of several things that a thread may do, and that must succeed whatever the others do.
fn call(thread: usize, number: usize) {
    let shared = format!("https://shared-{}.test/", number % 5);
    let own = format!("https://own-{thread}.test/");
    match number % 7 {
        0 | 1 => {
            let (binding, id) = generate(ECDSAP256, &shared, 0).unwrap();
            let message = message(&[&binding]).unwrap();
            assert_eq!(verify(&message, ECDSAP256, &EKM), Ok(vec![(0, id)]));
        }
        2 => assert_eq!(key_types(TokenBindingGetKeyTypesClient), [2, 1, 0]),
        3 => assert_eq!(verify(&[0; 9], ECDSAP256, &EKM).unwrap_err() >> 16, -0x7ff7),
        4 => drop(id_for_uri(ECDSAP256, &own).unwrap()),
        5 if number.is_multiple_of(4) => assert!([0, NTE_NOT_FOUND].contains(&delete(&own))),
        _ => assert_eq!(id_for_uri(255, "https://none.test/"), Err(NTE_NOT_FOUND)),
    }
}

#[test]
fn sixteen_threads_make_a_thousand_calls_each() {
    set_up();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || (0..CALLS).for_each(|number| call(thread, number)));
        }
    });
}

/// The exit status of a child that signs with the parent's key and verifies.
fn child(expected: &[u8]) -> i32 {
    let Ok((binding, id)) = generate(ECDSAP256, "https://forked.test/", 0) else {
        return 1;
    };
    let verified = message(&[&binding]).and_then(|m| verify(&m, ECDSAP256, &EKM));
    i32::from(id != expected || verified != Ok(vec![(0, id)])) * 2
}

#[test]
fn a_child_signs_whatever_the_parents_threads_did_when_it_was_forked() {
    set_up();
    let id = id_for_uri(ECDSAP256, "https://forked.test/").unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for thread in 0..4 {
            let stop = &stop;
            scope.spawn(move || {
                let numbers = (0..).take_while(|_| !stop.load(Ordering::Relaxed));
                numbers.for_each(|number| call(thread, number));
            });
        }
        let failure = (0..FORKS)
            .map(|_| forked(|| child(&id)))
            .find(|status| *status != 0);
        stop.store(true, Ordering::Relaxed);
        assert_eq!(failure, None);
    });
    assert_eq!(id_for_uri(ECDSAP256, "https://forked.test/"), Ok(id));
}

/// Runs `work` in a child and returns its exit status.
fn forked(work: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the child calls this library, whose locks are free then, and malloc, which is ready
    // for it. It leaves without running what belongs to its parent.
    unsafe {
        match libc::fork() {
            0 => {
                // A child that hangs is a failure.
                libc::alarm(30);
                let status = work();
                libc::_exit(status);
            }
            pid => {
                let mut status = -1;
                assert_eq!(libc::waitpid(pid, &raw mut status, 0), pid);
                if libc::WIFEXITED(status) {
                    libc::WEXITSTATUS(status)
                } else {
                    -status
                }
            }
        }
    }
}
