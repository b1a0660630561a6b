//! TLS handshakes, each with a deadline.

use std::{pin::Pin, time::Duration};

use openssl::{
    error::ErrorStack,
    ssl::{
        self, AlpnError, Ssl, SslAcceptor, SslAcceptorBuilder, SslContext, SslMethod,
        select_next_proto,
    },
};
use tokenbinding::negotiation::Support;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_openssl::SslStream;

use super::Connection;
use crate::tls::{self, OutcomeError};

/// How long a handshake may take unless the server says otherwise.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// ALPN's list of what [`Server`](super::Server) speaks, the most preferred first (RFC 7301 §3.1).
const PROTOCOLS: &[u8] = b"\x02h2\x08http/1.1";

/// Accepts TLS connections and says of each whether Token Binding was negotiated.
#[derive(Clone)]
pub struct Acceptor {
    context: SslContext,
    deadline: Duration,
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptor")
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

impl Acceptor {
    /// Accepts with a context that [`tls::support`] has prepared. Without that, every connection is
    /// one without Token Binding.
    #[must_use]
    pub const fn new(context: SslContext) -> Self {
        Self {
            context,
            deadline: HANDSHAKE_DEADLINE,
        }
    }

    /// Begins a context for TLS 1.2 and 1.3 (Mozilla's intermediate profile) that negotiates Token
    /// Binding, HTTP/2 and HTTP/1.1. It lacks certificate and key; with these, its
    /// `build().into_context()` is what [`new`](Self::new) takes.
    ///
    /// # Errors
    /// [`ErrorStack`] when OpenSSL has no memory, or refuses the profile.
    pub fn builder(support: Support) -> Result<SslAcceptorBuilder, ErrorStack> {
        let mut context = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        tls::support(&mut context, support)?;
        context.set_alpn_select_callback(|_, offered| {
            select_next_proto(PROTOCOLS, offered).ok_or(AlpnError::ALERT_FATAL)
        });
        Ok(context)
    }

    /// Gives up on a handshake after this time. Without it, 10 seconds.
    #[must_use]
    pub const fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Does the handshake on a stream whose client speaks first.
    ///
    /// # Errors
    /// [`AcceptError`]; the stream is closed.
    pub async fn accept<S>(&self, stream: S) -> Result<(SslStream<S>, Connection), AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let ssl = Ssl::new(&self.context).map_err(AcceptError::OpenSsl)?;
        let mut stream = SslStream::new(ssl, stream).map_err(AcceptError::OpenSsl)?;
        match timeout(self.deadline, Pin::new(&mut stream).accept()).await {
            Err(_) => return Err(AcceptError::Deadline(self.deadline)),
            Ok(Ok(())) => (),
            // It failed for Token Binding's sake, or for another.
            Ok(Err(error)) => match Connection::of(stream.ssl()) {
                Err(OutcomeError::Negotiation(reason)) => {
                    return Err(AcceptError::TokenBinding(reason.into()));
                }
                _ => return Err(AcceptError::Handshake(error)),
            },
        }
        let connection = Connection::of(stream.ssl())?;
        Ok((stream, connection))
    }
}

/// Why a connection was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The client did not finish the handshake in time.
    #[error("the client did not finish the handshake within {0:?}")]
    Deadline(Duration),
    /// The handshake failed.
    #[error("the TLS handshake failed")]
    Handshake(#[source] ssl::Error),
    /// Token Binding cannot be had in the way that the client wants it.
    #[error(transparent)]
    TokenBinding(#[from] OutcomeError),
    /// OpenSSL cannot begin a connection.
    #[error("OpenSSL cannot begin a connection")]
    OpenSsl(#[source] ErrorStack),
}
