//! What a server knows of one TLS connection.

use std::sync::Arc;

use openssl::ssl::SslRef;
use tokenbinding::connection::ServerConnection;

use crate::tls::{self, OutcomeError};

/// One accepted TLS connection: whether Token Binding was negotiated on it, and what its requests
/// have proven. Clones are the same connection.
///
/// The server puts it into the extensions of each request, where
/// [`TokenBindingLayer`](super::TokenBindingLayer) finds it.
#[derive(Clone, Debug)]
pub struct Connection(Option<Arc<ServerConnection>>);

impl Connection {
    /// The connection whose handshake `ssl` has finished.
    ///
    /// # Errors
    /// [`OutcomeError`]: the connection must be closed.
    pub fn of(ssl: &SslRef) -> Result<Self, OutcomeError> {
        let bound = tls::outcome(ssl)?;
        Ok(Self(bound.map(|bound| {
            let key_type = bound.negotiated.key_type;
            Arc::new(ServerConnection::new(key_type, bound.ekm))
        })))
    }

    /// A connection without Token Binding, such as one that is not TLS at all.
    #[must_use]
    pub const fn unbound() -> Self {
        Self(None)
    }

    /// What verifies this connection's headers; `None` where Token Binding was not negotiated.
    #[must_use]
    pub fn token_binding(&self) -> Option<&ServerConnection> {
        self.0.as_deref()
    }
}

/// The end of a connection whose key parameters and EKM come from another TLS library.
impl From<ServerConnection> for Connection {
    fn from(connection: ServerConnection) -> Self {
        Self(Some(Arc::new(connection)))
    }
}
