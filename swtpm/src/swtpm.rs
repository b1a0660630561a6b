//! swtpm, a TPM 2.0 in a process: one per test.
//!
//! It has three object slots and no resource manager, and serves one connection at a time; the TSS
//! connects anew for each command. Its control port is the one above the command port, which the
//! TSS takes for granted.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{command, ports::Ports};

/// The first handles of their types. TPM 2.0 Library, Part 2, §7.4.
const TRANSIENT: u32 = 0x8000_0000;
const LOADED_SESSION: u32 = 0x0200_0000;

const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A running swtpm. It is killed on drop, and its state goes with it.
#[derive(Debug)]
pub struct Swtpm {
    state: TempDir,
    ports: Ports,
    process: Option<Child>,
}

impl Swtpm {
    /// Starts a new TPM, as it leaves the factory.
    #[must_use]
    pub fn start() -> Self {
        let state = tempfile::tempdir().expect("a folder for the TPM's state");
        // Another program may take the ports between the look and the start.
        for _ in 0..20 {
            let ports = Ports::take();
            if let Some(process) = spawn(state.path(), ports.first()) {
                return Self {
                    state,
                    ports,
                    process: Some(process),
                };
            }
        }
        panic!("swtpm does not start: is it installed?");
    }

    /// The command port. The control port is the one above.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.ports.first()
    }

    /// The TCTI that leads to it.
    #[must_use]
    pub fn tcti(&self) -> String {
        tcti(self.port())
    }

    /// Kills it, as a power cut does. What it had promised to keep is in its folder.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it again on the same state and ports: a TPM reset that cuts connections.
    pub fn restart(&mut self) {
        self.kill();
        let process = spawn(self.state.path(), self.port());
        self.process = Some(process.expect("swtpm starts again on its own ports"));
    }

    /// Takes the power away and gives it back, without cutting connections: `_TPM_Init`. The TPM
    /// answers nothing but [`command::startup_clear`] then.
    pub fn power_cycle(&self) {
        const CMD_INIT: u32 = 2;
        self.control(CMD_INIT, &0_u32.to_be_bytes());
    }

    /// Sends one command and gives the response.
    pub fn transmit(&self, command: &[u8]) -> Vec<u8> {
        let mut stream = connect(self.port()).expect("swtpm listens");
        stream.write_all(command).expect("swtpm reads");
        let response = command::read(&mut stream).expect("swtpm answers");
        response.expect("swtpm stays connected")
    }

    /// Sends one command, which must succeed.
    pub fn execute(&self, command: &[u8]) -> Vec<u8> {
        let response = self.transmit(command);
        assert_eq!(command::code_of(&response), 0, "the TPM's response code");
        response
    }

    /// How many transient objects are loaded.
    #[must_use]
    pub fn loaded_objects(&self) -> usize {
        self.loaded(TRANSIENT).len()
    }

    /// How many sessions are loaded.
    #[must_use]
    pub fn loaded_sessions(&self) -> usize {
        self.loaded(LOADED_SESSION).len()
    }

    /// Flushes every transient object: what a resource manager does for a process that is gone.
    pub fn flush_objects(&self) {
        for handle in self.loaded(TRANSIENT) {
            self.execute(&command::flush(handle));
        }
    }

    /// The handles of the type of `first`.
    fn loaded(&self, first: u32) -> Vec<u32> {
        command::listed(&self.execute(&command::handles(first)))
    }

    fn control(&self, code: u32, body: &[u8]) {
        let mut stream = connect(self.port() + 1).expect("swtpm's control port listens");
        let request = [&code.to_be_bytes()[..], body].concat();
        stream.write_all(&request).expect("swtpm reads");
        let mut result = [0; 4];
        stream.read_exact(&mut result).expect("swtpm answers");
        assert_eq!(result, [0; 4], "swtpm's control command {code}");
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The TCTI of a simulator's command port on this machine.
#[must_use]
pub fn tcti(port: u16) -> String {
    format!("swtpm:host=127.0.0.1,port={port}")
}

/// Starts swtpm and waits until it listens. `None` when it ends before, because of its ports.
fn spawn(state: &Path, port: u16) -> Option<Child> {
    let listen = |port| format!("type=tcp,port={port},bindaddr=127.0.0.1");
    let mut process = Command::new("swtpm")
        .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
        .arg("--tpmstate")
        .arg(format!("dir={}", state.display()))
        .args(["--server", &listen(port), "--ctrl", &listen(port + 1)])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("swtpm is installed");
    let start = Instant::now();
    while start.elapsed() < START_TIMEOUT {
        if process.try_wait().expect("swtpm is a child").is_some() {
            return None;
        }
        // The control port takes connections one after the other; the command port only one.
        if connect(port + 1).is_ok() {
            return Some(process);
        }
        thread::sleep(Duration::from_millis(2));
    }
    let _ = process.kill();
    let _ = process.wait();
    None
}

fn connect(port: u16) -> std::io::Result<TcpStream> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port))
}
