//! The command, as cargo has built it.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The target of [`generate`].
pub const TARGET: &str = "https://www.example.com/path?query=1";

/// The command, without arguments, in an empty environment.
///
/// # Panics
/// When it is not beside this benchmark.
#[must_use]
pub fn command() -> Command {
    let here = env::current_exe().expect("a program knows its own file");
    let place = here
        .ancestors()
        .nth(2)
        .map(|place| place.join("tokenbinding"));
    let built = place.filter(|file: &PathBuf| file.exists());
    let mut command = Command::new(built.expect("build the command first: `make bench` does it"));
    command.env_clear();
    command
}

/// `generate` for [`TARGET`] with the keys of `store`.
#[must_use]
pub fn generate(store: &Path) -> Command {
    let mut command = command();
    command.arg("--store").arg(store);
    command.args(["generate", TARGET, "--ekm", &"07".repeat(32)]);
    command
}

/// Runs a command, which must succeed. What it prints is thrown away.
///
/// # Panics
/// When it fails.
pub fn run(command: &mut Command) {
    let status = command.stdout(Stdio::null()).status();
    let status = status.expect("the command starts");
    assert!(status.success(), "{command:?}: {status}");
}
