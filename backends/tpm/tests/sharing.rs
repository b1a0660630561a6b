//! Many keys and several threads on a TPM with three object slots and no resource manager.

mod common;

use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use common::{P256, assert_signs, id, open};
use tokenbinding_backend::Backend as _;
use tokenbinding_devices::swtpm::Swtpm;

#[test]
fn ten_thousand_signatures_with_five_hundred_keys_leave_nothing_behind() {
    const KEYS: usize = 500;
    const SIGNATURES: usize = 10_000;
    let swtpm = Swtpm::start();
    {
        let backend = open(swtpm.tcti());
        let make = |number| {
            let created = backend.create(&id(&format!("host:{number}.example")), P256);
            created.expect("the TPM makes a key").1
        };
        let keys: Vec<_> = (0..KEYS).map(make).collect();
        for number in 0..SIGNATURES {
            // Steps of 7 visit every key before one comes again.
            assert_signs(&*keys[number * 7 % KEYS], P256);
        }
        assert!(swtpm.loaded_objects() <= 2);
    }
    assert_eq!(swtpm.loaded_objects(), 0);
}

#[test]
fn four_threads_share_the_tpm_without_starving_one() {
    const THREADS: usize = 4;
    const TURNS: usize = 50;
    let swtpm = Swtpm::start();
    let backend = open(swtpm.tcti());
    let counts: [AtomicUsize; THREADS] = Default::default();
    let done = AtomicBool::new(false);
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for (thread, count) in counts.iter().enumerate() {
            let (backend, done, start) = (&backend, &done, &start);
            scope.spawn(move || {
                let created = backend.create(&id(&format!("host:{thread}.example")), P256);
                let (_, key) = created.expect("the TPM makes a key");
                start.wait();
                while !done.load(Ordering::Relaxed) {
                    assert_signs(&*key, P256);
                    let turns = count.fetch_add(1, Ordering::Relaxed) + 1;
                    if turns == TURNS {
                        done.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    for count in counts {
        assert!(count.into_inner() > TURNS / 4, "a thread was starved");
    }
}
