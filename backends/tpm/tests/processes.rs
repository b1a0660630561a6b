//! Several processes on one TPM, through tpm2-abrmd on a bus of its own.

mod common;

use std::{
    env,
    process::{Command, Stdio},
};

use common::{P256, assert_signs, create, open};
use tokenbinding_backend::{Backend as _, StoredKey};
use tokenbinding_devices::{abrmd::Abrmd, swtpm::Swtpm};

const PROCESSES: usize = 4;
const SIGNATURES: usize = 200;

/// What one process does. Run by the test below, which sets up the bus.
#[test]
#[ignore = "a part of another test"]
fn one_of_several_processes() {
    let Ok(tcti) = env::var("TPM2TOOLS_TCTI") else {
        return;
    };
    let backend = open(tcti);
    let keys = [P256; 4].map(|kind| create(&backend, kind));
    for number in 0..SIGNATURES {
        assert_signs(&*keys[number % keys.len()].1, P256);
    }
    let stored = StoredKey::decode(&keys[0].0.encode()).expect("it decodes");
    drop(keys);
    assert_signs(&*backend.open(&stored).expect("it opens"), P256);
}

#[test]
fn four_processes_sign_at_once_through_the_resource_manager() {
    let swtpm = Swtpm::start();
    let abrmd = Abrmd::start(&swtpm);
    let spawn = |_| {
        Command::new(env::current_exe().expect("this test"))
            .args(["--exact", "one_of_several_processes", "--ignored"])
            .env("TPM2TOOLS_TCTI", Abrmd::TCTI)
            .env(Abrmd::BUS_VARIABLE, abrmd.bus_address())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("this test starts again")
    };
    let processes: Vec<_> = (0..PROCESSES).map(spawn).collect();
    for process in processes {
        let output = process.wait_with_output().expect("a child");
        let said = String::from_utf8_lossy(&output.stdout);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}{error}");
        assert!(said.contains("1 passed"), "{said}{error}");
    }
    drop(abrmd);
    assert_eq!(swtpm.loaded_objects(), 0);
}
