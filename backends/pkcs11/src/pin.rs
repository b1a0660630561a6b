//! Where a PIN is read from. Nothing here logs one, and nothing keeps one unwiped.

use std::path::Path;

use tokenbinding_backend::{ErrorKind, environment, private};
use zeroize::Zeroizing;

use crate::{
    Callbacks, PinSource, PinTries, Pkcs11Config, TokenName,
    fault::{Fault, Result},
    uri::UriPin,
};

/// A PIN in memory, wiped when it is dropped.
pub(crate) type Pin = Zeroizing<String>;

/// The environment variable that may hold the PIN.
pub(crate) const VARIABLE: &str = "TOKENBINDING_PIN";

/// Gets the PIN from where the configuration says.
pub(crate) fn obtain(
    config: &Pkcs11Config,
    callbacks: &dyn Callbacks,
    token: &TokenName,
    tries: PinTries,
) -> Result<Pin> {
    let pin = match (&config.pin, &config.uri.pin) {
        (PinSource::Value(pin), _) => Some(pin.clone()),
        (PinSource::File(path), _) | (PinSource::Default, Some(UriPin::File(path))) => {
            Some(read(path)?)
        }
        (PinSource::Default, Some(UriPin::Value(pin))) => Some(pin.clone()),
        (PinSource::Default, None) => from_environment()?.or_else(|| callbacks.pin(token, tries)),
    };
    pin.filter(|pin| !pin.is_empty()).ok_or_else(|| {
        Fault::new(
            ErrorKind::PinRequired,
            format!(
                "the token {:?} wants its PIN, and there is nobody to ask: give a PIN file, \
                 pin-source=file:… in the URI, or {VARIABLE}",
                token.label
            ),
        )
    })
}

fn from_environment() -> Result<Option<Pin>> {
    let Some(value) = environment::variable(VARIABLE) else {
        return Ok(None);
    };
    match value.into_string() {
        Ok(pin) => Ok(Some(Zeroizing::new(pin))),
        // The error's own text would show the value.
        Err(_) => Err(Fault::new(
            ErrorKind::PinRequired,
            format!("{VARIABLE} is not UTF-8"),
        )),
    }
}

fn read(path: &Path) -> Result<Pin> {
    private::read_pin(path)
        .map_err(|error| Fault::new(ErrorKind::PinRequired, format!("the PIN file: {error}")))
}
