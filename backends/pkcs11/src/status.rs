//! What there is to tell about a token without a PIN.

use std::path::PathBuf;

use tokenbinding_backend::{PinTries, Result as BackendResult};

use crate::{KeyTypeSupport, Pkcs11Backend, TokenInfo, token::padded};

/// The state of a module and its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pkcs11Status {
    /// The module's file.
    pub module: PathBuf,
    /// What the module calls itself.
    pub library: String,
    /// The module's own version, major and minor.
    pub library_version: (u8, u8),
    /// The token as it is now, with the state of its PIN.
    pub token: TokenInfo,
    /// What it can do for each key type, and why not where it cannot.
    pub key_types: Vec<KeyTypeSupport>,
}

impl Pkcs11Status {
    /// What is not said by the backend's info, by name.
    pub(crate) fn details(&self) -> Vec<(&'static str, String)> {
        let (major, minor) = self.library_version;
        let token = &self.token;
        let pin = match (token.flags.user_pin_locked(), token.flags.pin_tries()) {
            (true, _) => "locked",
            (false, PinTries::Full) => "all tries left",
            (false, PinTries::Low) => "a wrong one was entered",
            (false, PinTries::Final) => "one try left",
        };
        let (firmware, patch) = token.firmware_version;
        let mut details = vec![
            (
                "module",
                format!(
                    "{} ({} {major}.{minor})",
                    self.module.display(),
                    self.library
                ),
            ),
            ("token", token.label.clone()),
            ("serial", token.serial.clone()),
            ("manufacturer", token.manufacturer.clone()),
            ("firmware", format!("{firmware}.{patch}")),
            ("PIN", pin.to_owned()),
        ];
        details.extend(self.key_types.iter().filter_map(|support| {
            Some((
                support.kind.name(),
                format!("missing: {}", support.missing.as_ref()?),
            ))
        }));
        details
    }
}

impl Pkcs11Backend {
    /// Asks the module and the token for their state, without logging in.
    ///
    /// # Errors
    /// [`DeviceRemoved`](tokenbinding_backend::ErrorKind::DeviceRemoved) when the token was taken
    /// out; otherwise what keeps the module from answering.
    pub fn status(&self) -> BackendResult<Pkcs11Status> {
        self.core.look("read the token's state", |link| {
            let module = link.module();
            let info = module.c_get_info()?;
            let version = info.libraryVersion;
            Ok(Pkcs11Status {
                module: module.path().to_owned(),
                library: padded(&info.libraryDescription),
                library_version: (version.major, version.minor),
                token: TokenInfo::read(module, link.slot())?,
                key_types: self.core.support.clone(),
            })
        })
    }
}
