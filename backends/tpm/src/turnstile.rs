//! A lock that lets waiting threads pass in the order in which they came.
//!
//! A TPM command takes milliseconds to seconds; with a lock that makes no promise, a thread that
//! signs in a loop can keep the others out for good.

use std::{
    ops::{Deref, DerefMut},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// A value that one thread at a time may use, first come, first served.
#[derive(Debug, Default)]
pub(crate) struct Turnstile<T> {
    queue: Mutex<Queue>,
    moved: Condvar,
    value: Mutex<T>,
}

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    serving: u64,
}

impl<T> Turnstile<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            queue: Mutex::default(),
            moved: Condvar::new(),
            value: Mutex::new(value),
        }
    }

    /// Waits for this thread's turn. A thread that panicked while it held the value does not keep
    /// others out.
    pub(crate) fn pass(&self) -> Turn<'_, T> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = queue.next;
        queue.next += 1;
        while queue.serving != ticket {
            queue = self
                .moved
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(queue);
        let value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        Turn {
            turnstile: self,
            value,
        }
    }
}

/// A thread's turn with the value.
pub(crate) struct Turn<'a, T> {
    turnstile: &'a Turnstile<T>,
    value: MutexGuard<'a, T>,
}

impl<T> Deref for Turn<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Turn<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        let turnstile = self.turnstile;
        let mut queue = turnstile
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        queue.serving += 1;
        turnstile.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn threads_pass_in_the_order_in_which_they_came() {
        let turnstile = &Turnstile::new(Vec::new());
        thread::scope(|scope| {
            let turn = turnstile.pass();
            for number in 0..8 {
                scope.spawn(move || turnstile.pass().push(number));
                // The next thread comes only when this one stands in the queue.
                while turnstile.queue.lock().expect("not poisoned").next < number + 2 {
                    thread::yield_now();
                }
            }
            drop(turn);
        });
        assert_eq!(*turnstile.pass(), Vec::from_iter(0..8));
    }

    #[test]
    fn who_waits_comes_before_who_was_there_last() {
        let turnstile = &Turnstile::new(0);
        thread::scope(|scope| {
            let turn = turnstile.pass();
            scope.spawn(move || *turnstile.pass() += 1);
            while turnstile.queue.lock().expect("not poisoned").next < 2 {
                thread::yield_now();
            }
            drop(turn);
            assert_eq!(*turnstile.pass(), 1);
        });
    }

    #[test]
    fn a_panic_does_not_keep_others_out() {
        let turnstile = Turnstile::new(0);
        let panicked = thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let _turn = turnstile.pass();
                panic!("in its turn");
            });
            thread.join().is_err()
        });
        assert!(panicked);
        *turnstile.pass() += 1;
    }
}
