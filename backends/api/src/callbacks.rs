//! The only way in which a backend asks a person for anything.
//!
//! No lock is held while a callback runs, and a callback is never run twice at once for one
//! backend: other threads that need the login wait for its outcome.

use zeroize::Zeroizing;

/// Which token a person is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenName {
    /// The token's label, as its owner chose it.
    pub label: String,
    /// Its serial number.
    pub serial: String,
}

/// How many wrong PINs the token has seen, as far as it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinTries {
    /// None since the last right one.
    Full,
    /// At least one wrong PIN was entered since the last right one.
    Low,
    /// One wrong PIN more locks the token.
    Final,
}

/// Asks and tells the person at the machine.
pub trait Callbacks: Send + Sync {
    /// Asks for the token's PIN. `None` when there is nobody to ask.
    fn pin(&self, token: &TokenName, tries: PinTries) -> Option<Zeroizing<String>>;

    /// Says that the PIN is to be entered at the token's or the reader's own pad.
    fn pin_pad(&self, token: &TokenName) {
        let _ = token;
    }

    /// Says that the token waits for a touch, before each signature of a token that is configured
    /// so: PKCS#11 does not tell it.
    fn touch(&self, token: &TokenName) {
        let _ = token;
    }
}

/// Nobody to ask, as in a service.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Callbacks for Nobody {
    fn pin(&self, _: &TokenName, _: PinTries) -> Option<Zeroizing<String>> {
        None
    }
}
