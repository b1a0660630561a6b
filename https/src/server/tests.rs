//! The rules for one request, without a network.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use tokenbinding::{
    Binder, Ekm, KeyType, VerifiedBindings,
    connection::{ClientConnection, ServerConnection},
    key_map::KeyMap,
};
use tokenbinding_backend::fake::FakeDevice;
use tower_layer::Layer as _;
use tower_service::Service;

use super::*;

const P256: KeyType = KeyType::EcdsaP256;

/// A header that a new key makes for the connection whose EKM is all `ekm`.
fn header(ekm: u8) -> String {
    let map = KeyMap::in_memory().unwrap();
    let binder = Arc::new(Binder::with_backend(map, FakeDevice::new("1").open()));
    let client = ClientConnection::new(binder, P256, Ekm::new([ekm; 32]));
    client.header("https://example.com/").unwrap().to_string()
}

fn connection(ekm: u8) -> ServerConnection {
    ServerConnection::new(P256, Ekm::new([ekm; 32]))
}

/// The bindings of a new key.
pub(super) fn bindings(ekm: u8) -> VerifiedBindings {
    let verified = connection(ekm).verify_header(&header(ekm)).unwrap();
    Arc::unwrap_or_clone(verified)
}

/// Answers with what it sees.
#[derive(Clone)]
struct Seen;

impl Service<Request<()>> for Seen {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let bindings = request.extensions().get::<Arc<VerifiedBindings>>();
        let tbh = bindings.and_then(|bindings| Some(bindings.provided()?.tbh()));
        let tbh = tbh.map_or("none".to_owned(), |tbh| tbh.to_string());
        let names: Vec<_> = request
            .headers()
            .keys()
            .map(http::HeaderName::as_str)
            .collect();
        ready(Ok(Response::new(format!("{tbh} {}", names.join(" ")))))
    }
}

fn ask(layer: TokenBindingLayer, request: Request<()>) -> (StatusCode, String) {
    let mut future = std::pin::pin!(layer.layer(Seen).call(request));
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut cx) else {
        panic!("nothing to wait for");
    };
    let (parts, body) = response.into_parts();
    let mut body = std::pin::pin!(body.collect());
    let Poll::Ready(Ok(body)) = body.as_mut().poll(&mut cx) else {
        panic!("nothing to wait for");
    };
    let text = String::from_utf8(body.to_bytes().to_vec()).unwrap();
    (parts.status, text)
}

fn request(connection: Option<Connection>, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder();
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(()).unwrap();
    if let Some(connection) = connection {
        request.extensions_mut().insert(connection);
    }
    request
}

#[test]
fn a_verified_request_reaches_its_handler_with_its_bindings_and_no_claims() {
    let header = header(1);
    let server = connection(1);
    let tbh = server.verify_header(&header).unwrap();
    let tbh = tbh.provided().unwrap().tbh();
    let request = request(
        Some(server.into()),
        &[
            ("Sec-Token-Binding", &header),
            ("Sec-Provided-Token-Binding-ID", "claimed"),
            ("SEC_REFERRED_TOKEN_BINDING_ID", "claimed"),
            ("Accept", "text/plain"),
        ],
    );
    let answer = ask(TokenBindingLayer::new(), request);
    assert_eq!(answer, (StatusCode::OK, format!("{tbh} accept")));
}

#[test]
fn every_breach_of_the_rules_is_400_and_says_which() {
    let (good, other) = (header(1), header(2));
    let last = good.len() - 1;
    let bound = || Some(Connection::from(connection(1)));
    let name = "Sec-Token-Binding";
    for (connection, headers, text) in [
        (bound(), vec![], "send Sec-Token-Binding"),
        (bound(), vec![(name, &*good), (name, &good)], "once"),
        (bound(), vec![(name, "")], "malformed"),
        (bound(), vec![(name, "<script>")], "not base64url"),
        (bound(), vec![(name, "\u{e9}\u{e9}")], "not base64url"),
        (bound(), vec![(name, "AAAA")], "malformed"),
        (bound(), vec![(name, &good[..last])], "not base64url"),
        (bound(), vec![(name, &other)], "not signed for this"),
        (
            Some(ServerConnection::new(KeyType::Rsa2048Pss, Ekm::new([1; 32])).into()),
            vec![(name, &*good)],
            "negotiated keys",
        ),
        (
            Some(Connection::unbound()),
            vec![(name, &*good)],
            "not negotiated",
        ),
    ] {
        let (status, body) = ask(TokenBindingLayer::new(), request(connection, &headers));
        assert_eq!(status, StatusCode::BAD_REQUEST, "{headers:?}");
        assert!(body.contains(text), "{headers:?}: {body}");
        assert!(
            !body.contains("script"),
            "what was sent is sent back: {body}"
        );
    }
}

#[test]
fn unbound_clients_are_served_without_bindings_or_refused() {
    let claim = [("sec-provided-token-binding-id", "claimed")];
    let unbound = || request(Some(Connection::unbound()), &claim);
    let served = ask(TokenBindingLayer::new(), unbound());
    assert_eq!(served, (StatusCode::OK, "none ".to_owned()));
    let strict = TokenBindingLayer::new().with_unbound(Unbound::Refuse);
    assert_eq!(ask(strict, unbound()).0, StatusCode::FORBIDDEN);
}

#[test]
fn bindings_that_another_hand_left_in_the_extensions_do_not_pass() {
    let mut request = request(Some(Connection::unbound()), &[]);
    request.extensions_mut().insert(Arc::new(bindings(1)));
    let served = ask(TokenBindingLayer::new(), request);
    assert_eq!(served, (StatusCode::OK, "none ".to_owned()));
}

#[test]
fn a_request_of_an_unknown_connection_is_never_served() {
    let header = header(1);
    for headers in [vec![], vec![("sec-token-binding", &*header)]] {
        let (status, _) = ask(TokenBindingLayer::new(), request(None, &headers));
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    }
}
