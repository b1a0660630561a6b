//! tpm2-pkcs11: a PKCS#11 module on a TPM, here on a swtpm of its own.

use std::{
    ffi::OsString,
    fs, io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
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

/// A TPM and a store with tokens. The TPM serves one process at a time.
#[derive(Debug)]
pub struct Tpm2Pkcs11 {
    directory: TempDir,
    tpm: Child,
    port: u16,
}

impl Tpm2Pkcs11 {
    /// A TPM with tokens of these labels.
    ///
    /// # Panics
    /// When swtpm or `pkcs11-tool` fails or is not installed.
    #[must_use]
    pub fn start(labels: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the TPM's state");
        let (tpm, port) = start_tpm(directory.path());
        let device = Self {
            directory,
            tpm,
            port,
        };
        for (slot, label) in labels.iter().enumerate() {
            device.add_token(slot, label);
        }
        device
    }

    fn add_token(&self, slot: usize, label: &str) {
        let slot = slot.to_string();
        let slot = ["--slot-index", &slot];
        self.tool(&[&slot[..], &["--init-token", "--label", label, "--so-pin", SO_PIN]].concat());
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
    pub fn environment(&self) -> [(&'static str, OsString); 3] {
        let tcti = format!("swtpm:host=127.0.0.1,port={}", self.port);
        [
            ("TPM2_PKCS11_STORE", self.directory.path().into()),
            ("TPM2_PKCS11_TCTI", tcti.into()),
            ("TSS2_LOG", "all+none".into()),
        ]
    }
}

impl Drop for Tpm2Pkcs11 {
    fn drop(&mut self) {
        let _ = self.tpm.kill();
        let _ = self.tpm.wait();
    }
}

/// Starts a TPM whose state is in `directory`; returns it and its port. Its control port is the
/// next one, as its clients expect.
fn start_tpm(directory: &Path) -> (Child, u16) {
    // Below the range from which the kernel takes the ports of outgoing connections.
    let first = 10_000 + u16::try_from(std::process::id() % 20_000).unwrap_or_default();
    for port in (0..200).map(|step| first + 2 * step) {
        if [port, port + 1].into_iter().all(is_free)
            && let Ok(tpm) = spawn(directory, port)
        {
            return (tpm, port);
        }
    }
    panic!("no two free ports in a row after {first}");
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn spawn(directory: &Path, port: u16) -> io::Result<Child> {
    let state = directory.join("tpm");
    fs::create_dir_all(&state)?;
    let listen = |port| format!("type=tcp,port={port},bindaddr=127.0.0.1");
    let mut tpm = Command::new("swtpm")
        .args(["socket", "--tpm2", "--tpmstate"])
        .arg(format!("dir={}", state.display()))
        .args(["--server", &listen(port), "--ctrl", &listen(port + 1)])
        .args(["--flags", "not-need-init,startup-clear"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if let Some(status) = tpm.try_wait()? {
            return Err(io::Error::other(format!("swtpm: {status}")));
        }
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port + 1)).is_ok() {
            return Ok(tpm);
        }
        thread::yield_now();
    }
    tpm.kill()?;
    tpm.wait()?;
    Err(io::Error::new(io::ErrorKind::TimedOut, "swtpm does not listen"))
}
