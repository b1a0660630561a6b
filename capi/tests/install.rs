//! `make install`, and programs that find the library through its `.pc` file alone.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use common::{Sandbox, in_crate, shared_library, told};

/// An installation of the library that is built beside the tests.
struct Installation(Sandbox);

impl Installation {
    fn new() -> Self {
        let installation = Self(Sandbox::new());
        installation.make("install");
        installation
    }

    fn prefix(&self) -> PathBuf {
        self.0.path("prefix")
    }

    fn make(&self, target: &str) {
        let set = |name: &str, path: &Path| format!("{name}={}", path.display());
        let output = Command::new("make")
            // The library is built already; cargo is busy with this test.
            .args(["--silent", "--old-file=library", target])
            .arg(set("BUILT", shared_library().parent().unwrap()))
            .arg(set("PREFIX", &self.prefix()))
            .current_dir(in_crate(".."))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", told(&output));
    }

    /// What `pkg-config` says, in words.
    fn flags(&self) -> Vec<String> {
        let output = Command::new("pkg-config")
            .args(["--cflags", "--libs", "tokenbinding"])
            .env("PKG_CONFIG_PATH", self.prefix().join("lib/pkgconfig"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", told(&output));
        let flags = String::from_utf8(output.stdout).unwrap();
        flags.split_whitespace().map(str::to_owned).collect()
    }

    fn files(&self) -> usize {
        ["lib", "lib/pkgconfig", "include"]
            .iter()
            .flat_map(|folder| fs::read_dir(self.prefix().join(folder)).unwrap())
            .filter(|entry| !entry.as_ref().unwrap().file_type().unwrap().is_dir())
            .count()
    }
}

#[test]
fn a_program_is_built_with_the_pc_file_and_runs() {
    let installation = Installation::new();
    let program = installation.0.path("client");
    let output = Command::new("cc")
        .arg(in_crate("examples/client.c"))
        .args(installation.flags())
        .arg("-o")
        .arg(&program)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let output = installation
        .0
        .command(program)
        .env("LD_LIBRARY_PATH", installation.prefix().join("lib"))
        .args(["https://example.com/", "ecdsap256", &"00".repeat(32)])
        .output()
        .unwrap();
    assert_eq!(output.stdout.len(), 187, "{}", told(&output));
}

#[test]
fn uninstalling_leaves_nothing() {
    let installation = Installation::new();
    assert_eq!(installation.files(), 7);
    installation.make("uninstall");
    assert_eq!(installation.files(), 0);
}
