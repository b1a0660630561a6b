//! Every path of every function under tools that see leaks and invalid accesses.

mod common;

use common::{Sandbox, told};

const PROGRAM: &str = "tests/c/every_path.c";

#[test]
fn every_path_returns_its_documented_status() {
    let sandbox = Sandbox::new();
    let program = sandbox.cc(PROGRAM, &[]);
    assert_eq!(sandbox.ok(program, &[]), "0 failures\n");
}

#[test]
fn valgrind_finds_no_leak_and_no_invalid_access() {
    let sandbox = Sandbox::new();
    let program = sandbox.cc(PROGRAM, &[]);
    let mut command = sandbox.command("valgrind");
    command
        .args(["--quiet", "--error-exitcode=99", "--leak-check=full"])
        // What the library keeps for the process is still reachable at its end, some of it only
        // through the inner pointers of Rust's own handles.
        .args(["--show-leak-kinds=definite,indirect"])
        .args(["--errors-for-leak-kinds=definite,indirect"])
        .arg(program);
    let output = command.output().expect("valgrind is installed");
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn the_address_sanitizer_finds_nothing() {
    let sandbox = Sandbox::new();
    let program = sandbox.cc(
        PROGRAM,
        &["-fsanitize=address,undefined", "-fno-sanitize-recover"],
    );
    assert_eq!(sandbox.ok(program, &[]), "0 failures\n");
}
