//! The shared library as a file: what it exports and how it may be loaded.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::process::Command;

use common::{Sandbox, shared_library};

const EXPORTED: [&str; 11] = [
    "TokenBindingDeleteAllBindings",
    "TokenBindingDeleteBinding",
    "TokenBindingGenerateBinding",
    "TokenBindingGenerateID",
    "TokenBindingGenerateIDForUri",
    "TokenBindingGenerateMessage",
    "TokenBindingGetHighestSupportedVersion",
    "TokenBindingGetKeyTypesClient",
    "TokenBindingGetKeyTypesServer",
    "TokenBindingGetLastErrorText",
    "TokenBindingVerifyMessage",
];

fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(args)
        .arg(shared_library())
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn nothing_but_the_documented_functions_is_exported() {
    let symbols = run("nm", &["--dynamic", "--defined-only", "--format=posix"]);
    let mut names: Vec<_> = symbols
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    names.sort_unstable();
    assert_eq!(names, EXPORTED);
}

#[test]
fn the_library_knows_its_installed_name() {
    let dynamic = run("readelf", &["--dynamic", "--wide"]);
    assert!(
        dynamic.contains("Library soname: [libtokenbinding.so.0]"),
        "{dynamic}"
    );
}

#[test]
fn it_can_be_opened_and_closed_a_hundred_times() {
    let sandbox = Sandbox::new();
    let program = sandbox.cc("tests/c/reopen.c", &[]);
    assert_eq!(sandbox.ok(program, &["100"]), "100\n");
}
