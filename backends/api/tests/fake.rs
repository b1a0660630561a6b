//! The fake device is a real backend: it passes the suite that it helps to test others with.
#![cfg(all(feature = "conformance", feature = "fake"))]

use std::sync::Arc;

use tokenbinding_backend::{Backend, conformance::Device, fake::FakeDevice};

struct Fake(FakeDevice);

impl Device for Fake {
    fn open(&self) -> Arc<dyn Backend> {
        self.0.open()
    }

    fn open_other(&self) -> Arc<dyn Backend> {
        FakeDevice::new("another").open()
    }

    fn carries_keys(&self) -> bool {
        true
    }
}

tokenbinding_backend::conformance_tests!(Fake(FakeDevice::new("one")));
