//! The TPM by its configuration.

use std::{path::PathBuf, sync::Arc};

use tokenbinding_backend::private;
use tokenbinding_tpm::{P256Keys, TpmBackend, TpmConfig};
use zeroize::Zeroizing;

use super::{Open, Opening};
use crate::{
    Error,
    config::{ConfigError, P256KeysChoice},
};

/// The most bytes of an authorization file: 32, and room for a line break.
const MAX_AUTH_LEN: usize = 34;

pub(super) fn opener(Opening { config, .. }: Opening) -> Open {
    Box::new(move || {
        let chosen = &config.tpm;
        let config = TpmConfig {
            tcti: chosen.tcti.clone(),
            owner_auth: auth(chosen.owner_auth_file.as_ref())?,
            storage_auth: auth(chosen.storage_auth_file.as_ref())?,
            key_auth: auth(chosen.key_auth_file.as_ref())?,
            p256: match chosen.p256.unwrap_or_default() {
                P256KeysChoice::Derived => P256Keys::Derived,
                P256KeysChoice::Wrapped => P256Keys::Wrapped,
            },
        };
        Ok(Arc::new(TpmBackend::open(&config)?))
    })
}

/// An authorization from a file that only its owner may read, without the line break at its end.
fn auth(path: Option<&PathBuf>) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let Some(path) = path else {
        return Ok(None);
    };
    let mut bytes = private::read(path, MAX_AUTH_LEN).map_err(ConfigError::from)?;
    for end in [b'\n', b'\r'] {
        if bytes.last() == Some(&end) {
            bytes.pop();
        }
    }
    Ok(Some(bytes))
}
