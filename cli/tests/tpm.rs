//! The command on a simulated TPM.

#![cfg(feature = "tpm")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use common::{Sandbox, stderr, text};
use serde_json::Value;
use tokenbinding_devices::{
    abrmd::Abrmd,
    command::{self, code},
    ports::Ports,
    relay::{Fault, Relay},
    swtpm::{self, Swtpm},
};

const TARGET: &str = "https://www.example.com/";
const TYPES: [&str; 3] = ["ecdsap256", "rsa2048_pss", "rsa2048_pkcs1.5"];

/// The command on the TPM that `tcti` leads to.
fn on_tpm(sandbox: &Sandbox, tcti: &str, args: &[&str]) -> Output {
    let args = [&["--provider", "tpm", "--tcti", tcti], args].concat();
    sandbox.command().args(args).output().unwrap()
}

/// The document that a run which succeeds prints, and what it tells beside it.
fn json(sandbox: &Sandbox, tcti: &str, args: &[&str]) -> (Value, String) {
    let output = on_tpm(sandbox, tcti, args);
    assert!(output.status.success(), "{}", stderr(&output));
    (
        serde_json::from_slice(&output.stdout).unwrap(),
        stderr(&output),
    )
}

fn id(sandbox: &Sandbox, tcti: &str) -> String {
    text(&json(sandbox, tcti, &["id", TARGET, "--json"]).0, "id").to_owned()
}

#[test]
fn a_header_signed_in_the_tpm_verifies() {
    let (sandbox, swtpm) = (Sandbox::new(), Swtpm::start());
    for key_type in TYPES {
        let args = ["generate", TARGET, "--ekm", "random", "--format", "json"];
        let (document, _) = json(
            &sandbox,
            &swtpm.tcti(),
            &[&args[..], &["--key-type", key_type]].concat(),
        );
        assert_eq!(document["provider"], "tpm");
        let (message, ekm) = (text(&document, "message"), text(&document, "ekm"));
        sandbox.ok(&["verify", message, "--ekm", ekm, "--key-type", key_type]);
    }
    assert_eq!(swtpm.loaded_objects(), 0);
}

/// Keys that are derived in the TPM hang on their rows alone.
#[test]
fn a_process_killed_at_any_moment_loses_no_derived_key_that_was_shown() {
    let (sandbox, swtpm) = (Sandbox::new(), Swtpm::start());
    let started = Instant::now();
    let mut known = id(&sandbox, &swtpm.tcti());
    let whole = started.elapsed();
    for round in 0..12u32 {
        let delete = round % 4 == 3;
        let args: &[&str] = match delete {
            true => &["keys", "delete", TARGET],
            false => &["id", TARGET, "--json"],
        };
        let mut command = sandbox.command();
        command
            .args(["--provider", "tpm", "--tcti", &swtpm.tcti()])
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let moment = whole * (round * 5 % 12) / 12;
        let started = Instant::now();
        while started.elapsed() < moment && child.try_wait().unwrap().is_none() {
            thread::yield_now();
        }
        child.kill().unwrap();
        let shown = child.wait_with_output().unwrap().stdout;
        // What it had loaded would stay, without a resource manager, until no slot is left.
        swtpm.flush_objects();
        let now = id(&sandbox, &swtpm.tcti());
        if delete && !shown.is_empty() {
            assert_ne!(now, known, "a deleted key came back");
        } else if !delete {
            assert_eq!(now, known, "a key that was shown is lost");
        }
        known = now;
    }
}

#[test]
fn a_key_outlives_the_process_a_restart_and_a_reset_of_the_tpm() {
    let (sandbox, mut swtpm) = (Sandbox::new(), Swtpm::start());
    let first = id(&sandbox, &swtpm.tcti());
    assert_eq!(id(&sandbox, &swtpm.tcti()), first);
    swtpm.kill();
    swtpm.restart();
    assert_eq!(id(&sandbox, &swtpm.tcti()), first);
    swtpm.power_cycle();
    swtpm.execute(&command::startup_clear());
    assert_eq!(id(&sandbox, &swtpm.tcti()), first);
}

#[test]
fn a_deleted_key_gives_way_to_another() {
    let (sandbox, swtpm) = (Sandbox::new(), Swtpm::start());
    let first = id(&sandbox, &swtpm.tcti());
    let (deleted, _) = json(
        &sandbox,
        &swtpm.tcti(),
        &["keys", "delete", TARGET, "--json"],
    );
    assert_eq!(deleted["deleted"], 1);
    assert_ne!(id(&sandbox, &swtpm.tcti()), first);
}

#[test]
fn a_cleared_tpm_gives_a_new_key_and_a_warning() {
    let (sandbox, swtpm) = (Sandbox::new(), Swtpm::start());
    let first = id(&sandbox, &swtpm.tcti());
    swtpm.execute(&command::clear());
    let (document, told) = json(&sandbox, &swtpm.tcti(), &["id", TARGET, "--json"]);
    assert_ne!(text(&document, "id"), first);
    assert!(told.contains("the device was cleared"), "{told}");
    let (keys, _) = json(&sandbox, &swtpm.tcti(), &["keys", "list", "--json"]);
    let mut keys = keys.as_array().unwrap().iter();
    let old = keys.find(|key| key["id"] == first.as_str()).unwrap();
    let prune = ["keys", "prune", "--device", text(old, "device"), "--json"];
    let (pruned, _) = json(&sandbox, &swtpm.tcti(), &prune);
    assert_eq!(pruned["pruned"], 1);
}

#[test]
fn a_copied_store_signs_with_another_key_on_another_tpm() {
    let (sandbox, own) = (Sandbox::new(), Swtpm::start());
    let first = id(&sandbox, &own.tcti());
    let (thief, other) = (Sandbox::new(), Swtpm::start());
    let copied = Command::new("cp")
        .arg("-a")
        .arg(sandbox.store())
        .arg(thief.store())
        .status();
    assert!(copied.unwrap().success());
    assert_ne!(id(&thief, &other.tcti()), first);
    assert_eq!(id(&sandbox, &own.tcti()), first);
}

#[test]
fn processes_share_a_tpm_through_a_resource_manager() {
    let (sandbox, swtpm) = (Sandbox::new(), Swtpm::start());
    let abrmd = Abrmd::start(&swtpm);
    let generate = |target: &str| {
        let args = [
            "--provider",
            "tpm",
            "--tcti",
            Abrmd::TCTI,
            "generate",
            target,
        ];
        let mut command = sandbox.command();
        command
            .args(args)
            .args(["--ekm", "random", "--format", "json"]);
        command.env(Abrmd::BUS_VARIABLE, abrmd.bus_address());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let (message, ekm) = (text(&document, "message"), text(&document, "ekm"));
        sandbox.ok(&["verify", message, "--ekm", ekm]);
    };
    thread::scope(|scope| {
        for worker in 0..4 {
            let generate = &generate;
            scope.spawn(move || {
                (0..25).for_each(|round| generate(&format!("t{}.example", (worker + round) % 10)));
            });
        }
    });
    let keys = sandbox.json(&["keys", "list", "--json"]);
    assert_eq!(
        keys.as_array().unwrap().len(),
        10,
        "one key for each target"
    );
}

#[test]
fn a_new_process_signs_with_an_existing_key_in_four_commands() {
    let (sandbox, swtpm) = (Sandbox::new(), Swtpm::start());
    let relay = Relay::start(&swtpm);
    let generate = || {
        let args = ["generate", TARGET, "--ekm", "random"];
        assert!(on_tpm(&sandbox, &relay.tcti(), &args).status.success());
    };
    generate();
    let _ = relay.take_log();
    generate();
    let cold = [
        code::HASH,
        code::CREATE_PRIMARY,
        code::SIGN,
        code::FLUSH_CONTEXT,
    ];
    assert_eq!(relay.take_log(), cold);
}

/// A TPM that takes 2.5 s for an RSA key, as hardware does.
fn slow_tpm() -> (Swtpm, Relay) {
    let swtpm = Swtpm::start();
    let relay = Relay::start(&swtpm);
    relay.inject(code::CREATE, 1, Fault::Delay(Duration::from_millis(2500)));
    (swtpm, relay)
}

fn make_rsa_key(sandbox: &Sandbox, tcti: &str) -> Command {
    let mut command = sandbox.command();
    command.args([
        "--provider",
        "tpm",
        "--tcti",
        tcti,
        "id",
        TARGET,
        "--key-type",
        "rsa2048_pss",
    ]);
    command
}

#[test]
fn long_work_shows_a_line_on_a_terminal_and_nothing_in_a_pipe() {
    const LINE: &str = "the device is at work";
    let (sandbox, (_swtpm, relay)) = (Sandbox::new(), slow_tpm());
    let output = make_rsa_key(&sandbox, &relay.tcti()).output().unwrap();
    assert!(
        output.status.success() && stderr(&output).is_empty(),
        "{}",
        stderr(&output)
    );

    let (sandbox, (_swtpm, relay)) = (Sandbox::new(), slow_tpm());
    let command = make_rsa_key(&sandbox, &relay.tcti());
    let mut words = vec![command.get_program().to_str().unwrap()];
    words.extend(
        command
            .get_args()
            .map(|argument| argument.to_str().unwrap()),
    );
    let on_a_terminal = Command::new("script")
        .args([
            "--quiet",
            "--return",
            "--command",
            &words.join(" "),
            "/dev/null",
        ])
        .env_clear()
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&on_a_terminal.stdout);
    assert!(
        on_a_terminal.status.success() && shown.contains(LINE),
        "{shown}"
    );
}

#[test]
fn ctrl_c_lets_the_tpm_finish_and_leaves_it_empty() {
    let (sandbox, (swtpm, relay)) = (Sandbox::new(), slow_tpm());
    let mut command = make_rsa_key(&sandbox, &relay.tcti());
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !relay.take_log().contains(&code::CREATE) {
        thread::yield_now();
    }
    let interrupt = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(interrupt.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert_eq!(stderr(&output), "tokenbinding: interrupted\n");
    relay.release();
    assert_eq!(swtpm.loaded_objects(), 0);
}

#[test]
fn providers_tells_what_the_tpm_is() {
    let (sandbox, swtpm) = (Sandbox::new(), Swtpm::start());
    let (providers, _) = json(&sandbox, &swtpm.tcti(), &["providers", "--json"]);
    let tpm = &providers[0];
    assert_eq!(
        (&tpm["provider"], &tpm["usable"]),
        (&"tpm".into(), &true.into())
    );
    assert_eq!(tpm["key_types"], serde_json::json!(TYPES));
    let details = &tpm["details"];
    for name in [
        "manufacturer",
        "firmware",
        "specification",
        "object slots",
        "lockout",
    ] {
        assert!(details[name].is_string(), "{name}: {details}");
    }
}

#[test]
fn bench_leaves_nothing_in_tpm_or_store() {
    let (sandbox, swtpm) = (Sandbox::new(), Swtpm::start());
    let (document, _) = json(
        &sandbox,
        &swtpm.tcti(),
        &["bench", "--count", "5", "--json"],
    );
    assert_eq!(
        (&document["provider"], &document["count"]),
        (&"tpm".into(), &5.into())
    );
    assert!(document["ratio"].as_f64().unwrap() > 0.0);
    assert_eq!(swtpm.loaded_objects(), 0);
    assert!(!sandbox.store().exists());
}

#[test]
fn a_tpm_that_is_not_there_is_told_in_one_line() {
    let sandbox = Sandbox::new();
    let nobody = Ports::take();
    for (tcti, says) in [
        (swtpm::tcti(nobody.first()).as_str(), "start swtpm"),
        ("device:/dev/nonexistent", "enable the TPM"),
        ("nonsense:", "TCTI"),
    ] {
        let told = common::told(&on_tpm(&sandbox, tcti, &["id", TARGET]), 1);
        assert!(told.contains(says), "{told}");
    }
}

/// `auto` takes the TPM that is there, and software where none is.
#[test]
fn auto_prefers_the_tpm_and_keeps_to_keys_that_exist() {
    let (sandbox, mut swtpm) = (Sandbox::new(), Swtpm::start());
    let tcti = swtpm.tcti();
    let id = || {
        let args = [
            "--provider",
            "auto",
            "--tcti",
            &tcti,
            "id",
            TARGET,
            "--json",
        ];
        let document = sandbox.json(&args);
        (
            text(&document, "provider").to_owned(),
            text(&document, "id").to_owned(),
        )
    };
    swtpm.kill();
    let (provider, in_software) = id();
    assert_eq!(provider, "software");
    swtpm.restart();
    assert_eq!(
        id(),
        (provider, in_software),
        "the key that exists, though the TPM is back"
    );
    sandbox.ok(&["keys", "delete", TARGET]);
    assert_eq!(id().0, "tpm");
}
