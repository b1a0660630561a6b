//! A process of its own for a test.
//!
//! A PKCS#11 module is one for the whole process and reads its configuration from the environment,
//! so tests that run as threads of one process would share it. A test that begins with
//! [`run`] is run a second time, alone in a child process with the environment of its device; the
//! parent keeps the device alive meanwhile and passes if the child does.

use std::{env, ffi::OsString, process::Command};

/// Set in the child to the name of the test that it is for.
const MARK: &str = "TOKENBINDING_OWN_PROCESS";

/// The name of the test function that this stands in, for [`run`].
#[macro_export]
macro_rules! this_test {
    () => {
        ::std::any::type_name_of_val(&|| ())
    };
}

/// The path of a test, as the test harness knows it, from the type name of a closure in it.
fn test_path(closure: &str) -> &str {
    let path = closure.split_once("::").map_or(closure, |(_, path)| path);
    path.split("::{{closure}}").next().unwrap_or(path)
}

/// Whether this is the child process of the test `closure` stands in.
#[must_use]
pub fn is_child(closure: &str) -> bool {
    env::var_os(MARK).is_some_and(|test| test == test_path(closure))
}

/// Runs the test that `closure` stands in, alone in a child process with the `environment`.
///
/// # Panics
/// When the test fails there.
pub fn run(closure: &str, environment: &[(&str, OsString)]) {
    let test = test_path(closure);
    let status = command(closure)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .status()
        .expect("the test runs again");
    assert!(
        status.success(),
        "{test} failed in its own process: {status}"
    );
}

/// The test that `closure` stands in, as the child.
pub(crate) fn command(closure: &str) -> Command {
    let test = test_path(closure);
    let mut command = Command::new(env::current_exe().expect("a test knows its own file"));
    command
        .args([test, "--exact", "--nocapture", "--include-ignored"])
        .env(MARK, test);
    command
}
