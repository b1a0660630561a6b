//! Another user of the machine, and an environment that is not to be trusted.
//!
//! Some of it only root can set up: who owns a file, and whom a process runs as. Without root these
//! parts are left out, and say so.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "a test says what it leaves out")]

mod common;

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt as _, chown, lchown, symlink},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use common::{Sandbox, stderr, told};

const TARGET: &str = "a.example";
/// The user who runs the command, and one who attacks him.
const USER: u32 = 65_534;
const ATTACKER: u32 = 65_533;

/// A sandbox of `USER`, in a folder that he reaches; `None` without root.
fn of_a_user() -> Option<Sandbox> {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("");
    if chown(&folder, Some(USER), Some(USER)).is_err() {
        eprintln!("not root: nothing is given to another user, and nobody else is run as");
        return None;
    }
    Some(sandbox)
}

/// The command as `USER` runs it.
fn run_as_user(sandbox: &Sandbox, args: &[&str]) -> Output {
    let mut command = sandbox.command();
    command.args(args).uid(USER).gid(USER);
    command.output().unwrap()
}

/// A file or folder of a user, and of this mode.
fn give(path: &Path, user: u32, mode: u32) {
    lchown(path, Some(user), Some(user)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_user_who_is_not_root_has_keys_and_nobody_else_has_them() {
    let Some(sandbox) = of_a_user() else { return };
    let output = run_as_user(&sandbox, &["id", TARGET]);
    assert!(output.status.success(), "{}", stderr(&output));
    for (file, mode) in [("", 0o700), ("keys.db", 0o600), ("software.master", 0o600)] {
        let metadata = sandbox.store().join(file).metadata().unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{file}");
    }
}

#[test]
fn a_store_in_a_folder_of_another_user_is_refused() {
    let Some(sandbox) = of_a_user() else { return };
    let outer = sandbox.path("outer");
    fs::create_dir(&outer).unwrap();
    let store = outer.join("store");
    for (owner, mode, says) in [
        (ATTACKER, 0o777, "belongs to user 65533"),
        (USER, 0o777, "chmod go-w"),
        (USER, 0o770, "chmod go-w"),
    ] {
        give(&outer, owner, mode);
        let args = ["--store", store.to_str().unwrap(), "id", TARGET];
        let told = told(&run_as_user(&sandbox, &args), 1);
        assert!(told.contains(says), "{told}");
        assert!(!store.exists(), "nothing is made there");
    }
}

#[test]
fn a_store_behind_a_link_of_another_user_is_refused() {
    let Some(sandbox) = of_a_user() else { return };
    let output = run_as_user(&sandbox, &["id", TARGET]);
    assert!(output.status.success(), "{}", stderr(&output));
    let shared = sandbox.path("shared");
    fs::create_dir(&shared).unwrap();
    give(&shared, 0, 0o1777);
    let link = shared.join("link");
    symlink(sandbox.store(), &link).unwrap();
    let args = ["--store", link.to_str().unwrap(), "keys", "list"];
    for (owner, refused) in [(USER, false), (0, false), (ATTACKER, true)] {
        lchown(&link, Some(owner), Some(owner)).unwrap();
        let output = run_as_user(&sandbox, &args);
        assert_eq!(!output.status.success(), refused, "{}", stderr(&output));
        if refused {
            assert!(stderr(&output).contains("belongs to user"), "{output:?}");
        }
    }
}

#[test]
fn what_another_user_laid_out_in_a_shared_folder_is_not_taken() {
    let Some(sandbox) = of_a_user() else { return };
    let shared = sandbox.path("shared");
    fs::create_dir(&shared).unwrap();
    give(&shared, 0, 0o1777);
    let store = shared.join("store");
    fs::create_dir(&store).unwrap();
    give(&store, ATTACKER, 0o777);
    let pin = shared.join("pin");
    fs::write(&pin, "1234").unwrap();
    give(&pin, ATTACKER, 0o600);
    // A second name of a file of the user's own.
    let own = PathBuf::from(sandbox.secret("own", b"not a passphrase"));
    give(&own, USER, 0o600);
    let linked = shared.join("linked");
    fs::hard_link(&own, &linked).unwrap();
    let config = "[software]\nmaster = 'passphrase'\n";
    let config = PathBuf::from(sandbox.secret("config.toml", config.as_bytes()));
    give(&config, USER, 0o600);
    let config = config.to_str().unwrap();
    for (args, says) in [
        (
            &["--store", store.to_str().unwrap(), "id", TARGET][..],
            "belongs to user 65533",
        ),
        (
            &[
                "--config",
                config,
                "--pin-file",
                pin.to_str().unwrap(),
                "id",
                TARGET,
            ],
            "Permission denied",
        ),
        (
            &[
                "--config",
                config,
                "--pin-file",
                linked.to_str().unwrap(),
                "id",
                TARGET,
            ],
            "another name",
        ),
    ] {
        let told = told(&run_as_user(&sandbox, args), 1);
        assert!(told.contains(says), "{told}");
    }
    assert!(!sandbox.store().join("software.passphrase").exists());
}

/// `HOME` and the XDG folders decide where configurations are read.
#[test]
fn a_configuration_of_another_user_is_refused_wherever_the_environment_leads() {
    let Some(sandbox) = of_a_user() else { return };
    let home = sandbox.path("attacker");
    fs::create_dir_all(home.join(".config/tokenbinding")).unwrap();
    let config = home.join(".config/tokenbinding/config.toml");
    fs::write(&config, "provider = 'software'\n").unwrap();
    for path in [
        &home,
        &home.join(".config"),
        &home.join(".config/tokenbinding"),
        &config,
    ] {
        give(path, ATTACKER, 0o755);
    }
    for (variable, value) in [
        ("HOME", home.clone()),
        ("XDG_CONFIG_HOME", home.join(".config")),
        ("TOKENBINDING_CONFIG", config.clone()),
    ] {
        let mut command = sandbox.command();
        command
            .env(variable, value)
            .args(["keys", "list"])
            .uid(USER)
            .gid(USER);
        let told = told(&command.output().unwrap(), 1);
        assert!(told.contains("belongs to user 65533"), "{variable}: {told}");
    }
}

#[test]
fn what_is_no_file_is_refused_and_not_waited_for() {
    let sandbox = Sandbox::new();
    let fifo = sandbox.path("fifo");
    let made = Command::new("mkfifo")
        .args(["-m", "600"])
        .arg(&fifo)
        .status();
    assert!(made.unwrap().success());
    let config = sandbox.secret("config.toml", b"[software]\nmaster = 'passphrase'\n");
    let fifo = fifo.to_str().unwrap();
    for args in [
        &["--config", fifo, "keys", "list"][..],
        &["--config", &config, "--pin-file", fifo, "id", TARGET],
        &["--config", &config, "--pin-file", "/dev/zero", "id", TARGET],
        &["--store", fifo, "keys", "list"],
    ] {
        let told = sandbox.fails(1, args);
        assert!(told.contains("is not a f"), "{told}");
    }
}

#[test]
#[cfg(feature = "tpm")]
fn a_tcti_that_leads_to_no_device_node_is_refused_and_not_waited_for() {
    let sandbox = Sandbox::new();
    let fifo = sandbox.path("fifo");
    let made = Command::new("mkfifo")
        .args(["-m", "600"])
        .arg(&fifo)
        .status();
    assert!(made.unwrap().success());
    let tcti = format!("device:{}", fifo.display());
    let told = sandbox.fails(1, &["--provider", "tpm", "--tcti", &tcti, "id", TARGET]);
    assert!(told.contains("is no device node"), "{told}");
    // tpm2-tss would load libtss2-tcti-NAME.so, or NAME itself.
    for tcti in ["/tmp/evil.so", "evil", "cmd:sh", "libtss2-tcti-device.so"] {
        let told = sandbox.fails(1, &["--provider", "tpm", "--tcti", tcti, "id", TARGET]);
        assert!(told.contains("is not understood"), "{told}");
    }
}

#[test]
#[cfg(feature = "pkcs11")]
fn a_module_that_others_may_change_is_not_loaded() {
    use tokenbinding_devices::softhsm::MODULE;

    let sandbox = Sandbox::new();
    let folder = sandbox.path("lib");
    fs::create_dir(&folder).unwrap();
    let module = folder.join("module.so");
    fs::copy(MODULE, &module).unwrap();
    let uri = format!("pkcs11:token=work?module-path={}", module.display());
    let id = ["--provider", "pkcs11", "--pkcs11-uri", &uri, "id", TARGET];
    for (path, mode, sound, remedy) in [
        (&module, 0o775, 0o755, "chmod 755"),
        (&module, 0o757, 0o755, "chmod 755"),
        (&folder, 0o777, 0o755, "chmod go-w"),
    ] {
        sandbox.chmod(path, mode);
        let told = sandbox.fails(1, &id);
        assert!(
            told.contains("not loaded") && told.contains(remedy),
            "{told}"
        );
        sandbox.chmod(path, sound);
    }
    let told = sandbox.fails(1, &id);
    assert!(!told.contains("not loaded"), "it is loaded: {told}");
    let relative = [
        "--provider",
        "pkcs11",
        "--pkcs11-uri",
        "pkcs11:?module-path=lib/module.so",
    ];
    let told = sandbox.fails(1, &[&relative[..], &["id", TARGET]].concat());
    assert!(told.contains("not an absolute path"), "{told}");
    if lchown(&module, Some(ATTACKER), None).is_ok() {
        let told = sandbox.fails(1, &id);
        assert!(told.contains("belongs to user 65533"), "{told}");
    } else {
        eprintln!("not root: no module is given to another user");
    }
}

/// As `su` and `passwd` are: the command with the rights of another user (set-user-ID).
#[test]
fn with_more_rights_than_its_caller_the_command_takes_nothing_from_the_environment() {
    let Some(sandbox) = of_a_user() else { return };
    let program = sandbox.path("tokenbinding");
    fs::copy(assert_cmd::cargo::cargo_bin!("tokenbinding"), &program).unwrap();
    give(&program, ATTACKER, 0o6755);
    let home = sandbox.path("home");
    let config = home.join(".config/tokenbinding");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("config.toml"), "provider = 'nonsense'\n").unwrap();
    let run = |name: &str, value: &Path, args: &[&str]| {
        let mut command = Command::new(&program);
        command.args(args).env_clear().env(name, value);
        command.uid(USER).gid(USER).output().unwrap()
    };
    for name in ["TOKENBINDING_STORE", "XDG_DATA_HOME", "HOME"] {
        let output = run(name, &home, &["--provider", "software", "keys", "list"]);
        let told = told(&output, 1);
        assert!(
            told.contains("there is no place for the store"),
            "{name}: {told}"
        );
    }
    for name in [
        "HOME",
        "XDG_CONFIG_HOME",
        "TOKENBINDING_CONFIG",
        "TOKENBINDING_PROVIDER",
    ] {
        let output = run(name, &home, &["providers"]);
        assert!(output.status.success(), "{name}: {}", stderr(&output));
    }
}

/// What the kernel says of a running command.
fn status_of(process: u32, file: &str) -> String {
    fs::read_to_string(format!("/proc/{process}/{file}")).unwrap()
}

#[test]
#[cfg(feature = "https")]
fn nobody_dumps_the_memory_of_the_command_or_reads_it() {
    use std::{
        io::{BufRead as _, BufReader},
        os::unix::fs::MetadataExt as _,
    };

    let Some(sandbox) = of_a_user() else { return };
    let mut process = sandbox
        .command()
        .args(["serve", "--listen", "127.0.0.1:0"])
        .uid(USER)
        .gid(USER)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(process.stdout.take().unwrap())
        .read_line(&mut url)
        .unwrap();
    let pid = process.id();
    let limits = status_of(pid, "limits");
    let owner = fs::metadata(format!("/proc/{pid}/mem")).unwrap().uid();
    let read = Command::new("head")
        .args(["-c", "1", &format!("/proc/{pid}/auxv")])
        .uid(USER)
        .gid(USER)
        .output()
        .unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let core: Vec<_> = core.unwrap().split_whitespace().skip(4).collect();
    assert_eq!(core[..2], ["0", "0"]);
    assert_eq!(owner, 0, "a process that is not dumpable belongs to root");
    assert!(!read.status.success(), "the same user cannot look into it");
}
