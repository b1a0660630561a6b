//! Where a PIN is read from. Nothing here logs one, and nothing keeps one unwiped.

use std::{
    env,
    fs::File,
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use tokenbinding_backend::ErrorKind;
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
/// Longer than any PIN.
const MAX_LEN: usize = 1024;

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
    match env::var(VARIABLE) {
        Ok(pin) => Ok(Some(Zeroizing::new(pin))),
        Err(env::VarError::NotPresent) => Ok(None),
        // The error's own text would show the value.
        Err(env::VarError::NotUnicode(_)) => Err(Fault::new(
            ErrorKind::PinRequired,
            format!("{VARIABLE} is not UTF-8"),
        )),
    }
}

/// The first line of the file at `path`.
fn read(path: &Path) -> Result<Pin> {
    let unreadable = |error: io::Error| {
        Fault::new(
            ErrorKind::PinRequired,
            format!("the PIN file {} cannot be read: {error}", path.display()),
        )
    };
    // Room for the longest one, so that it never moves and leaves a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_LEN));
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode();
    if mode & 0o007 != 0 {
        tracing::warn!(path = %path.display(), "anybody on this machine can open the PIN file");
    }
    file.take(MAX_LEN as u64)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    let line = text.lines().next().unwrap_or_default();
    Ok(Zeroizing::new(line.to_owned()))
}
