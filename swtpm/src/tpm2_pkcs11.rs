//! tpm2-pkcs11: a PKCS#11 module on a TPM, here on a swtpm of its own.

use std::{
    ffi::OsString,
    fs,
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// The module of Debian's package `libtpm2-pkcs11-1`.
pub const MODULE: &str = "/usr/lib/x86_64-linux-gnu/libtpm2_pkcs11.so.1";
/// The user PIN of every token.
pub const PIN: &str = "24680-user";
/// The security officer's PIN of every token.
pub const SO_PIN: &str = "13579-officer";

/// A TPM with a resource manager, and a store with tokens. Without the manager the module soon
/// fills the three object slots of a swtpm.
#[derive(Debug)]
pub struct Tpm2Pkcs11 {
    directory: TempDir,
    /// The resource manager, its bus and the TPM, in the order in which they are stopped.
    processes: Vec<Child>,
    bus: String,
}

impl Tpm2Pkcs11 {
    /// A TPM with tokens of these labels.
    ///
    /// # Panics
    /// When swtpm, dbus-daemon, tpm2-abrmd or `pkcs11-tool` fails or is not installed.
    #[must_use]
    pub fn start(labels: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the TPM's state");
        let mut device = Self {
            directory,
            processes: Vec::new(),
            bus: String::new(),
        };
        let port = device.start_tpm();
        device.start_bus();
        device.start_resource_manager(port);
        for (slot, label) in labels.iter().enumerate() {
            device.add_token(slot, label);
        }
        device
    }

    /// Starts the TPM; returns its port. Its control port is the next one, as its clients expect.
    fn start_tpm(&mut self) -> u16 {
        // Below the range from which the kernel takes the ports of outgoing connections. Tests
        // that run at once have process numbers close to each other, so they start apart.
        let place = u16::try_from(std::process::id() % 1_000).unwrap_or_default();
        let first = 10_000 + 20 * place;
        for port in (first..first + 2_000).step_by(2) {
            let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
            if free(port)
                && free(port + 1)
                && let Some(tpm) = self.try_tpm(port)
            {
                self.processes.insert(0, tpm);
                return port;
            }
        }
        panic!("no two free ports in a row after {first}");
    }

    /// A TPM at `port`, or `None` when another process was faster to take it.
    fn try_tpm(&self, port: u16) -> Option<Child> {
        let state = self.directory.path().join("tpm");
        fs::create_dir_all(&state).expect("a directory for the TPM's state");
        // Written when it listens, by this very TPM.
        let pid = state.join(format!("{port}.pid"));
        let listen = |port| format!("type=tcp,port={port},bindaddr=127.0.0.1");
        let mut tpm = Command::new("swtpm")
            .args(["socket", "--tpm2", "--tpmstate"])
            .arg(format!("dir={}", state.display()))
            .args(["--server", &listen(port), "--ctrl", &listen(port + 1)])
            .args(["--flags", "not-need-init,startup-clear", "--pid"])
            .arg(format!("file={}", pid.display()))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("swtpm runs");
        wait_until("swtpm listens", || {
            let ended = tpm.try_wait().expect("the TPM is a child");
            ended.is_some() || pid.exists()
        });
        let ended = tpm.try_wait().expect("the TPM is a child");
        ended.is_none().then_some(tpm)
    }

    fn start_bus(&mut self) {
        let place = self.directory.path().join("bus");
        let mut bus = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address=1"])
            .arg(format!("--address=unix:path={}", place.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("dbus-daemon runs");
        let output = bus.stdout.take().expect("its output is piped");
        self.processes.insert(0, bus);
        BufReader::new(output)
            .read_line(&mut self.bus)
            .expect("the bus tells its address");
        self.bus.truncate(self.bus.trim_end().len());
    }

    fn start_resource_manager(&mut self, port: u16) {
        let manager = Command::new("tpm2-abrmd")
            .args(["--session", "--allow-root", "--max-transients=100"])
            .arg(format!("--tcti=swtpm:host=127.0.0.1,port={port}"))
            .envs(self.environment())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("tpm2-abrmd runs");
        self.processes.insert(0, manager);
        wait_until("the resource manager is on the bus", || {
            let asked = Command::new("dbus-send")
                .args([
                    "--session",
                    "--print-reply",
                    "--dest=org.freedesktop.DBus",
                    "/",
                ])
                .arg("org.freedesktop.DBus.GetNameOwner")
                .arg("string:com.intel.tss2.Tabrmd")
                .envs(self.environment())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            asked.expect("dbus-send runs").success()
        });
    }

    fn add_token(&self, slot: usize, label: &str) {
        let slot = slot.to_string();
        let slot = ["--slot-index", &slot];
        self.tool(
            &[
                &slot[..],
                &["--init-token", "--label", label, "--so-pin", SO_PIN],
            ]
            .concat(),
        );
        let login = ["--login", "--login-type", "so", "--so-pin", SO_PIN];
        self.tool(&[&slot[..], &["--init-pin", "--new-pin", PIN], &login].concat());
    }

    fn tool(&self, arguments: &[&str]) {
        let output = Command::new("pkcs11-tool")
            .args(["--module", MODULE])
            .args(arguments)
            .envs(self.environment())
            .stdin(Stdio::null())
            .output()
            .expect("pkcs11-tool runs");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "pkcs11-tool {arguments:?}: {text}");
    }

    /// What a process must have in its environment to use it.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, OsString); 4] {
        [
            ("TPM2_PKCS11_STORE", self.directory.path().into()),
            ("TPM2_PKCS11_TCTI", "tabrmd:bus_type=session".into()),
            ("DBUS_SESSION_BUS_ADDRESS", self.bus.clone().into()),
            ("TSS2_LOG", "all+none".into()),
        ]
    }
}

impl Drop for Tpm2Pkcs11 {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not within 20 s");
        thread::yield_now();
    }
}
