//! The store after a power cut, a full or failing disk, `kill -9`, and under a clock that jumps.
//!
//! Each job is first run once to count the changes that it makes to its folder; then it is run again
//! for each of them, and that one goes wrong. `TOKENBINDING_CRASH_ROUNDS` (`make crash ROUNDS=n`)
//! makes more of it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "`make crash` shows how much was done")]

#[path = "../common/mod.rs"]
mod common;

mod clock;
mod cuts;
mod errors;
mod job;
mod kills;
