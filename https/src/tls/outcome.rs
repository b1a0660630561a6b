//! What came of a handshake.

use openssl::{error::ErrorStack, ssl::SslRef};
use tokenbinding::{
    Ekm,
    negotiation::{Negotiated, NegotiationError},
};
use zeroize::Zeroizing;

use super::{finished, state::State};

/// A connection on which Token Binding was negotiated.
#[derive(Clone, Debug)]
pub struct TokenBound {
    /// What was agreed on.
    pub negotiated: Negotiated,
    /// What the connection exports for signatures.
    pub ekm: Ekm,
}

/// Why a connection must be closed.
#[derive(Debug, thiserror::Error)]
pub enum OutcomeError {
    /// Token Binding was negotiated where it may not be.
    #[error(transparent)]
    Negotiation(#[from] NegotiationError),
    /// OpenSSL exports nothing: the handshake is not over.
    #[error("the connection exports no keying material: finish the handshake first")]
    Exporter(#[source] ErrorStack),
}

/// What a finished handshake negotiated; `None` is a connection without Token Binding.
///
/// After a handshake that failed, it gives the reason if that was Token Binding's.
///
/// # Errors
/// [`OutcomeError`]: the connection must be closed.
pub fn outcome(ssl: &SslRef) -> Result<Option<TokenBound>, OutcomeError> {
    let Some(state) = State::get(ssl) else {
        return Ok(None);
    };
    if let Some(error) = state.error {
        return Err(error.into());
    }
    let Some(negotiated) = state.negotiated else {
        return Ok(None);
    };
    // OpenSSL's own word on what the hellos said: all depends on it.
    if let Some(objection) = finished(ssl).objection() {
        return Err(objection.into());
    }
    let mut bytes = Zeroizing::new([0; Ekm::LEN]);
    ssl.export_keying_material(&mut *bytes, Ekm::LABEL, None)
        .map_err(OutcomeError::Exporter)?;
    Ok(Some(TokenBound {
        negotiated,
        ekm: Ekm::new(*bytes),
    }))
}
