//! Which token to use, and how it is unlocked.

use std::{fmt, path::PathBuf};

use zeroize::Zeroizing;

use crate::Pkcs11Uri;

/// What [`Pkcs11Backend::open`](crate::Pkcs11Backend::open) needs to know.
#[derive(Clone, Debug, Default)]
pub struct Pkcs11Config {
    /// Names the module and the token.
    pub uri: Pkcs11Uri,
    /// Where the PIN comes from.
    pub pin: PinSource,
    /// Whether a PIN is sent even when the token says that one wrong PIN more locks it.
    pub try_final_pin: bool,
    /// Whether to announce a touch before each signature.
    pub touch: bool,
}

/// Where the PIN comes from.
#[derive(Clone, Default)]
pub enum PinSource {
    /// From the URI; else from the environment variable `TOKENBINDING_PIN`; else whoever answers
    /// [`Callbacks::pin`](crate::Callbacks::pin).
    #[default]
    Default,
    /// From the first line of this file.
    File(PathBuf),
    /// This one.
    Value(Zeroizing<String>),
}

/// Without the PIN.
impl fmt::Debug for PinSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("Default"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Value(_) => f.write_str("Value(…)"),
        }
    }
}
