//! The main job end to end: a target and an EKM become a header that verifies.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use common::{Sandbox, text};
use serde_json::json;

const TYPES: [&str; 3] = ["ecdsap256", "rsa2048_pss", "rsa2048_pkcs1.5"];
const EKM: &str = "f176138a09c87522a3be70b64efd3956f207614031eff62157ca59097a41a19c";

#[test]
fn a_generated_header_verifies_for_its_ekm_and_no_other() {
    let sandbox = Sandbox::new();
    for key_type in TYPES {
        let args = [
            "generate",
            "https://example.com/",
            "--ekm",
            "random",
            "--format",
            "json",
        ];
        let document = sandbox.json(&[&args[..], &["--key-type", key_type]].concat());
        let (message, ekm) = (text(&document, "message"), text(&document, "ekm"));
        let verify = |ekm| sandbox.run(&["verify", message, "--ekm", ekm, "--key-type", key_type]);
        assert_eq!(verify(ekm).status.code(), Some(0), "{key_type}");
        let last = if ekm.ends_with('0') { "1" } else { "0" };
        let other = format!("{}{last}", &ekm[..63]);
        assert_eq!(verify(&other).status.code(), Some(1), "{key_type}");
    }
}

#[test]
fn the_header_is_alone_on_standard_output() {
    let sandbox = Sandbox::new();
    let output = sandbox.ok(&["generate", "https://example.com/", "--ekm", "random"]);
    let header = output.strip_suffix('\n').unwrap();
    assert_eq!(header.len(), 186);
    assert!(
        header
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    );
}

#[test]
fn the_json_documents_have_their_members() {
    let sandbox = Sandbox::new();
    let args = [
        "generate",
        "https://www.example.com/a",
        "--format",
        "json",
        "--ekm",
        EKM,
    ];
    let first = sandbox.json(&args);
    let id = text(&first["bindings"][0], "id");
    let expected = |created| {
        json!({
            "target": "https://www.example.com/a",
            "scope": "example.com",
            "provider": "software",
            "key_type": "ecdsap256",
            "created": created,
            "ekm": EKM,
            "bindings": [{
                "type": "provided",
                "key_type": "ecdsap256",
                "id": id,
                "tbh": text(&first["bindings"][0], "tbh"),
            }],
        })
    };
    for created in [true, false] {
        let mut document = if created {
            first.clone()
        } else {
            sandbox.json(&args)
        };
        let members = document.as_object_mut().unwrap();
        let message = members.remove("message").unwrap();
        assert_eq!(document, expected(created));
        let verdict = sandbox.json(&["verify", message.as_str().unwrap(), "--ekm", EKM, "--json"]);
        let bindings = expected(false)["bindings"].clone();
        assert_eq!(verdict, json!({ "valid": true, "bindings": bindings }));
    }
}

#[test]
fn a_referred_binding_proves_the_other_targets_key() {
    let sandbox = Sandbox::new();
    let rp = sandbox.json(&[
        "id",
        "https://rp.example/",
        "--key-type",
        "rsa2048_pss",
        "--json",
    ]);
    let args = [
        "generate",
        "https://idp.example/",
        "--referred",
        "https://rp.example/",
    ];
    let document = sandbox.json(&[&args[..], &["--ekm", EKM, "--format", "json"]].concat());
    let bindings = document["bindings"].as_array().unwrap();
    assert_eq!(bindings.len(), 2);
    assert_eq!(bindings[0]["type"], "provided");
    assert_eq!(bindings[1]["type"], "referred");
    assert_eq!(
        bindings[1]["id"], rp["id"],
        "the key that is there, whatever its type"
    );
    let verdict = sandbox.json(&["verify", text(&document, "message"), "--ekm", EKM, "--json"]);
    assert_eq!(verdict["bindings"], document["bindings"]);
}

#[test]
fn hex_raw_and_header_are_the_same_message_in_other_clothes() {
    let sandbox = Sandbox::new();
    // RSASSA-PKCS1-v1_5 signs the same each time.
    let run = |format| {
        let args = [
            "generate",
            "example.com",
            "--ekm",
            EKM,
            "--key-type",
            "rsa2048_pkcs1.5",
        ];
        sandbox
            .run(&[&args[..], &["--format", format]].concat())
            .stdout
    };
    let raw = run("raw");
    assert_eq!(raw.len(), 528);
    let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(String::from_utf8(run("hex")).unwrap(), format!("{hex}\n"));
    let header = String::from_utf8(run("header")).unwrap();
    assert_eq!(header.trim_end().len(), 704);
}

#[test]
fn ekms_and_headers_are_read_from_files_and_standard_input() {
    let sandbox = Sandbox::new();
    let raw = sandbox.path("ekm.raw");
    fs::write(&raw, [7; 32]).unwrap();
    let hex = sandbox.path("ekm.hex");
    fs::write(&hex, format!("{}\n", "07".repeat(32))).unwrap();
    let pipe = |args: &[&str], input: &[u8]| {
        let mut child = sandbox
            .command()
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{args:?}");
        output.stdout
    };
    for ekm in [format!("@{}", raw.display()), format!("@{}", hex.display())] {
        let header = sandbox.ok(&["generate", "example.com", "--ekm", &ekm]);
        pipe(
            &["verify", "-", "--ekm", &"07".repeat(32)],
            header.as_bytes(),
        );
    }
    for input in [&[7; 32][..], "07".repeat(32).as_bytes()] {
        let header = pipe(&["generate", "example.com", "--ekm", "-"], input);
        pipe(
            &["verify", "-", "--ekm", &format!("@{}", raw.display())],
            &header,
        );
        pipe(&["inspect", "-"], &header);
    }
}

#[test]
fn targets_of_one_site_have_one_key() {
    let sandbox = Sandbox::new();
    let id = |target| text(&sandbox.json(&["id", target, "--json"]), "id").to_owned();
    let first = id("https://www.example.co.uk/a");
    assert_eq!(id("http://EXAMPLE.co.uk:8443"), first);
    assert_eq!(id("example.co.uk."), first);
    assert_ne!(id("https://a.github.io"), id("https://b.github.io"));
    let stored = sandbox.json(&["keys", "list", "--json"]);
    assert_eq!(stored.as_array().unwrap().len(), 3);
}

#[test]
fn a_deleted_key_never_comes_back() {
    let sandbox = Sandbox::new();
    let id = |target| text(&sandbox.json(&["id", target, "--json"]), "id").to_owned();
    let (old, other) = (id("example.com"), id("other.example"));
    sandbox.ok(&["id", "example.com", "--key-type", "rsa2048_pss"]);
    let deleted = sandbox.json(&["keys", "delete", "example.com", "--json"]);
    assert_eq!(deleted, json!({ "deleted": 2, "unreachable": [] }));
    sandbox.fails(1, &["id", "example.com", "--key-type", "any-existing"]);
    sandbox.fails(1, &["keys", "show", "example.com"]);
    sandbox.fails(1, &["keys", "delete", "example.com"]);
    let new = id("example.com");
    assert_ne!(new, old);
    assert_eq!(id("example.com"), new);
    assert_eq!(id("other.example"), other);
    assert_eq!(sandbox.ok(&["keys", "delete", "--all"]), "deleted 2 keys\n");
    assert_eq!(sandbox.json(&["keys", "list", "--json"]), json!([]));
}

#[test]
fn deleting_and_listing_make_no_keystore() {
    let sandbox = Sandbox::new();
    sandbox.fails(1, &["keys", "delete", "example.com"]);
    assert_eq!(sandbox.ok(&["keys", "delete", "--all"]), "deleted 0 keys\n");
    sandbox.ok(&["keys", "list"]);
    assert!(!sandbox.store().join("software.master").exists());
}

#[test]
fn an_ephemeral_key_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    let id = || sandbox.ok(&["--profile", "ephemeral", "id", "example.com"]);
    assert_ne!(id(), id());
    assert!(!sandbox.store().exists());
}

#[test]
fn providers_makes_nothing_and_says_what_there_is() {
    let sandbox = Sandbox::new();
    let software = || {
        let providers = sandbox.json(&["providers", "--json"]);
        let mut providers = providers.as_array().unwrap().clone();
        assert_eq!(providers.len(), 3);
        providers.pop().unwrap()
    };
    let before = software();
    assert_eq!(
        (&before["provider"], &before["usable"]),
        (&json!("software"), &json!(true))
    );
    assert!(!sandbox.store().exists());
    sandbox.generate("example.com");
    assert_eq!(software()["key_types"], json!(TYPES));
}

#[test]
fn auto_warns_once_that_keys_are_kept_in_software() {
    let sandbox = Sandbox::new();
    let output = sandbox
        .command()
        .env_remove("TOKENBINDING_PROVIDER")
        .args(["id", "example.com"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let stderr = common::stderr(&output);
    assert_eq!(
        stderr.matches("keys are kept in software").count(),
        1,
        "{stderr}"
    );
}

#[test]
fn an_empty_variable_counts_for_none() {
    let sandbox = Sandbox::new();
    let output = sandbox
        .command()
        .env("TOKENBINDING_STORE", "")
        .env("TOKENBINDING_PROVIDER", "")
        .env("TOKENBINDING_CONFIG", "")
        .env("TOKENBINDING_PKCS11_URI", "")
        .args(["--provider", "software", "id", "example.com"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", common::stderr(&output));
    assert!(sandbox.path(".local/share/tokenbinding/keys.db").exists());
}

#[test]
fn a_home_that_is_no_folder_has_no_configuration() {
    let sandbox = Sandbox::new();
    for variable in ["HOME", "XDG_CONFIG_HOME"] {
        let output = sandbox
            .command()
            .env(variable, "/dev/null")
            .args(["keys", "list"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", common::stderr(&output));
    }
}

#[test]
fn relative_paths_are_paths_from_the_current_folder() {
    let sandbox = Sandbox::new();
    let config = sandbox.path("config.toml");
    fs::write(&config, "[software]\nfile = 'master'\n").unwrap();
    let output = sandbox
        .command()
        .current_dir(sandbox.path("."))
        .args(["--config", "config.toml", "--store", "file:abc"])
        .args(["id", "example.com"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", common::stderr(&output));
    assert!(sandbox.path("master").exists());
    assert!(sandbox.path("file:abc/keys.db").exists());
}

/// The option, then the environment, then the files.
#[test]
fn the_nearest_passphrase_is_taken() {
    let sandbox = Sandbox::new();
    let write = |name: &str, contents: &str| {
        let path = sandbox.path(name);
        fs::write(&path, contents).unwrap();
        sandbox.chmod(&path, 0o600);
        path.to_str().unwrap().to_owned()
    };
    let (good, bad) = (write("good", "right"), write("bad", "wrong"));
    let software = "[software]\nmaster = 'passphrase'";
    let config = write("config", &format!("pin_file = '{bad}'\n{software}"));
    let run = |pin: &str, options: &[&str]| {
        let mut command = sandbox.command();
        command.env("TOKENBINDING_PIN", pin).args(options);
        let output = command.args(["--config", &config, "id", "a.example"]);
        output.output().unwrap().status.success()
    };
    assert!(run("right", &[]), "it goes over the file, and is the first");
    assert!(!run("", &[]), "the file is taken without it");
    assert!(!run("wrong", &[]));
    assert!(run("wrong", &["--pin-file", &good]));
}

#[test]
fn completions_are_scripts_for_their_shells() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = sandbox.ok(&["completions", shell]);
        assert!(script.contains("any-existing"), "{shell}");
    }
    let script = sandbox.path("bash");
    fs::write(&script, sandbox.ok(&["completions", "bash"])).unwrap();
    assert!(
        Command::new("bash")
            .arg("-n")
            .arg(script)
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let sandbox = Sandbox::new();
    let mut child = sandbox
        .command()
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(common::stderr(&output), "");
    assert_eq!(output.status.code(), Some(0));
}
