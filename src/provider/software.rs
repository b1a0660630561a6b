//! The software keystore by its configuration.

use std::{env, path::PathBuf, sync::Arc};

use tokenbinding_backend::Profile;
use tokenbinding_software::{MasterSource, SoftwareBackend};

use super::Open;
use crate::{Config, Error, config::MasterKind};

pub(super) fn opener(config: Config) -> Open {
    Box::new(move || {
        let ephemeral = config.profile.as_ref().is_some_and(Profile::is_ephemeral);
        let backend = if ephemeral {
            SoftwareBackend::ephemeral()
        } else {
            SoftwareBackend::open(&source(&config)?)
        };
        Ok(Arc::new(backend?))
    })
}

/// Whether the keystore is not there yet and would be made by opening it.
pub(crate) fn would_be_made(config: &Config) -> bool {
    match source(config) {
        Ok(MasterSource::Credential(_)) | Err(_) => false,
        Ok(source) => !source.path().exists(),
    }
}

fn source(config: &Config) -> Result<MasterSource, Error> {
    let configured = &config.software.file;
    let or_in_store = |name: &str| match configured {
        Some(path) => Ok(path.clone()),
        None => config.store_dir().map(|store| store.join(name)),
    };
    Ok(match config.software.master.unwrap_or_default() {
        MasterKind::File => MasterSource::File(or_in_store("software.master")?),
        MasterKind::Passphrase => MasterSource::Passphrase {
            file: or_in_store("software.passphrase")?,
            passphrase: config.pin()?.ok_or(Error::NoPassphrase)?,
        },
        MasterKind::Credential => {
            let handed_over = || {
                let dir = PathBuf::from(env::var_os("CREDENTIALS_DIRECTORY")?);
                Some(dir.join("tokenbinding-master"))
            };
            let path = configured.clone().or_else(handed_over);
            MasterSource::Credential(path.ok_or(Error::NoCredential)?)
        }
    })
}
