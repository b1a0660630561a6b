//! How this project measures: two ways to do one thing, timed in turn in one process.
//!
//! Machines drift. A figure that is to be compared with another is therefore taken beside it,
//! round by round, each round beginning with the other of the two, and what is told is the median
//! of the rounds' ratios. The harness that `growth` uses times one thing after the other, which
//! cannot tell 10 per cent on a machine that others share.

pub mod command;
mod sample;
pub mod store;
mod table;

pub use sample::{Paired, Speedup, Spread, alone, paired, speedup};
pub use table::{Limit, Operations, Row};
