//! The server against clients that break the rules, on real connections in HTTP/1.1 and HTTP/2.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod link;
mod site;
mod support;

use http::{Request, StatusCode};
use tokenbinding::{
    Binder, Config, Ekm, KeyType, ProviderChoice, TokenBindingType, header, negotiation::Support,
};
use tokenbinding_backend::fake::FakeDevice;
use tokenbinding_https::server::{Acceptor, Server, Unbound};

use self::{
    link::{HTTP1, HTTP2, Link, Sender, Serving},
    site::{NoBody, binder, text},
    support::{P256, VERSIONS},
};

const NAME: &str = "sec-token-binding";
const TARGET: &str = "https://localhost/";
const PROVIDED: TokenBindingType = TokenBindingType::Provided;
const REFERRED: TokenBindingType = TokenBindingType::Referred;

/// A header with these bindings, in this order, of one key.
fn header_of(binder: &Binder, types: &[TokenBindingType], kind: KeyType, ekm: &Ekm) -> String {
    let bind = |binding_type: &TokenBindingType| {
        let binding = binder.generate_binding(TARGET, kind, *binding_type, ekm);
        binding.unwrap()
    };
    let bindings: Vec<_> = types.iter().map(bind).collect();
    header::encode(&Binder::generate_message(&bindings).unwrap())
}

fn software() -> (tempfile::TempDir, Binder) {
    let store = tempfile::tempdir().unwrap();
    let config = Config {
        provider: Some(ProviderChoice::Software),
        store: Some(store.path().join("keys")),
        ..Config::default()
    };
    let binder = Binder::open(&config).unwrap();
    (store, binder)
}

/// The header with another first octet in its first binding: what was provided becomes referred.
fn with_type(header: &str, octet: u8) -> String {
    let mut message = header::decode(header).unwrap();
    message[2] = octet;
    header::encode(&message)
}

async fn ask(sender: &mut Sender, headers: &[(&str, &str)]) -> (StatusCode, String) {
    let mut request = Request::get(TARGET);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = sender.send(request.body(NoBody::new()).unwrap()).await;
    (response.status(), text(response).await)
}

/// What the attacker sends on a bound connection, and a part of what is said to it. The connection
/// is of use afterwards.
#[tokio::test]
async fn every_breach_is_400_and_the_connection_goes_on() {
    let serving = Serving::of_bindings(Server::new).await;
    let (_store, binder) = software();
    for version in VERSIONS {
        for protocol in [HTTP1, HTTP2] {
            let elsewhere = Link::open(&serving, version, protocol, &[P256]).await;
            let other_ekm = elsewhere.ekm();
            let link = Link::open(&serving, version, protocol, &[P256]).await;
            let ekm = link.ekm();
            let mut sender = link.http().await;
            let good = header_of(&binder, &[PROVIDED], P256, &ekm);
            let replayed = header_of(&binder, &[PROVIDED], P256, &other_ekm);
            let joined = format!("{good}, {good}");
            let referred = header_of(&binder, &[REFERRED], P256, &ekm);
            let both_provided = header_of(&binder, &[PROVIDED, PROVIDED], P256, &ekm);
            let both_referred = header_of(&binder, &[PROVIDED, REFERRED, REFERRED], P256, &ekm);
            let rsa = header_of(&binder, &[PROVIDED], KeyType::Rsa2048Pss, &ekm);
            let turned = with_type(&header_of(&binder, &[PROVIDED, REFERRED], P256, &ekm), 1);
            let other_type = with_type(&good, 77);
            let padded = format!("{good}=");
            for (headers, said) in [
                (vec![], "send Sec-Token-Binding"),
                (
                    vec![("Sec_Token_Binding", &*good)],
                    "send Sec-Token-Binding",
                ),
                (vec![(NAME, &*good), (NAME, &good)], "once"),
                (
                    vec![(NAME, &*good), ("SEC-TOKEN-BINDING", &replayed)],
                    "once",
                ),
                (vec![(NAME, &*joined)], "not base64url"),
                (vec![(NAME, &*padded)], "not base64url"),
                (vec![(NAME, "")], "malformed"),
                (vec![(NAME, &good[..184])], "malformed"),
                (vec![(NAME, &*replayed)], "not signed for this connection"),
                (vec![(NAME, &*referred)], "one provided binding"),
                (vec![(NAME, &*turned)], "one provided binding"),
                (vec![(NAME, &*other_type)], "one provided binding"),
                (vec![(NAME, &*both_provided)], "one provided binding"),
                (vec![(NAME, &*both_referred)], "one provided binding"),
                (vec![(NAME, &*rsa)], "other than the negotiated keys"),
            ] {
                let (status, body) = ask(&mut sender, &headers).await;
                assert_eq!(status, StatusCode::BAD_REQUEST, "{headers:?}: {body}");
                assert!(body.contains(said), "{headers:?}: {body}");
                let (status, body) = ask(&mut sender, &[(NAME, &good)]).await;
                assert_eq!((status, &*body), (StatusCode::OK, "provided\n"));
            }
            let both = header_of(&binder, &[PROVIDED, REFERRED], P256, &ekm);
            let (_, body) = ask(&mut sender, &[(NAME, &both)]).await;
            assert_eq!(body, "provided\nreferred\n");
        }
    }
}

/// What one connection has accepted is worth nothing on the next, whose EKM is another.
#[tokio::test]
async fn what_one_connection_accepted_another_rejects() {
    let serving = Serving::of_bindings(Server::new).await;
    let binder = binder(&FakeDevice::new("1"));
    for protocol in [HTTP1, HTTP2] {
        let one = Link::open(&serving, VERSIONS[1], protocol, &[P256]).await;
        let header = header_of(&binder, &[PROVIDED], P256, &one.ekm());
        let mut one = one.http().await;
        assert_eq!(ask(&mut one, &[(NAME, &header)]).await.0, StatusCode::OK);
        let other = Link::open(&serving, VERSIONS[1], protocol, &[P256]).await;
        let mut other = other.http().await;
        let (status, _) = ask(&mut other, &[(NAME, &header)]).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(ask(&mut one, &[(NAME, &header)]).await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_connection_without_token_binding_is_served_unbound_and_believed_nothing() {
    let serving = Serving::of_bindings(Server::new).await;
    let binder = binder(&FakeDevice::new("1"));
    let header = header_of(&binder, &[PROVIDED], P256, &Ekm::new([7; 32]));
    let claim = "AgBBQA35hcCjI5GEHLLAZ0i2l2ZvQe-bSPAP7jovkZJM4wYHgmmXNd1aRpnQmXK9ghUmrdtS6p_e2uSlMXIVKOIwgys";
    for version in VERSIONS {
        for protocol in [HTTP1, HTTP2] {
            let link = Link::open(&serving, version, protocol, &[]).await;
            let mut sender = link.http().await;
            let (status, body) = ask(&mut sender, &[(NAME, &header)]).await;
            assert_eq!(status, StatusCode::BAD_REQUEST);
            assert!(body.contains("was not negotiated"), "{body}");
            for claims in [
                vec![],
                vec![("sec-provided-token-binding-id", claim)],
                vec![("Sec_Token_Binding", &*header)],
            ] {
                let answer = ask(&mut sender, &claims).await;
                assert_eq!(answer, (StatusCode::OK, "unbound\n".to_owned()));
            }
        }
    }
    let refuse = |acceptor| Server::new(acceptor).with_unbound(Unbound::Refuse);
    let refusing = Serving::of_bindings(refuse).await;
    let link = Link::open(&refusing, VERSIONS[1], HTTP2, &[]).await;
    let (status, body) = ask(&mut link.http().await, &[]).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(body.contains("offer it"), "{body}");
}

#[tokio::test]
async fn headers_beyond_the_limit_are_refused_unread() {
    let serving = Serving::of_bindings(Server::new).await;
    for protocol in [HTTP1, HTTP2] {
        let link = Link::open(&serving, VERSIONS[1], protocol, &[P256]).await;
        let huge = "A".repeat(17_000);
        let (status, _) = ask(&mut link.http().await, &[(NAME, &huge)]).await;
        assert_eq!(status, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
}

/// The acceptor's own preference, not the client's, decides; both are served on one context.
#[tokio::test]
async fn a_server_may_prefer_and_restrict_key_types() {
    let (_store, binder) = software();
    let support = Support::new(&[KeyType::Rsa2048Pss, P256]).unwrap();
    let serving = Serving::start(
        Acceptor::builder(support).unwrap(),
        link::bindings(),
        Server::new,
    );
    let serving = serving.await;
    for (offer, kind) in [
        (&[P256, KeyType::Rsa2048Pss][..], KeyType::Rsa2048Pss),
        (&[P256], P256),
    ] {
        let link = Link::open(&serving, VERSIONS[1], HTTP2, offer).await;
        let header = header_of(&binder, &[PROVIDED], kind, &link.ekm());
        let (status, _) = ask(&mut link.http().await, &[(NAME, &header)]).await;
        assert_eq!(status, StatusCode::OK);
    }
}
