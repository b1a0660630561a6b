//! `fetch` against `serve`, on every provider.

#![cfg(feature = "https")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[path = "common/server.rs"]
mod server;

use std::fs;

use common::{Sandbox, stderr, text, told};
use serde_json::{Value, json};
use server::Serving;
use tokenbinding_devices::{
    softhsm::{self, SoftHsm},
    swtpm::Swtpm,
};

const TYPES: [&str; 3] = ["ecdsap256", "rsa2048_pss", "rsa2048_pkcs1.5"];

/// What the server verified, as its page says.
fn verified(document: &Value) -> Value {
    serde_json::from_str(text(document, "body")).unwrap()
}

/// Every version of TLS and HTTP with every key type: the server sees the key that the client says
/// it has, and it is the same over all connections.
fn every_version_carries_every_key_type(options: &[&str], environment: &[(&str, &str)]) {
    let sandbox = Sandbox::new();
    let serving = Serving::new(&sandbox, &[]);
    for key_type in TYPES {
        let mut ids = Vec::new();
        for (tls, tls_name) in [("1.2", "TLSv1.2"), ("1.3", "TLSv1.3")] {
            for (http, http_name) in [(&["--http1"][..], "HTTP/1.1"), (&[], "HTTP/2.0")] {
                let mut command = sandbox.command();
                command.envs(environment.iter().copied());
                command
                    .args(options)
                    .args(["fetch", &serving.url, "--json"]);
                command.args(["--cacert", serving.cert(), "--tls", tls]);
                command.args(["--key-type", key_type]).args(http);
                let output = command.output().unwrap();
                assert!(output.status.success(), "{}", stderr(&output));
                let document: Value = serde_json::from_slice(&output.stdout).unwrap();
                assert_eq!(document["status"], 200);
                assert_eq!(document["tls_version"], tls_name);
                assert_eq!(document["http_version"], http_name);
                let provided = &verified(&document)["bindings"][0];
                assert_eq!(provided["type"], "provided");
                assert_eq!(provided["key_type"], key_type);
                let binding = &document["token_binding"];
                assert_eq!(binding["key_type"], key_type);
                assert_eq!(binding["id"], provided["id"]);
                ids.push(provided["id"].clone());
            }
        }
        ids.dedup();
        assert_eq!(ids.len(), 1);
    }
}

#[test]
fn software_keys_are_proven_in_every_version() {
    every_version_carries_every_key_type(&["--provider", "software"], &[]);
}

#[cfg(feature = "tpm")]
#[test]
fn keys_in_the_tpm_are_proven_in_every_version() {
    let swtpm = Swtpm::start();
    every_version_carries_every_key_type(&["--provider", "tpm", "--tcti", &swtpm.tcti()], &[]);
}

#[cfg(feature = "pkcs11")]
#[test]
fn keys_on_a_token_are_proven_in_every_version() {
    let softhsm = SoftHsm::start(&["work"]);
    let uri = format!("pkcs11:token=work?module-path={}", softhsm::MODULE);
    let environment: Vec<_> = softhsm.environment().into_iter().collect();
    let mut environment: Vec<(&str, &str)> = environment
        .iter()
        .map(|(name, value)| (&**name, value.to_str().unwrap()))
        .collect();
    environment.push(("TOKENBINDING_PIN", softhsm::PIN));
    let options = ["--provider", "pkcs11", "--pkcs11-uri", &uri];
    every_version_carries_every_key_type(&options, &environment);
}

#[test]
fn what_was_negotiated_is_told_and_the_body_is_the_result() {
    let sandbox = Sandbox::new();
    let serving = Serving::new(&sandbox, &[]);
    let output = serving.fetch(&sandbox, &serving.url, &["--tls", "1.3"]);
    let told = stderr(&output);
    let lines: Vec<_> = told.lines().collect();
    let [negotiated, provided, status] = lines[..] else {
        panic!("{told}");
    };
    assert_eq!(
        negotiated,
        "tokenbinding: Token Binding 1.0 negotiated with ecdsap256 (TLSv1.3, HTTP/2.0)"
    );
    assert_eq!(status, "tokenbinding: 200 OK");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["bound"], true);
    let binding = &document["bindings"][0];
    let (tbh, id) = (text(binding, "tbh"), text(binding, "id"));
    assert_eq!(
        provided,
        format!("tokenbinding: provided tbh {tbh} id {id}")
    );
    let quiet = serving.fetch(&sandbox, &serving.url, &["--quiet", "--include"]);
    assert_eq!(stderr(&quiet), "");
    let head = String::from_utf8(quiet.stdout).unwrap();
    assert!(
        head.starts_with("HTTP/2.0 200 OK\ncontent-type: application/json\n"),
        "{head}"
    );
}

#[test]
fn a_stolen_cookie_is_refused() {
    let (owner, thief) = (Sandbox::new(), Sandbox::new());
    let serving = Serving::new(&owner, &[]);
    let login = serving.json(&owner, "login", &[]);
    let headers = login["headers"].as_array().unwrap();
    let cookie = headers
        .iter()
        .find(|header| header[0] == "set-cookie")
        .unwrap()[1]
        .as_str();
    let (cookie, _) = cookie.unwrap().split_once(';').unwrap();
    let cookie = format!("Cookie: {cookie}");
    let account = |sandbox: &Sandbox| {
        let document = serving.json(sandbox, "account", &["-H", &cookie]);
        (document["status"].clone(), document["body"].clone())
    };
    assert_eq!(
        account(&owner),
        (json!(200), json!("welcome back, visitor\n"))
    );
    let refused = "the token is bound to another key: ask the client to sign in again\n";
    assert_eq!(account(&thief), (json!(401), json!(refused)));
    let url = format!("{}account", serving.url);
    let output = serving.fetch(&thief, &url, &["-H", &cookie, "--quiet"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        "tokenbinding: the server answered 401 Unauthorized\n"
    );
}

#[test]
fn a_redirect_shows_both_bindings_to_the_other_server() {
    let sandbox = Sandbox::new();
    let (cert, key) = tokenbinding_https::tls::self_signed(&["localhost", "127.0.0.1"]).unwrap();
    let (cert_file, key_file) = (sandbox.path("cert.pem"), sandbox.path("key.pem"));
    fs::write(&cert_file, cert.to_pem().unwrap()).unwrap();
    fs::write(&key_file, key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    let cert = cert_file.to_str().unwrap();
    let pair = ["--cert", cert, "--key", key_file.to_str().unwrap()];
    let provider = Serving::start(&sandbox, &pair, cert.to_owned());
    let refer = [&pair[..], &["--refer-to", &provider.url]].concat();
    let consumer = Serving::start(&sandbox, &refer, cert.to_owned());
    let start = consumer.localhost("refer");
    let output = consumer.fetch(&sandbox, &start, &["--json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(text(&document, "url"), provider.url);
    let verified = verified(&document);
    let bindings = verified["bindings"].as_array().unwrap();
    let id = |target| sandbox.json(&["id", target, "--json"])["id"].clone();
    let shown: Vec<_> = bindings.iter().map(|b| (&b["type"], &b["id"])).collect();
    let (provided, referred) = (id("127.0.0.1"), id("localhost"));
    assert_eq!(
        shown,
        [
            (&json!("provided"), &provided),
            (&json!("referred"), &referred)
        ]
    );
}

#[test]
fn a_server_that_accepts_other_keys_is_told_apart() {
    let sandbox = Sandbox::new();
    let serving = Serving::new(&sandbox, &["--key-type", "rsa2048_pss"]);
    let output = serving.fetch(&sandbox, &serving.url, &["--key-type", "ecdsap256"]);
    assert!(output.status.success());
    let told = stderr(&output);
    assert!(told.contains("Token Binding not negotiated"), "{told}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["bound"], false);
    assert!(text(&document, "hint").contains("not negotiated"));
    let chosen = serving.json(&sandbox, "", &[]);
    assert_eq!(chosen["token_binding"]["key_type"], "rsa2048_pss");
}

#[test]
fn a_server_that_wants_token_binding_refuses_a_client_without_it() {
    let sandbox = Sandbox::new();
    let args = ["--key-type", "rsa2048_pss", "--refuse-unbound"];
    let serving = Serving::new(&sandbox, &args);
    let unbound = serving.fetch(&sandbox, &serving.url, &["--key-type", "ecdsap256"]);
    assert_eq!(unbound.status.code(), Some(1));
    let told = stderr(&unbound);
    assert!(told.contains("403 Forbidden"), "{told}");
    let bound = serving.fetch(&sandbox, &serving.url, &[]);
    assert!(bound.status.success(), "{}", stderr(&bound));
}

#[test]
fn wrong_calls_say_what_to_do() {
    let sandbox = Sandbox::new();
    for (args, expected) in [
        (&["fetch", "http://localhost/"][..], "is no https URL"),
        (&["fetch", "localhost"], "is no https URL"),
        (
            &["fetch", "https://localhost/", "-H", "nonsense"],
            "'Name: value'",
        ),
        (
            &["fetch", "https://localhost/", "-H", "Sec-Token-Binding: AA"],
            "leave it out",
        ),
        (
            &["fetch", "https://localhost/", "--cacert", "/nonexistent"],
            "name a file that is there",
        ),
        (
            &["serve", "--cert", "/nonexistent", "--key", "/nonexistent"],
            "name a file that is there",
        ),
        (
            &["serve", "--cert", "/etc/passwd", "--key", "/etc/passwd"],
            "in PEM",
        ),
        (
            &["serve", "--refer-to", "http://localhost/"],
            "is no https URL",
        ),
        (&["serve", "--listen", "nowhere"], "--help"),
    ] {
        let line = told(&sandbox.run(args), 2);
        assert!(line.contains(expected), "{args:?}: {line}");
    }
    assert!(!sandbox.store().exists(), "no store for a slip of the pen");
    let serving = Serving::new(&sandbox, &[]);
    let line = told(&sandbox.run(&["fetch", &serving.url]), 1);
    assert!(line.contains("--cacert"), "{line}");
    let address = serving
        .url
        .trim_start_matches("https://")
        .trim_end_matches('/');
    let line = told(&sandbox.run(&["serve", "--listen", address]), 1);
    assert!(line.contains("choose another with --listen"), "{line}");
}

#[test]
fn an_interrupt_ends_the_server_in_order() {
    let sandbox = Sandbox::new();
    assert_eq!(Serving::new(&sandbox, &[]).interrupt(), Some(0));
}
