//! Several threads on one device.

use std::thread;

use super::{Device, assert_signs, create, durable};

const THREADS: usize = 4;

/// One opened key signs for several threads at once.
pub fn threads_share_one_key(device: &dyn Device) {
    let backend = device.open();
    let kind = backend.key_types()[0];
    let (_, key) = create(&*backend, &durable("host:example.com"), kind);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..8).for_each(|_| assert_signs(&*key, kind)));
        }
    });
}

/// Several threads make, use and reopen keys at once.
pub fn threads_make_keys_at_once(device: &dyn Device) {
    let backend = device.open();
    let kind = backend.key_types()[0];
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let backend = &backend;
            scope.spawn(move || {
                for round in 0..4 {
                    let id = durable(&format!("host:{thread}-{round}.example"));
                    let (stored, key) = create(&**backend, &id, kind);
                    assert_signs(&*key, kind);
                    let again = backend.open(&stored).expect("the key opens");
                    assert_signs(&*again, kind);
                }
            });
        }
    });
}
