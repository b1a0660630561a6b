//! tpm2-abrmd, the resource manager in user space, before a swtpm and on a bus of its own.
//!
//! Through it several processes share one TPM, each with object slots of its own.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::swtpm::Swtpm;

const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A running tpm2-abrmd and its bus. Both are killed on drop.
#[derive(Debug)]
pub struct Abrmd {
    /// Holds the bus's socket.
    _folder: TempDir,
    bus: Child,
    address: String,
    daemon: Child,
}

impl Abrmd {
    /// The TCTI of its clients, in whose environment is [`bus_address`](Self::bus_address).
    pub const TCTI: &str = "tabrmd:bus_type=session";
    /// The variable that names the bus.
    pub const BUS_VARIABLE: &str = "DBUS_SESSION_BUS_ADDRESS";

    /// Starts it before `swtpm`.
    #[must_use]
    pub fn start(swtpm: &Swtpm) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the bus's socket");
        let address = format!("unix:path={}", folder.path().join("bus").display());
        let mut bus = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address=1"])
            .arg(format!("--address={address}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon is installed");
        // It says its address when it listens.
        let output = bus.stdout.take().expect("it was piped");
        let read = BufReader::new(output).read_line(&mut String::new());
        read.expect("the bus says its address");
        let daemon = Command::new(program())
            .args([
                "--session",
                "--allow-root",
                "--logger=stdout",
                "--max-transients=100",
            ])
            .arg(format!("--tcti={}", swtpm.tcti()))
            .env(Self::BUS_VARIABLE, &address)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("tpm2-abrmd is installed");
        let abrmd = Self {
            _folder: folder,
            bus,
            address,
            daemon,
        };
        abrmd.wait();
        abrmd
    }

    /// The address of its bus.
    #[must_use]
    pub fn bus_address(&self) -> &str {
        &self.address
    }

    /// Waits until it has its name on the bus.
    fn wait(&self) {
        let start = Instant::now();
        while start.elapsed() < START_TIMEOUT {
            let output = Command::new("dbus-send")
                .args(["--session", "--print-reply", "--dest=org.freedesktop.DBus"])
                .args(["/", "org.freedesktop.DBus.NameHasOwner"])
                .arg("string:com.intel.tss2.Tabrmd")
                .env(Self::BUS_VARIABLE, &self.address)
                .output()
                .expect("dbus-send is installed");
            if String::from_utf8_lossy(&output.stdout).contains("boolean true") {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("tpm2-abrmd does not start");
    }
}

impl Drop for Abrmd {
    fn drop(&mut self) {
        for process in [&mut self.daemon, &mut self.bus] {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Daemons are not in everybody's path.
fn program() -> &'static str {
    const SBIN: &str = "/usr/sbin/tpm2-abrmd";
    if Path::new(SBIN).exists() {
        SBIN
    } else {
        "tpm2-abrmd"
    }
}
