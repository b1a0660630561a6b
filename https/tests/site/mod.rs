//! Sites for a client to go to, on addresses of their own in the runtime of the test.
#![allow(dead_code, reason = "each test file uses what it needs")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Extension, Router, body::Body, extract::Request, response::Response};
use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use openssl::ssl::{SslConnector, SslConnectorBuilder, SslContextBuilder, SslMethod, SslVersion};
use tokenbinding::{
    Binder, KeyType, VerifiedBindings,
    key_map::KeyMap,
    negotiation::{Offer, Support},
};
use tokenbinding_backend::fake::FakeDevice;
use tokenbinding_https::{
    client::{Client, Connector},
    server::{Acceptor, Server},
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::support::{P256, certificate};

pub(crate) type NoBody = Empty<Bytes>;

/// A binder on a device in memory.
pub(crate) fn binder(device: &FakeDevice) -> Arc<Binder> {
    let map = KeyMap::in_memory().unwrap();
    Arc::new(Binder::with_backend(map, device.open()))
}

/// A client's context that trusts the test's certificate.
pub(crate) fn trusting() -> SslConnectorBuilder {
    let mut context = SslConnector::builder(SslMethod::tls_client()).unwrap();
    let mut store = openssl::x509::store::X509StoreBuilder::new().unwrap();
    store.add_cert(certificate().0.clone()).unwrap();
    context.set_cert_store(store.build());
    context.set_alpn_protos(b"\x02h2\x08http/1.1").unwrap();
    context
}

pub(crate) fn connector(binder: &Arc<Binder>, context: SslConnectorBuilder) -> Connector {
    let offer = Offer::new(&[P256]).unwrap();
    Connector::with_context(Arc::clone(binder), offer, context).unwrap()
}

pub(crate) fn client(binder: &Arc<Binder>) -> Client<NoBody> {
    Client::new(connector(binder, trusting()))
}

/// A context of one TLS version and one version of HTTP.
pub(crate) fn only(version: SslVersion, alpn: &[u8]) -> SslConnectorBuilder {
    let mut context = trusting();
    context.set_min_proto_version(Some(version)).unwrap();
    context.set_max_proto_version(Some(version)).unwrap();
    context.set_alpn_protos(alpn).unwrap();
    context
}

pub(crate) fn get(uri: &str) -> http::Request<NoBody> {
    http::Request::get(uri).body(Empty::new()).unwrap()
}

pub(crate) async fn text(response: http::Response<Incoming>) -> String {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

/// One request as a site saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Visit {
    pub(crate) path: String,
    pub(crate) provided: Option<String>,
    pub(crate) referred: Option<String>,
}

/// A server that notes its visits. `/to/URL` redirects there, `/refer/URL` asks for the referred
/// binding as well; everything else answers with the provided id.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    visits: Arc<Mutex<Vec<Visit>>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Site {
    pub(crate) async fn new() -> Self {
        Self::with(&[P256]).await
    }

    pub(crate) async fn with(key_types: &[KeyType]) -> Self {
        let support = Support::new(key_types).unwrap();
        let mut context = Acceptor::builder(support).unwrap();
        Self::certify(&mut context);
        Self::on("127.0.0.1:0", context.build().into_context()).await
    }

    pub(crate) fn certify(context: &mut SslContextBuilder) {
        let (certificate, key) = certificate();
        context.set_certificate(certificate).unwrap();
        context.set_private_key(key).unwrap();
    }

    pub(crate) async fn on(address: &str, context: openssl::ssl::SslContext) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let visits: Arc<Mutex<Vec<Visit>>> = Arc::default();
        let noting = Arc::clone(&visits);
        let app = Router::new().fallback(
            move |bindings: Option<Extension<Arc<VerifiedBindings>>>, request: Request| async move {
                let visit = visit(bindings.as_deref().map(|b| &**b), &request);
                noting.lock().unwrap().push(visit.clone());
                answer(&visit)
            },
        );
        let (stop, stopped) = oneshot::channel();
        let server = Server::new(Acceptor::new(context));
        let task = tokio::spawn(server.serve(listener, app, async move {
            let _ = stopped.await;
        }));
        Self {
            address,
            visits,
            stop,
            task,
        }
    }

    /// A URL of the site under a name of its own.
    pub(crate) fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.address.port())
    }

    pub(crate) fn visits(&self) -> Vec<Visit> {
        self.visits.lock().unwrap().clone()
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }
}

fn visit(bindings: Option<&VerifiedBindings>, request: &Request) -> Visit {
    let id = |binding: &tokenbinding::VerifiedBinding| binding.id().to_string();
    Visit {
        path: request.uri().path().to_owned(),
        provided: bindings.and_then(|bindings| bindings.provided().map(id)),
        referred: bindings.and_then(|bindings| bindings.referred().map(id)),
    }
}

fn answer(visit: &Visit) -> Response {
    let redirect = |to: &str, refer: Option<&str>| {
        let mut response = Response::builder()
            .status(StatusCode::FOUND)
            .header("location", to);
        if let Some(value) = refer {
            response = response.header("include-referred-token-binding-id", value);
        }
        response.body(Body::empty()).unwrap()
    };
    if let Some(to) = visit.path.strip_prefix("/to/") {
        redirect(to, None)
    } else if let Some(to) = visit.path.strip_prefix("/refer/") {
        redirect(to, Some("true"))
    } else if let Some(to) = visit.path.strip_prefix("/refer-wrongly/") {
        redirect(to, Some("yes"))
    } else {
        Response::new(Body::from(visit.provided.clone().unwrap_or_default()))
    }
}
