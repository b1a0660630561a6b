//! A server to attack, and connections to it whose requests are written by hand.
#![allow(dead_code, reason = "each test file uses what it needs")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::SocketAddr, pin::Pin};

use axum::Router;
use http::{Request, Response};
use http_body::Body;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use openssl::ssl::{SslAcceptorBuilder, SslContext, SslMethod, SslVersion};
use tokenbinding::{
    Ekm, KeyType, VerifiedBinding,
    negotiation::{Offer, Support},
};
use tokenbinding_https::{
    server::{Acceptor, Bound, Server},
    tls::{self, TokenBound},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tokio_openssl::SslStream;

use crate::{
    site::{NoBody, Site},
    support::certificate,
};

pub(crate) const HTTP1: &[u8] = b"\x08http/1.1";
pub(crate) const HTTP2: &[u8] = b"\x02h2";

/// A server in the runtime of the test. It ends with it.
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Serving {
    /// A server that tells each client its bindings.
    pub(crate) async fn of_bindings(server: impl FnOnce(Acceptor) -> Server) -> Self {
        let context = Acceptor::builder(Support::default()).unwrap();
        Self::start(context, bindings(), server).await
    }

    pub(crate) async fn start(
        mut context: SslAcceptorBuilder,
        app: Router,
        server: impl FnOnce(Acceptor) -> Server,
    ) -> Self {
        Site::certify(&mut context);
        let server = server(Acceptor::new(context.build().into_context()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.serve(listener, app, async move {
            let _ = stopped.await;
        }));
        Self {
            address,
            stop,
            task,
        }
    }

    /// Asks it to end, and waits until it has.
    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }
}

/// Answers with the types of the bindings, a line each, or `unbound`.
pub(crate) fn bindings() -> Router {
    Router::new().fallback(async |bound: Option<Bound>| {
        let Some(bound) = bound else {
            return "unbound\n".to_owned();
        };
        let line = |binding: &VerifiedBinding| format!("{}\n", binding.binding_type());
        bound.iter().map(line).collect()
    })
}

/// A TLS connection.
pub(crate) struct Link {
    pub(crate) stream: SslStream<TcpStream>,
    bound: Option<TokenBound>,
}

impl Link {
    /// Offers these key types; none of them is a client without Token Binding.
    pub(crate) async fn open(
        serving: &Serving,
        version: SslVersion,
        protocol: &[u8],
        offer: &[KeyType],
    ) -> Self {
        let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
        context.set_min_proto_version(Some(version)).unwrap();
        context.set_max_proto_version(Some(version)).unwrap();
        context
            .cert_store_mut()
            .add_cert(certificate().0.clone())
            .unwrap();
        context.set_verify(openssl::ssl::SslVerifyMode::PEER);
        context.set_alpn_protos(protocol).unwrap();
        if !offer.is_empty() {
            tls::offer(&mut context, Offer::new(offer).unwrap()).unwrap();
        }
        let ssl = openssl::ssl::Ssl::new(&context.build()).unwrap();
        let tcp = TcpStream::connect(serving.address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let mut stream = SslStream::new(ssl, tcp).unwrap();
        Pin::new(&mut stream).connect().await.unwrap();
        let bound = tls::outcome(stream.ssl()).unwrap();
        Self { stream, bound }
    }

    pub(crate) fn ekm(&self) -> Ekm {
        self.bound.as_ref().unwrap().ekm.clone()
    }

    /// Speaks HTTP in the version that ALPN chose.
    pub(crate) async fn http<B>(self) -> Sender<B>
    where
        B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
            + Send
            + Unpin
            + 'static,
    {
        let is_http2 = self.stream.ssl().selected_alpn_protocol() == Some(&HTTP2[1..]);
        let io = TokioIo::new(self.stream);
        if is_http2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            Sender::Http2(sender)
        } else {
            let (sender, connection) = http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            Sender::Http1(sender)
        }
    }
}

/// The sending end of a connection. Nothing is added to a request.
pub(crate) enum Sender<B = NoBody> {
    Http1(http1::SendRequest<B>),
    Http2(http2::SendRequest<B>),
}

impl<B: Body + 'static> Sender<B> {
    pub(crate) async fn send(&mut self, request: Request<B>) -> Response<Incoming> {
        match self {
            Self::Http1(sender) => {
                sender.ready().await.unwrap();
                sender.send_request(request).await.unwrap()
            }
            Self::Http2(sender) => {
                sender.ready().await.unwrap();
                sender.send_request(request).await.unwrap()
            }
        }
    }
}
