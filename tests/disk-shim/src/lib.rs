//! A disk for tests that fails, fills up, writes short or loses power at a chosen moment.
//!
//! Preloaded (`LD_PRELOAD`) into a process, it stands before libc's calls that change a folder named
//! in the environment. It counts them, and does at one of them what its [`Plan`] says. A power cut
//! also takes back what was not yet synced: see `image.rs`. The clock can be set, too.
//!
//! It sees what goes through libc, which is all of SQLite and of Rust's `std`. The one change of the
//! store that it cannot fail is the rename of `tempfile`, a system call without libc; a power cut
//! takes that back like any other, since it compares folders and not calls.
//!
//! One process at a time: what another changes meanwhile is taken for this one's.

mod calls;
mod clock;
mod disk;
mod image;
mod plan;
mod real;

pub use plan::{Disk, Keep, Plan};
