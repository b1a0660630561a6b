//! The PKCS#11 token by its configuration.

use std::sync::Arc;

use tokenbinding_pkcs11::{PinSource, Pkcs11Backend, Pkcs11Config};

use super::{Open, Opening};
use crate::Error;

pub(super) fn opener(opening: Opening) -> Open {
    Box::new(move || {
        let Opening {
            config, callbacks, ..
        } = &opening;
        let uri = config.pkcs11.uri.as_deref().ok_or(Error::NoToken)?;
        let config = Pkcs11Config {
            uri: uri.parse()?,
            pin: config
                .pin_file
                .clone()
                .map_or(PinSource::Default, PinSource::File),
            try_final_pin: config.pkcs11.try_final_pin.unwrap_or_default(),
            touch: config.pkcs11.touch.unwrap_or_default(),
        };
        Ok(Arc::new(Pkcs11Backend::open(
            &config,
            Arc::clone(callbacks),
        )?))
    })
}
