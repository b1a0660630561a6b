//! The software keystore by its configuration.

use std::{path::PathBuf, sync::Arc};

use tokenbinding_backend::{Profile, environment};
use tokenbinding_software::{MasterSource, SoftwareBackend};

use super::{Open, Opening};
use crate::{Config, Error, ProviderChoice, config::MasterKind, key_map::KeyMap};

const NAME: &str = ProviderChoice::Software.name();

pub(super) fn opener(opening: Opening) -> Open {
    Box::new(move || {
        let Opening { config, map, .. } = &opening;
        let ephemeral = config.profile.as_ref().is_some_and(Profile::is_ephemeral);
        let backend = if ephemeral {
            SoftwareBackend::ephemeral()
        } else {
            // Asked again after the keys: another process may have made both in between.
            if would_be_made(config) && has_keys(map.as_deref())? && would_be_made(config) {
                let path = source(config)?.path().clone();
                return Err(Error::NoMaster { path });
            }
            SoftwareBackend::open(&source(config)?)
        };
        Ok(Arc::new(backend?))
    })
}

/// Whether the map holds keys that hang on a master.
fn has_keys(map: Option<&KeyMap>) -> Result<bool, Error> {
    Ok(map.map_or(Ok(false), |map| map.has_keys_of(NAME))?)
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
                let dir = PathBuf::from(environment::variable("CREDENTIALS_DIRECTORY")?);
                dir.is_absolute().then(|| dir.join("tokenbinding-master"))
            };
            let path = configured.clone().or_else(handed_over);
            MasterSource::Credential(path.ok_or(Error::NoCredential)?)
        }
    })
}
