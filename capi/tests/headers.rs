//! The headers in every dialect that they are for, and beside the types of others.

mod common;

use common::Sandbox;

#[test]
fn c_from_1999_and_cxx_from_2011_take_the_headers() {
    let sandbox = Sandbox::new();
    let strict = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-x"];
    for (standard, language) in [
        ("-std=c99", "c"),
        ("-std=c11", "c"),
        ("-std=c17", "c"),
        ("-std=gnu17", "c"),
        ("-std=c++11", "c++"),
        ("-std=c++20", "c++"),
    ] {
        let flags = [&[standard], &strict[..], &[language]].concat();
        sandbox.compile("cc", "examples/server.c", &flags);
    }
}

#[test]
fn a_program_keeps_its_own_types() {
    let sandbox = Sandbox::new();
    for flags in [&[][..], &["-DRECOGNISED"]] {
        let program = sandbox.cc("tests/c/own_types.c", flags);
        assert_eq!(sandbox.ok(program, &[]), "");
    }
}
