//! Random bytes in place of messages.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::calls::*;
use windows_sys::Win32::Foundation::{NTE_BAD_DATA, NTE_BAD_KEY, NTE_BAD_LEN};

const MESSAGES: usize = 100_000;
const SIZE: usize = 1_000;

#[test]
fn a_hundred_thousand_random_messages_are_refused() {
    let mut message = [0; SIZE];
    for _ in 0..MESSAGES {
        getrandom::fill(&mut message).unwrap();
        refused(&message);
    }
}

/// As above, with a sound prefix, which takes the parser further in.
#[test]
fn a_hundred_thousand_messages_of_random_fields_are_refused() {
    let mut message = [0; SIZE];
    for number in 0..MESSAGES {
        getrandom::fill(&mut message).unwrap();
        message[..2].copy_from_slice(&[3, 0xe6]);
        let key_parameters = message[3] % 3;
        let start: &[u8] = match key_parameters {
            2 => &[0, 2, 0, 65, 64],
            _ => &[0, key_parameters, 1, 6, 1, 0],
        };
        let taken = start.len().min(1 + number % 6);
        message[2..2 + taken].copy_from_slice(&start[..taken]);
        refused(&message);
    }
}

fn refused(message: &[u8]) {
    let status = verify(message, ECDSAP256, &EKM).unwrap_err();
    let form = [NTE_BAD_DATA, NTE_BAD_LEN, NTE_BAD_KEY];
    assert!(form.contains(&status), "{status:#x}: {}", last_error());
}
