//! SoftHSM: a PKCS#11 token in files.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// The module of Debian's package `libsofthsm2`.
pub const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// The user PIN of every token.
pub const PIN: &str = "24680-user";
/// The security officer's PIN of every token.
pub const SO_PIN: &str = "13579-officer";
/// Where SoftHSM looks for its configuration.
pub const CONFIGURATION: &str = "SOFTHSM2_CONF";

/// A SoftHSM of its own, in a directory that goes with it.
#[derive(Debug)]
pub struct SoftHsm {
    directory: TempDir,
}

impl SoftHsm {
    /// A SoftHSM with tokens of these labels.
    ///
    /// # Panics
    /// When `softhsm2-util` fails or is not installed.
    #[must_use]
    pub fn start(labels: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the tokens");
        let softhsm = Self { directory };
        let tokens = softhsm.path().join("tokens");
        fs::create_dir(&tokens).expect("a directory for the tokens");
        let configuration = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            tokens.display()
        );
        fs::write(softhsm.configuration(), configuration).expect("a configuration");
        for label in labels {
            softhsm.add_token(label);
        }
        softhsm
    }

    fn add_token(&self, label: &str) {
        let status = Command::new("softhsm2-util")
            .args(["--init-token", "--free", "--label", label])
            .args(["--pin", PIN, "--so-pin", SO_PIN])
            .envs(self.environment())
            .stdout(Stdio::null())
            .status()
            .expect("softhsm2-util runs");
        assert!(status.success(), "softhsm2-util: {status}");
    }

    /// Its directory, where a test may keep files of its own.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    fn configuration(&self) -> PathBuf {
        self.path().join("softhsm2.conf")
    }

    /// Puts `pairs` key pairs that are nobody's on one token: one is made, and its files are copied.
    /// To be called before any process uses the tokens.
    ///
    /// # Panics
    /// When `pkcs11-tool` fails or is not installed.
    pub fn crowd(&self, label: &str, pairs: usize) {
        let made = Command::new("pkcs11-tool")
            .args([
                "--module",
                MODULE,
                "--token-label",
                label,
                "--login",
                "--pin",
                PIN,
            ])
            .args(["--keypairgen", "--key-type", "EC:prime256v1", "--id", "ff"])
            .envs(self.environment())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("pkcs11-tool runs");
        assert!(made.success(), "pkcs11-tool: {made}");
        let tokens = fs::read_dir(self.path().join("tokens")).expect("the tokens' folder");
        let mut tokens = tokens.map(|token| token.expect("a token").path());
        let token = tokens.find(|token| has_label(token, label));
        copy_objects(&token.expect("a token of this label"), pairs);
    }

    /// What a process must have in its environment to use it.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, OsString); 1] {
        [(CONFIGURATION, self.configuration().into())]
    }
}

/// Whether the token in this folder has the label, which PKCS#11 pads with blanks to 32 bytes.
fn has_label(token: &Path, label: &str) -> bool {
    let padded = format!("{label:32}");
    let state = fs::read(token.join("token.object")).expect("the token's own object");
    state
        .windows(padded.len())
        .any(|bytes| bytes == padded.as_bytes())
}

/// Copies each object of a token so that there are `count` of it.
fn copy_objects(token: &Path, count: usize) {
    let files = fs::read_dir(token).expect("the token's folder");
    let names = files.map(|file| file.expect("a file").file_name().into_string());
    let names: Vec<String> = names.collect::<Result<_, _>>().expect("plain names");
    let objects = names
        .iter()
        .filter(|name| name.ends_with(".object") && *name != "token.object");
    for object in objects {
        let (_, rest) = object.split_at(8);
        for copy in 1..count {
            // The name is a UUID; any other will do.
            let name = format!("{copy:08x}{rest}");
            fs::copy(token.join(object), token.join(&name)).expect("a copy");
            let lock = name.replace(".object", ".lock");
            fs::write(token.join(lock), "").expect("its lock");
        }
    }
}
