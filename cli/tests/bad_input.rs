//! Bad input gets one line on standard error that says what to do next, and changes nothing.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    fs, io,
    process::{Command, Output},
};

use common::{Sandbox, stderr, told};
use serde_json::Value;
use tokenbinding::header;

const EKM: &str = "f176138a09c87522a3be70b64efd3956f207614031eff62157ca59097a41a19c";
const S1: &str = include_str!("../../tests/vectors/s1.hex");

fn message() -> Vec<u8> {
    data_encoding::HEXLOWER
        .decode(S1.trim().as_bytes())
        .unwrap()
}

#[test]
fn an_ekm_that_is_none_makes_no_key() {
    let sandbox = Sandbox::new();
    let long = "ab".repeat(33);
    for (ekm, says) in [
        (&EKM[2..], "31 bytes"),
        (&long, "33 bytes"),
        ("", "0 bytes"),
        ("nothex", "not hexadecimal"),
        ("@/nonexistent", "name a file"),
    ] {
        let told = sandbox.fails(2, &["generate", "example.com", "--ekm", ekm]);
        assert!(told.contains(says), "{told}");
    }
    assert!(!sandbox.store().exists());
}

#[test]
fn a_target_that_is_none_makes_no_key() {
    let sandbox = Sandbox::new();
    let long = format!("https://example.com/{}", "x".repeat(2980));
    for (target, says) in [
        ("", "empty"),
        (long.as_str(), "3000 UTF-16 units"),
        ("https://", "no URL"),
        ("https://exa mple.com/", "no URL"),
    ] {
        for args in [
            &["generate", target, "--ekm", EKM][..],
            &["generate", "a.example", "--ekm", EKM, "--referred", target],
            &["id", target],
            &["keys", "show", target],
            &["keys", "delete", target],
        ] {
            let told = sandbox.fails(2, args);
            assert!(told.contains(says), "{told}");
            assert!(!sandbox.store().exists(), "{args:?} made a store");
        }
    }
}

#[test]
fn a_header_with_a_foreign_character_is_invalid() {
    let sandbox = Sandbox::new();
    let good = header::encode(&message());
    for (header, says) in [
        (format!("{good}=="), "padding"),
        (format!(" {good}"), "white space"),
        (format!("{good}\n"), "white space"),
        (good.replacen('B', "+", 1), "'+'"),
        (good.replacen('B', "/", 1), "'/'"),
        (format!("{good},{good}"), "two headers"),
    ] {
        for args in [
            &["verify", &header, "--ekm", EKM][..],
            &["inspect", &header],
        ] {
            let told = sandbox.fails(1, args);
            assert!(told.contains(says), "{told}");
        }
    }
}

#[test]
fn a_message_cut_at_any_byte_is_invalid() {
    let sandbox = Sandbox::new();
    let message = message();
    for end in (0..message.len()).step_by(7).chain([message.len() - 1]) {
        let header = header::encode(&message[..end]);
        let told = sandbox.fails(1, &["verify", &header, "--ekm", EKM]);
        assert!(told.contains("malformed"), "{told}");
    }
}

#[test]
fn a_message_that_is_too_long_is_invalid() {
    let sandbox = Sandbox::new();
    let binding = &message()[2..];
    let many = [&(478u16 * 137).to_be_bytes()[..], &binding.repeat(478)].concat();
    let header = header::encode(&many);
    let told = sandbox.fails(1, &["verify", &header, "--ekm", EKM]);
    assert!(told.contains("more than 16 bindings"), "{told}");

    for (length, says) in [
        (65537, "more than 16 bindings"),
        (65538, "more than 87383 characters"),
        (70000, "more than 87383 characters"),
    ] {
        let mut bytes = [&[0xff, 0xff][..], &binding.repeat(479)].concat();
        bytes.resize(length, 0);
        let path = sandbox.path("header");
        fs::write(&path, header::encode(&bytes)).unwrap();
        let output = sandbox
            .command()
            .args(["verify", "-", "--ekm", EKM])
            .stdin(fs::File::open(&path).unwrap())
            .output()
            .unwrap();
        let told = common::told(&output, 1);
        assert!(told.contains(says), "{length}: {told}");
    }
}

/// However a header that is too long is given, the answer is the same.
#[test]
fn a_header_beyond_all_measure_is_invalid_wherever_it_comes_from() {
    let sandbox = Sandbox::new();
    let header = "A".repeat(100_000);
    let path = sandbox.path("header");
    fs::write(&path, &header).unwrap();
    for args in [
        &["verify", "--ekm", EKM, "--json"][..],
        &["inspect", "--json"],
    ] {
        let given = sandbox.command().args(args).arg(&header).output().unwrap();
        let piped = sandbox
            .command()
            .args(args)
            .arg("-")
            .stdin(fs::File::open(&path).unwrap())
            .output()
            .unwrap();
        assert_eq!(given.status.code(), Some(1));
        assert_eq!(piped, given);
        let document: Value = serde_json::from_slice(&given.stdout).unwrap();
        let verdict = document.get("valid").or(document.get("well_formed"));
        assert_eq!(verdict, Some(&Value::Bool(false)));
    }
}

#[test]
fn a_header_that_is_no_base64url_has_a_document_too() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["inspect", "--json", "a="]);
    assert_eq!(output.status.code(), Some(1));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["well_formed"], false);
    assert!(document["reason"].as_str().unwrap().contains("padding"));
}

#[test]
fn an_invalid_message_stays_invalid_when_nobody_reads_the_result() {
    let sandbox = Sandbox::new();
    let cut = header::encode(&message()[..100]);
    for args in [
        &["verify", &cut, "--ekm", EKM, "--json"][..],
        &["inspect", &cut],
        &["inspect", &cut, "--json"],
        &["inspect", "a=", "--json"],
    ] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let output = sandbox.command().args(args).stdout(writer).output();
        let told = told(&output.unwrap(), 1);
        assert!(told.contains("invalid") || told.contains("malformed") || told.contains("padding"));
    }
}

#[test]
fn whatever_an_argument_holds_its_error_is_one_whole_line() {
    let sandbox = Sandbox::new();
    for bad in [
        "x\nUsage: y",
        "x\n\nFor more information z",
        "\u{1b}[31m\rx",
    ] {
        for args in [
            &["id", "a.example", "--key-type", bad][..],
            &["id", "a.example", &format!("--{bad}")],
            &["id", "a.example", bad],
            &[
                "--pin-file",
                "/",
                "verify",
                "AA",
                "--ekm",
                &format!("@{bad}"),
            ],
            &["--config", bad, "keys", "list"],
        ] {
            let output = sandbox.run(args);
            let told = told(&output, output.status.code().unwrap());
            assert!(told.trim_end().chars().all(|c| !c.is_control()), "{told:?}");
            assert!(told.contains('x'), "{told}");
            if !args.contains(&"--config") && !args.contains(&"--pin-file") {
                assert!(told.ends_with(": see tokenbinding --help\n"), "{told}");
            }
        }
    }
}

#[test]
fn a_store_that_is_a_file_is_told() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.store(), "").unwrap();
    let told = sandbox.fails(1, &["keys", "list"]);
    assert!(
        told.contains("is not a folder: name another path"),
        "{told}"
    );
}

#[test]
fn the_ephemeral_profile_has_one_spelling() {
    let sandbox = Sandbox::new();
    let told = sandbox.fails(2, &["--profile", "Ephemeral", "id", "a.example"]);
    assert!(told.contains("lower case"), "{told}");
}

#[test]
fn a_damaged_store_is_named_and_left_as_it_is() {
    let sandbox = Sandbox::new();
    sandbox.generate("example.com");
    let map = sandbox.store().join("keys.db");
    for contents in [&b""[..], b"garbage", &[0; 4096]] {
        fs::write(&map, contents).unwrap();
        let told = sandbox.fails(1, &["generate", "example.com", "--ekm", EKM]);
        assert!(
            told.contains("keys.db") && told.contains("restore it from a backup"),
            "{told}"
        );
        assert_eq!(fs::read(&map).unwrap(), contents);
    }
}

#[test]
fn a_store_that_others_can_write_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.generate("example.com");
    let map = sandbox.store().join("keys.db");
    for (path, mode, remedy) in [
        (sandbox.store(), 0o777, "chmod 700"),
        (sandbox.store(), 0o720, "chmod 700"),
        (map.clone(), 0o606, "chmod 600"),
    ] {
        sandbox.chmod(&path, mode);
        let told = sandbox.fails(1, &["keys", "list"]);
        assert!(told.contains(remedy), "{told}");
        sandbox.chmod(&path, if path == map { 0o600 } else { 0o700 });
    }
    sandbox.ok(&["keys", "list"]);
}

#[test]
fn a_master_that_others_can_read_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.generate("example.com");
    let master = sandbox.store().join("software.master");
    sandbox.chmod(&master, 0o644);
    let told = sandbox.fails(1, &["generate", "example.com", "--ekm", EKM]);
    assert!(
        told.contains("software.master") && told.contains("chmod 600"),
        "{told}"
    );
}

#[test]
fn a_configuration_that_is_not_understood_is_refused() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("config.toml");
    fs::write(&path, "provider = 'software'\nstor = '/x'\n").unwrap();
    let told = sandbox.fails(1, &["--config", path.to_str().unwrap(), "keys", "list"]);
    assert!(told.contains("line 2: unknown field `stor`"), "{told}");
    sandbox.chmod(&path, 0o666);
    let told = sandbox.fails(1, &["--config", path.to_str().unwrap(), "keys", "list"]);
    assert!(told.contains("chmod"), "{told}");
}

/// Runs `script` with the command's path as `$1` and a file system of `size` of its own on `$2`.
fn on_a_disk_of(size: &str, script: &str) -> Output {
    let sandbox = Sandbox::new();
    let disk = sandbox.path("disk");
    fs::create_dir(&disk).unwrap();
    let script = format!("mount -t tmpfs -o size={size},mode=700 tmpfs \"$2\"\n{script}");
    let command = sandbox.command();
    Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-ec", &script, "sh"])
        .arg(command.get_program())
        .arg(&disk)
        .env_clear()
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .env("TOKENBINDING_PROVIDER", "software")
        .env("TOKENBINDING_STORE", disk.join("store"))
        .output()
        .unwrap()
}

#[test]
fn a_read_only_store_is_told() {
    let output = on_a_disk_of("1m", r#"mount -o remount,ro "$2"; exec "$1" id a.example"#);
    let told = told(&output, 1);
    assert!(told.contains("writable"), "{told}");
}

#[test]
fn a_full_disk_is_told_and_no_store_is_half_made() {
    let script = r#"
        head -c 49152 /dev/zero > "$2/filler"
        ! "$1" id a.example || exit 9
        ! test -e "$2/store/keys.db" || exit 8
        rm "$2/filler"
    "#;
    let output = on_a_disk_of("64k", script);
    assert!(output.status.success(), "{output:?}");
    assert!(stderr(&output).contains("space"), "{output:?}");
}

#[test]
fn a_disk_that_fills_up_loses_no_key() {
    let script = r#"
        "$1" id a.example > "$2/before"
        ! cat /dev/zero 2> /dev/null > "$2/filler" || exit 9
        ! "$1" id b.example || exit 8
        rm "$2/filler"
        "$1" id a.example --key-type any-existing | cmp - "$2/before"
        "$1" id b.example > /dev/null
    "#;
    let output = on_a_disk_of("1m", script);
    assert!(output.status.success(), "{output:?}");
    assert!(stderr(&output).contains("space"), "{output:?}");
}
