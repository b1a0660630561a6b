//! The software keystore passes the suite that every backend passes.

use std::{fs, sync::Arc};

use tempfile::TempDir;
use tokenbinding_backend::{Backend, conformance::Device};
use tokenbinding_software::{MasterSource, SoftwareBackend};

struct Keystore(TempDir);

impl Keystore {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn open(&self, name: &str) -> Arc<dyn Backend> {
        let source = MasterSource::File(self.0.path().join(name));
        Arc::new(SoftwareBackend::open(&source).expect("the keystore opens"))
    }
}

impl Device for Keystore {
    fn open(&self) -> Arc<dyn Backend> {
        self.open("master")
    }

    fn open_ephemeral(&self) -> Arc<dyn Backend> {
        Arc::new(SoftwareBackend::ephemeral().expect("there is randomness"))
    }

    fn open_other(&self) -> Arc<dyn Backend> {
        self.open("other")
    }

    fn carries_keys(&self) -> bool {
        false
    }

    fn secrets(&self) -> Vec<Vec<u8>> {
        vec![fs::read(self.0.path().join("master")).expect("the master is a file")]
    }
}

tokenbinding_backend::conformance_tests!(Keystore::new());
