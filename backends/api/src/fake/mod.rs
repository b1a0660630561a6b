//! A device in memory whose calls can be made to fail, for tests of what stands above a backend.
//!
//! It makes real P-256 keys and carries them like a token, so that what a test leaves behind can
//! be counted: [`FakeDevice::keys`] against the rows of a key map.

mod device;
mod faults;

pub use self::{
    device::{FakeBackend, FakeDevice},
    faults::{Fault, FaultKind},
};
