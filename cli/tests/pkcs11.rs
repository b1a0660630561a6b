//! The command on a simulated PKCS#11 token.

#![cfg(feature = "pkcs11")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    fs,
    process::{Command, Output},
};

use common::{Sandbox, stderr, text};
use serde_json::{Value, json};
use tokenbinding_devices::softhsm::{self, SoftHsm};

const TARGET: &str = "https://www.example.com/";
const TYPES: [&str; 3] = ["ecdsap256", "rsa2048_pss", "rsa2048_pkcs1.5"];

/// A token, and the command on it.
struct Token {
    softhsm: SoftHsm,
    sandbox: Sandbox,
}

impl Token {
    fn new() -> Self {
        Self {
            softhsm: SoftHsm::start(&["work"]),
            sandbox: Sandbox::new(),
        }
    }

    fn uri() -> String {
        format!("pkcs11:token=work?module-path={}", softhsm::MODULE)
    }

    /// The command with its PIN in a file of its own.
    fn command(&self, sandbox: &Sandbox, pin: &str, args: &[&str]) -> Output {
        let pin_file = sandbox.path("pin");
        fs::write(&pin_file, pin).unwrap();
        sandbox.chmod(&pin_file, 0o600);
        let mut command = sandbox.command();
        command
            .args([
                "--provider",
                "pkcs11",
                "--pkcs11-uri",
                &Self::uri(),
                "--pin-file",
            ])
            .arg(&pin_file)
            .args(args)
            .envs(self.softhsm.environment());
        command.output().unwrap()
    }

    fn json_in(&self, sandbox: &Sandbox, args: &[&str]) -> Value {
        let output = self.command(sandbox, softhsm::PIN, args);
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        self.json_in(&self.sandbox, args)
    }

    fn pkcs11_tool(&self, args: &[&str]) -> String {
        let output = Command::new("pkcs11-tool")
            .args([
                "--module",
                softhsm::MODULE,
                "--login",
                "--pin",
                softhsm::PIN,
            ])
            .args(args)
            .envs(self.softhsm.environment())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

#[test]
fn a_header_signed_on_the_token_verifies() {
    let token = Token::new();
    for key_type in TYPES {
        let args = [
            "generate",
            TARGET,
            "--ekm",
            "random",
            "--format",
            "json",
            "--key-type",
            key_type,
        ];
        let document = token.json(&args);
        assert_eq!(document["provider"], "pkcs11");
        let (message, ekm) = (text(&document, "message"), text(&document, "ekm"));
        token
            .sandbox
            .ok(&["verify", message, "--ekm", ekm, "--key-type", key_type]);
    }
}

#[test]
fn the_private_key_is_sensitive_never_extractable_and_local() {
    let token = Token::new();
    token.json(&["id", TARGET, "--json"]);
    let objects = token.pkcs11_tool(&["--list-objects", "--type", "privkey"]);
    assert!(
        objects.contains("sensitive, always sensitive, never extractable, local"),
        "{objects}"
    );
}

#[test]
fn another_store_finds_the_keys_on_the_token_again() {
    let token = Token::new();
    let ids: Vec<_> = TYPES
        .iter()
        .map(|key_type| token.json(&["id", TARGET, "--key-type", key_type, "--json"])["id"].clone())
        .collect();
    let elsewhere = Sandbox::new();
    for (key_type, id) in TYPES.iter().zip(ids) {
        let found = token.json_in(
            &elsewhere,
            &["id", TARGET, "--key-type", key_type, "--json"],
        );
        assert_eq!((&found["id"], &found["created"]), (&id, &json!(false)));
    }
}

#[test]
fn a_deleted_key_is_gone_from_the_token_for_every_store() {
    let token = Token::new();
    let old = token.json(&["id", TARGET, "--json"])["id"].clone();
    assert_eq!(
        token.json(&["keys", "delete", TARGET, "--json"])["deleted"],
        1
    );
    assert_eq!(token.pkcs11_tool(&["--list-objects"]), "");
    let elsewhere = Sandbox::new();
    assert_ne!(
        token.json_in(&elsewhere, &["id", TARGET, "--json"])["id"],
        old
    );
}

#[test]
fn a_wrong_pin_is_told_without_showing_it() {
    let token = Token::new();
    let output = token.command(&token.sandbox, "918273", &["id", TARGET]);
    let told = common::told(&output, 1);
    assert!(
        told.contains("CKR_PIN_INCORRECT") && !told.contains("918273"),
        "{told}"
    );
}

#[test]
fn without_a_pin_and_a_terminal_the_remedy_is_told() {
    let token = Token::new();
    let output = token
        .sandbox
        .command()
        .args(["--provider", "pkcs11", "id", TARGET])
        .env("TOKENBINDING_PKCS11_URI", Token::uri())
        .envs(token.softhsm.environment())
        .output()
        .unwrap();
    let told = common::told(&output, 1);
    assert!(told.contains("PIN"), "{told}");
}

#[test]
fn providers_tells_what_the_token_is_without_its_pin() {
    let token = Token::new();
    let providers = token.json(&["providers", "--json"]);
    let pkcs11 = &providers[1];
    assert_eq!(
        (&pkcs11["provider"], &pkcs11["usable"]),
        (&json!("pkcs11"), &json!(true))
    );
    assert_eq!(pkcs11["key_types"], json!(TYPES));
    assert_eq!(pkcs11["details"]["token"], "work");
}

#[test]
fn bench_leaves_nothing_on_the_token() {
    let token = Token::new();
    let document = token.json(&["bench", "--count", "5", "--json"]);
    assert_eq!(document["provider"], "pkcs11");
    assert_eq!(token.pkcs11_tool(&["--list-objects"]), "");
}

#[test]
fn a_token_that_is_not_there_is_told() {
    let token = Token::new();
    let uri = format!("pkcs11:token=nope?module-path={}", softhsm::MODULE);
    for (uri, says) in [
        (uri.as_str(), "work"),
        (
            "pkcs11:token=work?module-path=/nonexistent.so",
            "/nonexistent.so",
        ),
        ("pkcs11:token=%zz", "PKCS#11 URI"),
    ] {
        let output = token
            .sandbox
            .command()
            .args(["--provider", "pkcs11", "--pkcs11-uri", uri, "id", TARGET])
            .envs(token.softhsm.environment())
            .output()
            .unwrap();
        let told = common::told(&output, 1);
        assert!(told.contains(says), "{told}");
    }
}
