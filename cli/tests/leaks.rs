//! No secret gets out: not on standard output, not in the log at its most talkative, not into a file.
//!
//! Every command runs with planted secrets, with everything that makes it and its libraries talk, and
//! what it printed and stored is searched for them as they are, in hexadecimal, in base64, and as
//! `Debug` prints bytes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use common::{Sandbox, stderr};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

const TARGET: &str = "https://www.example.com/";
const PASSPHRASE: &str = "correct-horse-battery-staple";

/// A secret by its name, in every form that it is looked for in.
struct Planted {
    name: &'static str,
    forms: Vec<Vec<u8>>,
}

impl Planted {
    fn new(name: &'static str, secret: &[u8]) -> Self {
        let decimal = format!("{secret:?}");
        let mut forms = vec![
            secret.to_vec(),
            HEXLOWER.encode(secret).into_bytes(),
            HEXUPPER.encode(secret).into_bytes(),
            decimal.trim_matches(['[', ']']).as_bytes().to_vec(),
            decimal.replace(", ", ",").trim_matches(['[', ']']).into(),
        ];
        // Inside something longer, base64 begins at any of three places.
        for skip in 0..3 {
            let inner = &secret[skip..];
            let inner = &inner[..inner.len() / 3 * 3];
            forms.push(BASE64.encode(inner).into_bytes());
            forms.push(BASE64URL_NOPAD.encode(inner).into_bytes());
        }
        Self { name, forms }
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        let found = |form: &Vec<u8>| bytes.windows(form.len()).any(|part| part == form);
        // Most outputs are short; a whole store is read once.
        self.forms.iter().any(found)
    }
}

/// The command with secrets in it.
struct Talkative {
    sandbox: Sandbox,
    options: Vec<String>,
    environment: Vec<(String, String)>,
    planted: Vec<Planted>,
}

impl Talkative {
    fn new(options: &[&str]) -> Self {
        let sandbox = Sandbox::new();
        let ekm: Vec<u8> = (0..32).map(|n| 0xc3 ^ (n * 7)).collect();
        sandbox.secret("ekm", &ekm);
        Self {
            sandbox,
            options: options.iter().map(|&option| option.to_owned()).collect(),
            environment: Vec::new(),
            planted: vec![Planted::new("the EKM", &ekm)],
        }
    }

    fn command(&self) -> Command {
        let mut command = self.sandbox.command();
        command
            .args(&self.options)
            .arg("-vvv")
            .envs([("RUST_LOG", "trace"), ("RUST_BACKTRACE", "full")])
            .env("TSS2_LOG", "all+trace")
            .envs(self.environment.iter().cloned());
        command
    }

    /// Runs the command and searches what it prints.
    fn run(&self, args: &[&str]) -> Output {
        let output = self.command().args(args).output().unwrap();
        for secret in &self.planted {
            for (stream, bytes) in [("output", &output.stdout), ("error", &output.stderr)] {
                assert!(
                    !secret.is_in(bytes),
                    "{args:?}: {} is on standard {stream}: {}",
                    secret.name,
                    String::from_utf8_lossy(bytes)
                );
            }
        }
        output
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs every command, then searches the store.
    fn run_every_command(&self) {
        let ekm = format!("@{}", self.sandbox.path("ekm").display());
        for key_type in ["ecdsap256", "rsa2048_pss", "rsa2048_pkcs1.5"] {
            let typed = ["--key-type", key_type];
            let generate = ["generate", TARGET, "--ekm", &ekm];
            let header = self.ok(&[&generate[..], &typed].concat());
            let header = header.trim();
            self.ok(&[&generate[..], &typed, &["--format", "raw"]].concat());
            self.ok(&[&["verify", header, "--ekm", &ekm][..], &typed].concat());
            self.ok(&[
                "verify", header, "--ekm", &ekm, "--json", typed[0], typed[1],
            ]);
            self.ok(&["inspect", header]);
            self.ok(&["inspect", header, "--json"]);
            self.ok(&["id", TARGET, "--json", typed[0], typed[1]]);
        }
        let other = ["generate", "b.example", "--referred", TARGET, "--ekm", &ekm];
        self.ok(&other);
        self.ok(&["keys", "list"]);
        self.ok(&["keys", "list", "--json"]);
        self.ok(&["keys", "show", TARGET]);
        self.ok(&["providers"]);
        self.ok(&["providers", "--json"]);
        self.ok(&["bench", "--count", "1", "--json"]);
        self.ok(&["--profile", "ephemeral", "id", TARGET]);
        self.ok(&["keys", "prune"]);
        self.ok(&["keys", "delete", TARGET]);
        self.ok(&["keys", "delete", "--all", "--json"]);
        // Slips of the pen.
        for wrong in [
            &["generate", "", "--ekm", &ekm][..],
            &["verify", "AA", "--ekm", &ekm],
            &["--store", "/dev/null/x", "id", TARGET],
            &["--pin", "1234", "keys", "list"],
        ] {
            assert!(!self.run(wrong).status.success(), "{wrong:?}");
        }
        self.search_store();
    }

    fn search_store(&self) {
        for file in fs::read_dir(self.sandbox.store()).unwrap() {
            let path = file.unwrap().path();
            if is_where_the_secret_belongs(&path) {
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            for secret in &self.planted {
                assert!(!secret.is_in(&bytes), "{} is in {path:?}", secret.name);
            }
        }
    }
}

fn is_where_the_secret_belongs(path: &Path) -> bool {
    path.ends_with("software.master")
}

#[test]
fn no_master_gets_out() {
    let mut talkative = Talkative::new(&["--provider", "software"]);
    talkative.ok(&["id", TARGET]);
    let master = fs::read(talkative.sandbox.store().join("software.master")).unwrap();
    talkative.planted.push(Planted::new("the master", &master));
    talkative.run_every_command();
}

#[test]
fn no_passphrase_gets_out() {
    let mut talkative = Talkative::new(&["--provider", "software"]);
    let config = "[software]\nmaster = 'passphrase'\n";
    let config = talkative.sandbox.secret("config.toml", config.as_bytes());
    talkative.options.extend(["--config".to_owned(), config]);
    let set = |talkative: &mut Talkative, passphrase: &str| {
        talkative.environment = vec![("TOKENBINDING_PIN".to_owned(), passphrase.to_owned())];
    };
    talkative
        .planted
        .push(Planted::new("the passphrase", PASSPHRASE.as_bytes()));
    talkative
        .planted
        .push(Planted::new("another passphrase", b"wrong-horse"));
    set(&mut talkative, PASSPHRASE);
    talkative.ok(&["id", TARGET]);
    talkative.ok(&["keys", "list"]);
    talkative.ok(&["providers", "--json"]);
    set(&mut talkative, "wrong-horse");
    assert!(!talkative.run(&["id", TARGET]).status.success());
    talkative.search_store();
}

#[cfg(feature = "pkcs11")]
mod pkcs11 {
    use tokenbinding_devices::softhsm::{MODULE, PIN, SoftHsm};

    use super::*;

    const WRONG_PIN: &str = "97531-wrong";

    /// On a token, without a PIN yet.
    fn talkative(softhsm: &SoftHsm, uri: &str) -> Talkative {
        let uri = format!("pkcs11:token=work?module-path={MODULE}{uri}");
        let mut talkative = Talkative::new(&["--provider", "pkcs11", "--pkcs11-uri", &uri]);
        let [(name, value)] = softhsm.environment();
        let value = value.into_string().unwrap();
        talkative.environment.push((name.to_owned(), value));
        talkative
            .planted
            .push(Planted::new("the PIN", PIN.as_bytes()));
        talkative
            .planted
            .push(Planted::new("a wrong PIN", WRONG_PIN.as_bytes()));
        talkative
    }

    #[test]
    fn no_pin_of_a_file_gets_out() {
        let softhsm = SoftHsm::start(&["work"]);
        let mut talkative = talkative(&softhsm, "");
        let pin = talkative.sandbox.secret("pin", PIN.as_bytes());
        talkative.options.extend(["--pin-file".to_owned(), pin]);
        talkative.run_every_command();
        talkative.sandbox.secret("pin", WRONG_PIN.as_bytes());
        assert!(!talkative.run(&["id", TARGET]).status.success());
    }

    #[test]
    fn no_pin_of_the_environment_gets_out() {
        let softhsm = SoftHsm::start(&["work"]);
        let mut talkative = talkative(&softhsm, "");
        for (pin, right) in [(PIN, true), (WRONG_PIN, false)] {
            let pin = ("TOKENBINDING_PIN".to_owned(), pin.to_owned());
            talkative.environment.push(pin);
            assert_eq!(talkative.run(&["id", TARGET]).status.success(), right);
        }
    }

    #[test]
    fn no_pin_of_a_uri_gets_out_and_there_is_a_warning() {
        let softhsm = SoftHsm::start(&["work"]);
        let right = talkative(&softhsm, &format!("&pin-value={PIN}"));
        let output = right.run(&["id", TARGET]);
        assert!(output.status.success(), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("the URI holds the PIN"),
            "{}",
            stderr(&output)
        );
        let wrong = talkative(&softhsm, &format!("&pin-value={WRONG_PIN}"));
        assert!(!wrong.run(&["id", TARGET]).status.success());
        // A URI that is wrong in other ways.
        for uri in ["&module-name=x", "&pin-source=file:/x", "&x"] {
            let uri = format!("&pin-value={PIN}{uri}");
            let output = talkative(&softhsm, &uri).run(&["id", TARGET]);
            assert!(!output.status.success());
        }
    }
}

#[cfg(feature = "tpm")]
mod tpm {
    use tokenbinding_devices::{command, swtpm::Swtpm};

    use super::*;

    const OWNER: &str = "owner-authorization-8642";
    const KEY: &str = "key-authorization-7531";

    #[test]
    fn no_authorization_gets_out() {
        let swtpm = Swtpm::start();
        swtpm.execute(&command::set_owner_auth(OWNER.as_bytes()));
        let mut talkative = Talkative::new(&["--provider", "tpm", "--tcti", &swtpm.tcti()]);
        let owner = talkative.sandbox.secret("owner", OWNER.as_bytes());
        let key = talkative.sandbox.secret("key", KEY.as_bytes());
        let config = format!("[tpm]\nowner_auth_file = '{owner}'\nkey_auth_file = '{key}'\n");
        let config = talkative.sandbox.secret("config.toml", config.as_bytes());
        talkative.options.extend(["--config".to_owned(), config]);
        talkative
            .planted
            .push(Planted::new("the owner's authorization", OWNER.as_bytes()));
        talkative
            .planted
            .push(Planted::new("the keys' authorization", KEY.as_bytes()));
        talkative.run_every_command();
    }
}
