//! The client against servers with and without Token Binding.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod site;
mod support;

use std::{sync::Arc, time::Duration};

use hyper_util::rt::TokioExecutor;
use openssl::ssl::ExtensionContext;
use tokenbinding::negotiation::NegotiationError;
use tokenbinding_backend::{
    ErrorKind,
    fake::{FakeDevice, Fault, FaultKind},
};
use tokenbinding_https::{
    client::{Client, ConnectionInfo, Error, SentBinding, TokenBindingLayer},
    tls::OutcomeError,
};
use tokio::{io::AsyncReadExt as _, net::TcpListener};
use tower_layer::Layer as _;
use tower_service::Service as _;

use self::{
    site::{NoBody, Site, binder, client, connector, get, only, text, trusting},
    support::{P256, VERSIONS, server},
};

const H2: &[u8] = b"\x02h2";
const HTTP1: &[u8] = b"\x08http/1.1";

fn info(response: &http::Response<hyper::body::Incoming>) -> &ConnectionInfo {
    response.extensions().get::<Arc<ConnectionInfo>>().unwrap()
}

#[tokio::test]
async fn every_version_of_tls_and_http_carries_the_binding() {
    let site = Site::new().await;
    let binder = binder(&FakeDevice::new("1"));
    for version in VERSIONS {
        for alpn in [H2, HTTP1] {
            let client = Client::new(connector(&binder, only(version, alpn)));
            let response = client
                .request(get(&site.url("localhost", "/")))
                .await
                .unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(info(&response).negotiated().unwrap().key_type, P256);
            let http2 = response.version() == http::Version::HTTP_2;
            assert_eq!(http2, alpn == H2);
            let sent = response.extensions().get::<SentBinding>().unwrap();
            let id = sent.key().unwrap().id.to_string();
            assert_eq!(text(response).await, id);
        }
    }
}

#[tokio::test]
async fn a_connection_signs_once_however_many_requests_it_carries() {
    let site = Site::new().await;
    let device = FakeDevice::new("1");
    let binder = binder(&device);
    let url = site.url("localhost", "/");
    binder.id(&url, P256).unwrap();
    for (alpn, together) in [(H2, 50), (HTTP1, 1)] {
        device.inject([]);
        let client = Client::new(connector(&binder, only(VERSIONS[1], alpn)));
        for _ in 0..3 {
            let requests: Vec<_> = (0..together)
                .map(|_| {
                    let (client, url) = (client.clone(), url.clone());
                    tokio::spawn(async move {
                        let response = client.request(get(&url)).await.unwrap();
                        assert!(!text(response).await.is_empty());
                    })
                })
                .collect();
            for request in requests {
                request.await.unwrap();
            }
        }
        assert_eq!(device.calls(), 1);
    }
}

#[tokio::test]
async fn a_resumed_session_is_bound_anew() {
    let site = Site::new().await;
    for version in VERSIONS {
        let device = FakeDevice::new("1");
        let binder = binder(&device);
        let url = site.url("localhost", "/");
        binder.id(&url, P256).unwrap();
        device.inject([]);
        let connector = connector(&binder, only(version, HTTP1));
        let first = Client::new(connector.clone())
            .request(get(&url))
            .await
            .unwrap();
        assert!(!info(&first).is_resumed());
        let id = text(first).await;
        let second = Client::new(connector).request(get(&url)).await.unwrap();
        assert!(info(&second).is_resumed());
        assert_eq!(text(second).await, id);
        assert_eq!(device.calls(), 2, "one signature for each connection");
    }
}

#[tokio::test]
async fn a_server_without_token_binding_is_served_without_a_header() {
    let mut context = server();
    context.set_alpn_select_callback(|_, offered| {
        openssl::ssl::select_next_proto(HTTP1, offered).ok_or(openssl::ssl::AlpnError::NOACK)
    });
    let site = Site::on("127.0.0.1:0", context.build()).await;
    let device = FakeDevice::new("1");
    let client = client(&binder(&device));
    let response = client
        .request(get(&site.url("localhost", "/")))
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    assert!(info(&response).negotiated().is_none());
    assert!(response.extensions().get::<SentBinding>().is_none());
    assert_eq!(site.visits()[0].provided, None);
    assert_eq!(device.calls(), 0);
}

#[tokio::test]
async fn hosts_that_share_a_connection_have_their_own_keys() {
    let site = Site::new().await;
    let binder = binder(&FakeDevice::new("1"));
    let connector = connector(&binder, only(VERSIONS[1], H2));
    let origin = site.url("localhost", "/").parse().unwrap();
    let connected = connector.connect(&origin).await.unwrap();
    let bound = connected.info().token_binding().cloned();
    let (sender, task) =
        hyper::client::conn::http2::handshake::<_, _, NoBody>(TokioExecutor::new(), connected)
            .await
            .unwrap();
    let task = tokio::spawn(task);
    let send = tower::service_fn(move |request| sender.clone().send_request(request));
    let mut service = TokenBindingLayer::new(bound).layer(send);
    let mut ids = Vec::new();
    for host in ["localhost", "127.0.0.1", "localhost"] {
        let url = site.url(host, "/");
        let response = service.call(get(&url)).await.unwrap();
        let id = text(response).await;
        assert_eq!(id, binder.id(&url, P256).unwrap().id.to_string());
        ids.push(id);
    }
    assert_ne!(ids[0], ids[1]);
    drop(service);
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_key_that_cannot_sign_fails_the_request_before_it_is_sent() {
    let site = Site::new().await;
    let device = FakeDevice::new("1");
    let client = client(&binder(&device));
    let kind = FaultKind::Fails(ErrorKind::DeviceRemoved);
    device.inject((0..10).map(|call| Fault { call, kind }));
    let refused = client.request(get(&site.url("localhost", "/"))).await;
    assert!(matches!(refused, Err(Error::Binding(_))), "{refused:?}");
    assert!(site.visits().is_empty());
    device.inject([]);
    let response = client
        .request(get(&site.url("localhost", "/")))
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a_callers_own_header_is_refused_before_anything_is_sent() {
    let site = Site::new().await;
    let client = client(&binder(&FakeDevice::new("1")));
    let mut request = get(&site.url("localhost", "/"));
    let forged = http::HeaderValue::from_static("AA");
    request.headers_mut().insert("Sec-Token-Binding", forged);
    let refused = client.request(request).await;
    assert!(matches!(refused, Err(Error::CallersHeader { .. })));
    let plain = format!("http://localhost:{}/", site.address.port());
    let refused = client.request(get(&plain)).await;
    assert!(matches!(refused, Err(Error::NotHttps)));
    assert!(site.visits().is_empty());
}

#[tokio::test]
async fn a_connection_that_the_server_closed_meanwhile_costs_no_request() {
    for alpn in [H2, HTTP1] {
        let binder = binder(&FakeDevice::new("1"));
        let client = Client::new(connector(&binder, only(VERSIONS[1], alpn)));
        let site = Site::new().await;
        let (url, address) = (site.url("localhost", "/"), site.address.to_string());
        let first = text(client.request(get(&url)).await.unwrap()).await;
        site.stop().await;
        let mut context = tokenbinding_https::server::Acceptor::builder(
            tokenbinding::negotiation::Support::default(),
        )
        .unwrap();
        Site::certify(&mut context);
        let site = Site::on(&address, context.build().into_context()).await;
        let second = text(client.request(get(&url)).await.unwrap()).await;
        assert_eq!(first, second);
        assert_eq!(site.visits().len(), 1);
    }
}

#[tokio::test]
async fn an_ipv6_address_is_what_the_certificate_must_name() {
    let support = tokenbinding::negotiation::Support::default();
    let mut context = tokenbinding_https::server::Acceptor::builder(support).unwrap();
    Site::certify(&mut context);
    let site = Site::on("[::1]:0", context.build().into_context()).await;
    let client = client(&binder(&FakeDevice::new("1")));
    let response = client.request(get(&site.url("[::1]", "/"))).await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a_server_that_chooses_what_was_not_offered_is_left_with_the_reason() {
    let mut context = server();
    context
        .add_custom_ext(
            24,
            ExtensionContext::CLIENT_HELLO | ExtensionContext::TLS1_3_ENCRYPTED_EXTENSIONS,
            |_, _, _| Ok(Some([1, 0, 1, 0])),
            |_, _, _, _| Ok(()),
        )
        .unwrap();
    let site = Site::on("127.0.0.1:0", context.build()).await;
    let client = client(&binder(&FakeDevice::new("1")));
    let refused = client.request(get(&site.url("localhost", "/"))).await;
    let Err(Error::Negotiation { source, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert!(matches!(
        source,
        OutcomeError::Negotiation(NegotiationError::KeyParameters { .. })
    ));
}

#[tokio::test]
async fn a_server_that_is_silent_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let silent = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = Vec::new();
        let _ = stream.read_to_end(&mut hello).await;
        hello.len()
    });
    let connector = connector(&binder(&FakeDevice::new("1")), trusting());
    let client = Client::new(connector.with_deadline(Duration::from_millis(50)));
    let refused = client
        .request(get(&format!("https://localhost:{port}/")))
        .await;
    assert!(
        matches!(refused, Err(Error::Deadline { .. })),
        "{refused:?}"
    );
    assert_ne!(silent.await.unwrap(), 0);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let site = Site::new().await;
    let connector =
        tokenbinding_https::client::Connector::new(binder(&FakeDevice::new("1")), &[P256]);
    let client = Client::<NoBody>::new(connector.unwrap());
    let refused = client.request(get(&site.url("localhost", "/"))).await;
    let told = refused.unwrap_err().to_string();
    assert!(told.contains("certificate verify failed"), "{told}");
    assert!(site.visits().is_empty());
}
