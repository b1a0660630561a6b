//! tpm2-pkcs11: a PKCS#11 module on a TPM, here on a swtpm of its own.

use std::{
    ffi::OsString,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::{abrmd::Abrmd, swtpm::Swtpm};

/// Every token of either simulator has the same PINs.
pub use crate::softhsm::{PIN, SO_PIN};

/// The module of Debian's package `libtpm2-pkcs11-1`.
pub const MODULE: &str = "/usr/lib/x86_64-linux-gnu/libtpm2_pkcs11.so.1";

/// A TPM with a resource manager, and a store with tokens. Without the manager the module soon
/// fills the three object slots of a swtpm.
#[derive(Debug)]
pub struct Tpm2Pkcs11 {
    store: TempDir,
    abrmd: Abrmd,
    _swtpm: Swtpm,
}

impl Tpm2Pkcs11 {
    /// A TPM with tokens of these labels.
    ///
    /// # Panics
    /// When a simulator or `pkcs11-tool` fails or is not installed.
    #[must_use]
    pub fn start(labels: &[&str]) -> Self {
        let swtpm = Swtpm::start();
        let device = Self {
            store: tempfile::tempdir().expect("a folder for the store"),
            abrmd: Abrmd::start(&swtpm),
            _swtpm: swtpm,
        };
        for (slot, label) in labels.iter().enumerate() {
            device.add_token(slot, label);
        }
        device
    }

    fn add_token(&self, slot: usize, label: &str) {
        let slot = slot.to_string();
        let slot = ["--slot-index", &slot];
        self.tool(
            &[
                &slot[..],
                &["--init-token", "--label", label, "--so-pin", SO_PIN],
            ]
            .concat(),
        );
        let login = ["--login", "--login-type", "so", "--so-pin", SO_PIN];
        self.tool(&[&slot[..], &["--init-pin", "--new-pin", PIN], &login].concat());
    }

    fn tool(&self, arguments: &[&str]) {
        let output = Command::new("pkcs11-tool")
            .args(["--module", MODULE])
            .args(arguments)
            .envs(self.environment())
            .stdin(Stdio::null())
            .output()
            .expect("pkcs11-tool runs");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "pkcs11-tool {arguments:?}: {text}");
    }

    /// What a process must have in its environment to use it.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, OsString); 4] {
        [
            ("TPM2_PKCS11_STORE", self.store.path().into()),
            ("TPM2_PKCS11_TCTI", Abrmd::TCTI.into()),
            (Abrmd::BUS_VARIABLE, self.abrmd.bus_address().into()),
            ("TSS2_LOG", "all+none".into()),
        ]
    }
}
