//! Programs in C and other languages, built against the shared library and run on a device of
//! their own.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared by tests that each use a part of it"
)]

pub(crate) mod calls;

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;
use tokenbinding_devices::softhsm::{self, SoftHsm};

/// What every C program is built with.
const C_FLAGS: [&str; 8] = [
    "-std=c11",
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wconversion",
    "-Werror",
    "-g",
    "-pthread",
];

/// A folder with the store of one test, the programs that it builds, and the library under the
/// names that it is installed with.
pub(crate) struct Sandbox {
    directory: TempDir,
    environment: Vec<(OsString, OsString)>,
}

impl Sandbox {
    /// With the software keystore.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["libtokenbinding.so", "libtokenbinding.so.0"] {
            symlink(shared_library(), directory.path().join(name)).unwrap();
        }
        let store = directory.path().join("store");
        let sandbox = Self {
            directory,
            environment: Vec::new(),
        };
        sandbox
            .with("TOKENBINDING_PROVIDER", "software")
            .with("TOKENBINDING_STORE", store)
    }

    /// With a token labelled `work`.
    pub(crate) fn on_token(softhsm: &SoftHsm) -> Self {
        let uri = format!("pkcs11:token=work?module-path={}", softhsm::MODULE);
        let [(name, configuration)] = softhsm.environment();
        Self::new()
            .with("TOKENBINDING_PROVIDER", "pkcs11")
            .with("TOKENBINDING_PKCS11_URI", uri)
            .with("TOKENBINDING_PIN", softhsm::PIN)
            .with(name, configuration)
    }

    /// With a variable in the environment of every program.
    pub(crate) fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Builds a C program of this crate.
    pub(crate) fn cc(&self, source: &str, flags: &[&str]) -> PathBuf {
        self.compile("cc", source, &[&C_FLAGS, flags].concat())
    }

    /// Builds a C++ program of this crate.
    pub(crate) fn cxx(&self, source: &str) -> PathBuf {
        self.compile(
            "c++",
            source,
            &["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror"],
        )
    }

    pub(crate) fn compile(&self, compiler: &str, source: &str, flags: &[&str]) -> PathBuf {
        let program = self.path(Path::new(source).file_name().unwrap().to_str().unwrap());
        let program = program.with_extension("program");
        let output = Command::new(compiler)
            .args(flags)
            .arg(format!("-I{}/include", env!("CARGO_MANIFEST_DIR")))
            .arg(in_crate(source))
            .arg("-o")
            .arg(&program)
            .arg("-L")
            .arg(self.directory.path())
            .args(["-Wl,--as-needed", "-ltokenbinding", "-ldl"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{source}: {}", told(&output));
        program
    }

    /// A program with the store and the library of this sandbox.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.directory.path())
            .env("LD_LIBRARY_PATH", self.directory.path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Standard output of a program that must succeed and must not write anything else.
    pub(crate) fn ok(&self, program: impl AsRef<Path>, args: &[&str]) -> String {
        let output = self.command(program).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", told(&output));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        String::from_utf8(output.stdout).unwrap()
    }
}

pub(crate) fn told(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

pub(crate) fn in_crate(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub(crate) fn read_in_crate(path: &str) -> String {
    fs::read_to_string(in_crate(path)).unwrap()
}

/// The shared library, which is built beside the tests.
pub(crate) fn shared_library() -> PathBuf {
    let tests = env::current_exe().unwrap();
    let library = tests.with_file_name("libtokenbinding_c.so");
    assert!(library.exists(), "{library:?}");
    library
}
