//! What there is to tell about a token without a PIN.

use std::path::PathBuf;

use tokenbinding_backend::Result as BackendResult;

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
