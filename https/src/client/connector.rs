//! From an origin to a TLS connection that may be bound.

use std::{
    fmt, io,
    net::Ipv6Addr,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_openssl::client::legacy::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use openssl::{
    error::ErrorStack,
    ssl::{ConnectConfiguration, SslConnector, SslConnectorBuilder, SslMethod, SslRef},
};
use tokenbinding::{
    Binder, KeyType,
    connection::ClientConnection,
    negotiation::{Negotiated, NegotiationError, Offer},
};
use tokio::net::TcpStream;
use tower_service::Service;

use super::Error;
use crate::{
    BoxFuture,
    tls::{self, OutcomeError},
};

/// What a connection may take, from the look-up of the name to the end of the handshake.
const DEADLINE: Duration = Duration::from_secs(30);
/// HTTP/2, else HTTP/1.1 (RFC 7301).
const ALPN: &[u8] = b"\x02h2\x08http/1.1";

/// Connects to HTTPS servers and offers Token Binding to them. Sessions are resumed where the
/// server allows it; each connection has its own EKM all the same.
#[derive(Clone)]
pub struct Connector {
    https: HttpsConnector<HttpConnector>,
    binder: Arc<Binder>,
    deadline: Duration,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("binder", &self.binder)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

impl Connector {
    /// Offers these key types, the most preferred first, and trusts the certificate authorities of
    /// the system.
    ///
    /// # Errors
    /// [`Error::NoKeyTypes`], [`Error::Settings`].
    pub fn new(binder: Arc<Binder>, key_types: &[KeyType]) -> Result<Self, Error> {
        let mut context = SslConnector::builder(SslMethod::tls_client())?;
        context.set_alpn_protos(ALPN)?;
        Self::with_context(binder, Offer::new(key_types)?, context)
    }

    /// Connects by the caller's own context. Its ALPN decides between HTTP/1.1 and HTTP/2; its
    /// session cache is replaced.
    ///
    /// # Errors
    /// [`Error::Settings`].
    pub fn with_context(
        binder: Arc<Binder>,
        offer: Offer,
        mut context: SslConnectorBuilder,
    ) -> Result<Self, Error> {
        tls::offer(&mut context, offer)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Ok(Self {
            https: HttpsConnector::with_connector(tcp, context)?,
            binder,
            deadline: DEADLINE,
        })
    }

    /// Gives a connection this long, from the look-up of the name to the end of the handshake; 30
    /// seconds if nothing is said.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Connects to the server of an https URI.
    ///
    /// # Errors
    /// [`Error`]; the connection is closed if the server negotiates what it may not.
    pub async fn connect(&self, origin: &Uri) -> Result<Connected, Error> {
        if origin.scheme_str() != Some("https") {
            return Err(Error::NotHttps);
        }
        // The reason of a failed negotiation, which OpenSSL's own error does not tell.
        let reason: Arc<OnceLock<NegotiationError>> = Arc::default();
        let mut https = self.https.clone();
        let told = Arc::clone(&reason);
        https.set_callback(move |config, origin| {
            tls::report(config, Arc::clone(&told));
            name_address(config, origin)
        });
        let connecting = https.call(origin.clone());
        let stream = match tokio::time::timeout(self.deadline, connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(source)) => {
                let origin = origin.clone();
                return Err(match reason.get() {
                    Some(reason) => Error::Negotiation {
                        origin,
                        source: (*reason).into(),
                    },
                    None => Error::Connect { origin, source },
                });
            }
            Err(_) => {
                return Err(Error::Deadline {
                    origin: origin.clone(),
                    deadline: self.deadline,
                });
            }
        };
        let negotiation = |source: OutcomeError| Error::Negotiation {
            origin: origin.clone(),
            source,
        };
        let MaybeHttpsStream::Https(tls) = &stream else {
            return Err(Error::NotHttps);
        };
        let outcome = tls::outcome(tls.ssl()).map_err(negotiation)?;
        let info = ConnectionInfo {
            tls_version: tls.ssl().version_str(),
            resumed: tls.ssl().session_reused(),
            http2: is_http2(tls.ssl()),
            negotiated: outcome.as_ref().map(|bound| bound.negotiated),
            token_binding: outcome.map(|bound| {
                let binder = Arc::clone(&self.binder);
                let key_type = bound.negotiated.key_type;
                Arc::new(ClientConnection::new(binder, key_type, bound.ekm))
            }),
        };
        Ok(Connected {
            stream,
            info: Arc::new(info),
        })
    }
}

/// The certificate must name the address where the URI has an IPv6 address, which stands there in
/// brackets.
fn name_address(config: &mut ConnectConfiguration, origin: &Uri) -> Result<(), ErrorStack> {
    let host = origin.host().unwrap_or_default();
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    if let Some(address) = address.and_then(|address| address.parse::<Ipv6Addr>().ok()) {
        config.set_use_server_name_indication(false);
        config.set_verify_hostname(false);
        config.param_mut().set_ip(address.into())?;
    }
    Ok(())
}

fn is_http2(ssl: &SslRef) -> bool {
    ssl.selected_alpn_protocol() == Some(b"h2")
}

impl Service<Uri> for Connector {
    type Response = Connected;
    type Error = Error;
    type Future = BoxFuture<Result<Connected, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, origin: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(&origin).await })
    }
}

/// What is known of a connection: among the extensions of each response that came on it, as
/// `Arc<ConnectionInfo>`.
#[derive(Debug)]
pub struct ConnectionInfo {
    tls_version: &'static str,
    resumed: bool,
    http2: bool,
    negotiated: Option<Negotiated>,
    token_binding: Option<Arc<ClientConnection>>,
}

impl ConnectionInfo {
    /// `TLSv1.2` or `TLSv1.3`.
    #[must_use]
    pub const fn tls_version(&self) -> &'static str {
        self.tls_version
    }

    /// Whether the TLS session is one of an earlier connection.
    #[must_use]
    pub const fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// What was negotiated; `None` is a connection without Token Binding.
    #[must_use]
    pub const fn negotiated(&self) -> Option<Negotiated> {
        self.negotiated
    }

    /// The client's end of the connection where Token Binding was negotiated.
    #[must_use]
    pub const fn token_binding(&self) -> Option<&Arc<ClientConnection>> {
        self.token_binding.as_ref()
    }
}

/// A TLS connection, for hyper's `client::conn` to speak HTTP on.
pub struct Connected {
    stream: MaybeHttpsStream<TokioIo<TcpStream>>,
    info: Arc<ConnectionInfo>,
}

impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

impl Connected {
    /// What is known of it.
    #[must_use]
    pub const fn info(&self) -> &Arc<ConnectionInfo> {
        &self.info
    }

    /// Whether ALPN chose HTTP/2; HTTP/1.1 if it did not.
    #[must_use]
    pub fn is_http2(&self) -> bool {
        self.info.http2
    }
}

impl Read for Connected {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Connected {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
