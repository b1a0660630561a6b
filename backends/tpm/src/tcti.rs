//! Which TPM to talk to, and whether it can be reached at all.
//!
//! The way there is checked before the TSS is asked, because only here it can be said what to do:
//! which group to join, what to start.

use std::{
    fs::{self, File},
    io,
    net::{SocketAddr, TcpStream, ToSocketAddrs as _},
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use tokenbinding_backend::{ErrorKind, environment, private};
use tss_esapi::TctiNameConf;

use crate::failure::{Failure, Result};

const DEFAULT: &str = "device:/dev/tpmrm0";
const VARIABLES: [&str; 2] = ["TPM2TOOLS_TCTI", "TCTI"];
const SIMULATOR_PORT: u16 = 2321;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the TPM is.
#[derive(Clone, Debug)]
pub(crate) struct Tcti {
    text: String,
    name_conf: TctiNameConf,
    route: Route,
}

/// What lies between this process and the TPM.
#[derive(Clone, Debug)]
enum Route {
    /// A device node.
    Node(PathBuf),
    /// A simulator's command port. The port above it is its control port.
    Simulator { host: String, port: u16 },
    /// tpm2-abrmd.
    Broker,
}

impl Tcti {
    /// The TCTI of `option`, else of the environment, else the kernel's resource manager.
    pub(crate) fn choose(option: Option<&str>) -> Result<Self> {
        let from_environment = || {
            let mut values = VARIABLES
                .iter()
                .filter_map(|name| environment::variable(name));
            values.find_map(|value| value.into_string().ok())
        };
        match option {
            Some(text) => Self::parse(text),
            None => Self::parse(from_environment().as_deref().unwrap_or(DEFAULT)),
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let unclear = || {
            let forms =
                "device:/dev/tpmrm0, swtpm:host=127.0.0.1,port=2321 and tabrmd:bus_type=system";
            let text = format!("the TCTI {text:?} is not understood; known are {forms}");
            Failure::stated(ErrorKind::Unavailable, text)
        };
        let (name, conf) = text.split_once(':').unwrap_or((text, ""));
        let route = match name {
            "device" if conf.is_empty() => Route::Node("/dev/tpm0".into()),
            "device" => Route::Node(conf.into()),
            "swtpm" | "mssim" => simulator(conf).ok_or_else(unclear)?,
            "tabrmd" => Route::Broker,
            _ => return Err(unclear()),
        };
        Ok(Self {
            name_conf: text.parse().map_err(|_| unclear())?,
            text: text.to_owned(),
            route,
        })
    }

    /// As it was given.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// What tss-esapi connects to.
    pub(crate) const fn name_conf(&self) -> &TctiNameConf {
        &self.name_conf
    }

    /// What to do when the way is open and nothing that answers like a TPM is at its end.
    pub(crate) const fn advice(&self) -> &'static str {
        match self.route {
            Route::Node(_) => "is this the node of a TPM 2.0? Otherwise name another with the TCTI",
            Route::Simulator { .. } => "is this swtpm's command port, with its control port above?",
            Route::Broker => "is tpm2-abrmd running? systemctl start tpm2-abrmd",
        }
    }

    /// Whether a program plays the TPM.
    pub(crate) const fn is_simulator(&self) -> bool {
        matches!(self.route, Route::Simulator { .. })
    }

    /// Whether somebody flushes what a broken connection leaves in the TPM.
    pub(crate) fn has_resource_manager(&self) -> bool {
        match &self.route {
            // The kernel calls the nodes behind its resource manager tpmrm0, tpmrm1, …
            Route::Node(path) => path.to_string_lossy().contains("tpmrm"),
            Route::Simulator { .. } => false,
            Route::Broker => true,
        }
    }

    /// Whether the TPM can be reached.
    pub(crate) fn check(&self) -> Result<()> {
        match &self.route {
            Route::Node(path) => check_node(path),
            Route::Simulator { host, port } => check_simulator(host, *port),
            Route::Broker => Ok(()),
        }
    }
}

/// Reads `host=…,port=…`, both optional. Anything else would be ignored by tss-esapi, which would
/// then connect to whatever listens on the default port.
fn simulator(conf: &str) -> Option<Route> {
    let mut host = "localhost".to_owned();
    let mut port = SIMULATOR_PORT;
    for field in conf.split(',').filter(|field| !field.is_empty()) {
        match field.split_once('=')? {
            ("host", value) => value.clone_into(&mut host),
            ("port", value) => port = value.parse().ok().filter(|port| *port < u16::MAX)?,
            _ => return None,
        }
    }
    Some(Route::Simulator { host, port })
}

fn check_node(path: &Path) -> Result<()> {
    match private::check_way(path) {
        Err(error) if error.is_open_to_others() => {
            return Err(Failure::stated(ErrorKind::Denied, error.to_string()));
        }
        // What is missing is told below.
        _ => {}
    }
    // A FIFO or a file would take the commands, and answer nothing.
    if fs::metadata(path).is_ok_and(|node| !node.file_type().is_char_device()) {
        let text = format!(
            "device:{} is no device node: name another with the TCTI",
            path.display()
        );
        return Err(Failure::stated(ErrorKind::Unavailable, text));
    }
    let Err(error) = File::options().read(true).write(true).open(path) else {
        return Ok(());
    };
    let node = path.display();
    let (kind, advice) = match error.kind() {
        io::ErrorKind::NotFound => (
            ErrorKind::Unavailable,
            "enable the TPM in the firmware setup, or name another with the TCTI".to_owned(),
        ),
        io::ErrorKind::PermissionDenied => (ErrorKind::Denied, membership(path)),
        _ if error.raw_os_error() == Some(EBUSY) => (
            ErrorKind::Busy,
            "another program holds it; use device:/dev/tpmrm0".to_owned(),
        ),
        _ => (ErrorKind::Unavailable, "see the kernel's log".to_owned()),
    };
    Err(Failure::stated(kind, format!("{node}: {error}: {advice}")))
}

/// `errno` of a device that is open elsewhere, on Linux.
const EBUSY: i32 = 16;

/// What to do to get access to the node.
fn membership(path: &Path) -> String {
    match fs::metadata(path).map(|node| node.gid()).map(group_name) {
        Ok(Some(group)) if group != "root" => {
            format!("join the group {group} (usermod -aG {group} USER) and log in again")
        }
        _ => "install tpm-udev, which gives the node to the group tss, and join that group"
            .to_owned(),
    }
}

fn group_name(gid: u32) -> Option<String> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let found = fields.nth(1)?.parse() == Ok(gid);
        found.then(|| name.to_owned())
    })
}

/// Tries the control port: the command port takes one connection at a time.
fn check_simulator(host: &str, port: u16) -> Result<()> {
    let refused = |error: io::Error| {
        let text = format!("{host}:{port}: {error}: the simulator is not running; start swtpm");
        Failure::stated(ErrorKind::Unavailable, text)
    };
    let control = (host, port + 1);
    let addresses: Vec<SocketAddr> = control.to_socket_addrs().map_err(refused)?.collect();
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(refused(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(failure: Failure) -> String {
        failure.during("open").to_string()
    }

    #[test]
    fn tctis_of_tpm2_tools_are_understood() {
        for tcti in [
            "device:/dev/tpmrm0",
            "device",
            "swtpm",
            "swtpm:port=2321",
            "mssim:host=127.0.0.1,port=2321",
            "tabrmd",
            "tabrmd:bus_type=session",
        ] {
            assert!(Tcti::parse(tcti).is_ok(), "{tcti}");
        }
    }

    #[test]
    fn a_tcti_that_would_lead_elsewhere_is_refused() {
        for tcti in ["", "pcap:", "swtpm:path=/run/swtpm", "swtpm:port=65535"] {
            let error = text(Tcti::parse(tcti).expect_err("refused"));
            assert!(error.contains("is not understood"), "{error}");
        }
    }

    #[test]
    fn a_missing_node_is_named_with_what_to_do() {
        let error = text(check_node(Path::new("/dev/no-such-tpm")).expect_err("missing"));
        assert!(error.contains("/dev/no-such-tpm"), "{error}");
        assert!(error.contains("firmware setup"), "{error}");
    }
}
