//! The command with a store of its own for each test.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared by tests that each use a part of it"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

/// A folder for one test, and the command that keeps its store in it.
pub(crate) struct Sandbox(TempDir);

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// The command on the software keystore of this sandbox, untouched by whatever environment and
    /// configuration the machine has.
    pub(crate) fn command(&self) -> Command {
        self.command_at(self.home())
    }

    /// The same with its store in the folder `store` of another `home`.
    pub(crate) fn command_at(&self, home: &Path) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tokenbinding"));
        command
            .env_clear()
            .env("HOME", home)
            .env("TOKENBINDING_PROVIDER", "software")
            .env("TOKENBINDING_STORE", home.join("store"));
        command
    }

    pub(crate) fn home(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command().args(args).output().unwrap()
    }

    /// Standard output of a run that must succeed.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(args)).unwrap()
    }

    /// A document of `generate` with a random EKM.
    pub(crate) fn generate(&self, target: &str) -> Value {
        self.json(&["generate", target, "--ekm", "random", "--format", "json"])
    }

    /// The one line that a run with this status tells on standard error; nothing is on standard
    /// output.
    pub(crate) fn fails(&self, status: i32, args: &[&str]) -> String {
        told(&self.run(args), status)
    }

    /// A file that only its owner may read, of this name and content. Its path.
    pub(crate) fn secret(&self, name: &str, content: &[u8]) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        self.chmod(&path, 0o600);
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn chmod(&self, path: &Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

pub(crate) fn told(output: &Output, status: i32) -> String {
    let stderr = stderr(output);
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "",
        "a failure has no result"
    );
    assert_eq!(stderr.lines().count(), 1, "one line: {stderr}");
    assert!(stderr.starts_with("tokenbinding: "), "{stderr}");
    stderr
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A member of a document as text.
pub(crate) fn text<'a>(document: &'a Value, member: &str) -> &'a str {
    document[member].as_str().unwrap()
}
