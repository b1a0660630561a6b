//! The examples, on every provider.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{Sandbox, in_crate, told};
use data_encoding::HEXLOWER;
use tokenbinding::{Ekm, KeyType, Verifier};

const TARGET: &str = "https://www.example.com/";

fn random_ekm() -> Ekm {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).unwrap();
    Ekm::new(bytes)
}

/// What the C client signs is accepted by the C server and by this library's verifier, for each
/// key type.
fn client_and_server_agree(sandbox: &Sandbox) {
    let client = sandbox.cc("examples/client.c", &[]);
    let server = sandbox.cc("examples/server.c", &[]);
    for kind in KeyType::ALL {
        let ekm = random_ekm();
        let hex = HEXLOWER.encode(ekm.as_bytes());
        let header = sandbox.ok(&client, &[TARGET, kind.name(), &hex, TARGET]);
        let header = header.trim_end();
        let shown = sandbox.ok(&server, &[header, kind.name(), &hex]);
        let verified = Verifier::new(kind).verify_header(header, &ekm).unwrap();
        let ids = verified
            .iter()
            .map(|b| format!("{} {}\n", b.binding_type(), b.id()));
        assert_eq!(shown, ids.collect::<String>());
        assert_eq!(verified.len(), 2);
    }
}

#[test]
fn client_and_server_agree_in_software() {
    client_and_server_agree(&Sandbox::new());
}

#[cfg(feature = "pkcs11")]
#[test]
fn client_and_server_agree_on_a_token() {
    let softhsm = tokenbinding_devices::softhsm::SoftHsm::start(&["work"]);
    client_and_server_agree(&Sandbox::on_token(&softhsm));
}

#[cfg(feature = "tpm")]
#[test]
fn client_and_server_agree_on_a_tpm_which_is_left_empty() {
    let swtpm = tokenbinding_devices::swtpm::Swtpm::start();
    let sandbox = Sandbox::new()
        .with("TOKENBINDING_PROVIDER", "tpm")
        .with("TPM2TOOLS_TCTI", swtpm.tcti());
    client_and_server_agree(&sandbox);
    assert_eq!(swtpm.loaded_objects(), 0);
}

#[test]
fn the_server_says_why_it_refuses() {
    let sandbox = Sandbox::new();
    let client = sandbox.cc("examples/client.c", &[]);
    let server = sandbox.cc("examples/server.c", &[]);
    let header = sandbox.ok(client, &[TARGET, "ecdsap256", &"00".repeat(32)]);
    let mut command = sandbox.command(server);
    command.args([header.trim_end(), "ecdsap256", &"11".repeat(32)]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        told(&output).contains("0x80090006: binding 0"),
        "{}",
        told(&output)
    );
}

#[test]
fn cxx_and_python_see_the_same_key() {
    let sandbox = Sandbox::new();
    let ids = sandbox.ok(sandbox.cxx("examples/identify.cpp"), &[TARGET]);
    for id in ids.lines() {
        let key_type = id[..2].trim_start_matches('0').to_owned();
        let key_type = if key_type.is_empty() { "0" } else { &key_type };
        let script = in_crate("examples/token_binding.py");
        let args = [script.to_str().unwrap(), TARGET, key_type];
        assert_eq!(sandbox.ok("python3", &args), format!("0 {id}\n"));
    }
    assert_eq!(ids.lines().count(), 3);
}
