//! Clients that stall, drip or do not read: they hold up nobody, and are not waited for for ever.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod link;
mod site;
mod support;

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, routing::post};
use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokenbinding::{Binder, TokenBindingType, header, negotiation::Support};
use tokenbinding_backend::fake::FakeDevice;
use tokenbinding_https::server::{Acceptor, Limits, Server};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};

use self::{
    link::{HTTP1, HTTP2, Link, Serving},
    site::{NoBody, binder},
    support::{P256, VERSIONS},
};

/// What a test waits for what must come: far more than it takes.
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(200);
const URL: &str = "https://localhost/";

/// The header of a connection, by a key of its own.
fn header_of(link: &Link) -> String {
    let binder = binder(&FakeDevice::new("1"));
    let provided = TokenBindingType::Provided;
    let binding = binder.generate_binding(URL, P256, provided, &link.ekm());
    header::encode(&Binder::generate_message(&[binding.unwrap()]).unwrap())
}

/// A sound client is served.
async fn is_served(serving: &Serving) {
    let link = Link::open(serving, VERSIONS[1], HTTP2, &[P256]).await;
    let request = http::Request::get(URL).header("sec-token-binding", header_of(&link));
    let request = request.body(NoBody::new()).unwrap();
    assert_eq!(link.http().await.send(request).await.status(), 200);
}

/// A server that is about to end ends, whatever its clients do.
#[tokio::test]
async fn a_shutdown_does_not_wait_for_clients_that_ask_nothing() {
    let serving = Serving::of_bindings(Server::new).await;
    let mut links = Vec::new();
    for protocol in [HTTP1, HTTP2] {
        links.push(Link::open(&serving, VERSIONS[1], protocol, &[P256]).await);
    }
    let _stalled = TcpStream::connect(serving.address).await.unwrap();
    is_served(&serving).await;
    timeout(Limits::default().drain / 2, serving.stop())
        .await
        .unwrap();
}

/// The server closes a connection whose client waits for it.
async fn is_closed(stream: &mut (impl tokio::io::AsyncRead + Unpin)) {
    let mut rest = Vec::new();
    let end = timeout(LONG, stream.read_to_end(&mut rest)).await;
    // Whether in order or not is the server's choice.
    let _ = end.expect("the server closes the connection");
}

#[tokio::test]
async fn clients_that_stall_in_the_handshake_hold_up_nobody_and_are_closed() {
    let impatient = |acceptor: Acceptor| Server::new(acceptor.with_deadline(SHORT));
    let serving = Serving::of_bindings(impatient).await;
    let mut stalled = Vec::new();
    for count in 0..50 {
        let mut tcp = TcpStream::connect(serving.address).await.unwrap();
        // Nothing, or the beginning of a record with a ClientHello.
        let beginning = [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];
        tcp.write_all(&beginning[..count % (beginning.len() + 1)])
            .await
            .unwrap();
        stalled.push(tcp);
    }
    is_served(&serving).await;
    for tcp in &mut stalled {
        is_closed(tcp).await;
    }
}

#[tokio::test]
async fn what_is_no_tls_is_closed() {
    let serving = Serving::of_bindings(Server::new).await;
    for bytes in [
        &b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"[..],
        &[0; 64],
        &[0xff; 5],
    ] {
        let mut tcp = TcpStream::connect(serving.address).await.unwrap();
        tcp.write_all(bytes).await.unwrap();
        is_closed(&mut tcp).await;
    }
    is_served(&serving).await;
}

/// One byte at a time: each comes in time, the headers as a whole do not.
#[tokio::test]
async fn headers_that_drip_are_not_waited_for() {
    let mut limits = Limits::default();
    limits.header_time = SHORT;
    let impatient = |acceptor| Server::new(acceptor).with_limits(limits);
    let serving = Serving::of_bindings(impatient).await;
    let link = Link::open(&serving, VERSIONS[1], HTTP1, &[P256]).await;
    let (mut read, mut write) = tokio::io::split(link.stream);
    write
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ")
        .await
        .unwrap();
    let dripping = tokio::spawn(async move {
        let mut pace = tokio::time::interval(SHORT / 10);
        while write.write_all(b"x").await.is_ok() {
            pace.tick().await;
        }
    });
    is_served(&serving).await;
    is_closed(&mut read).await;
    dripping.abort();
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let mut limits = Limits::default();
    limits.idle = SHORT;
    let serving = Serving::of_bindings(|acceptor| Server::new(acceptor).with_limits(limits)).await;
    for protocol in [HTTP1, HTTP2] {
        let mut link = Link::open(&serving, VERSIONS[1], protocol, &[P256]).await;
        is_closed(&mut link.stream).await;
    }
}

/// Pieces of a body as somebody sends them.
struct Pieces(mpsc::Receiver<Bytes>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(cx)
            .map(|piece| Some(Ok(Frame::data(piece?))))
    }
}

/// A body without an end, which counts the pieces that are taken of it.
struct Endless {
    taken: Arc<AtomicUsize>,
    /// Closed when the body is dropped.
    _held: mpsc::Sender<()>,
}

const PIECE: usize = 16 * 1024;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.taken.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[0; PIECE])))))
    }
}

fn serving_with(app: Router) -> impl Future<Output = Serving> {
    serving_within(Limits::default(), app)
}

async fn serving_within(limits: Limits, app: Router) -> Serving {
    let context = Acceptor::builder(Support::default()).unwrap();
    Serving::start(context, app, |acceptor| {
        Server::new(acceptor).with_limits(limits)
    })
    .await
}

/// Each piece comes back before the next is sent: neither side waits for the whole of a body.
#[tokio::test]
async fn bodies_stream_in_both_directions() {
    let echo = post(async |request: Request| request.into_body());
    let serving = serving_with(Router::new().fallback_service(echo)).await;
    for protocol in [HTTP1, HTTP2] {
        let link = Link::open(&serving, VERSIONS[1], protocol, &[P256]).await;
        let request = http::Request::post(URL).header("sec-token-binding", header_of(&link));
        let (send, pieces) = mpsc::channel(1);
        let request = request.body(Pieces(pieces)).unwrap();
        let mut sender = link.http().await;
        send.send(Bytes::from_static(b"first")).await.unwrap();
        let response = sender.send(request).await;
        assert_eq!(response.status(), 200);
        let mut body = response.into_body();
        assert_eq!(next(&mut body).await, "first");
        for number in 0..200_u32 {
            let piece = Bytes::from(number.to_be_bytes().repeat(PIECE / 4));
            send.send(piece.clone()).await.unwrap();
            let mut back = Vec::new();
            while back.len() < piece.len() {
                back.extend_from_slice(&next(&mut body).await);
            }
            assert_eq!(back, piece);
        }
        drop(send);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "");
    }
}

async fn next(body: &mut Incoming) -> Bytes {
    body.frame().await.unwrap().unwrap().into_data().unwrap()
}

/// Answers at `/endless` without an end. The counter is of the pieces that were taken, and each
/// answer that is given up closes the channel.
fn endless() -> (Router, Arc<AtomicUsize>, mpsc::Receiver<()>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&taken);
    let (held, gone) = mpsc::channel(1);
    let body = Arc::new(Mutex::new(vec![held.clone(), held]));
    let answer = async move || {
        let held = body.lock().unwrap().pop().expect("two requests at most");
        let taken = Arc::clone(&counting);
        Body::new(Endless { taken, _held: held })
    };
    let app = Router::new()
        .route("/endless", axum::routing::get(answer))
        .fallback(async || "");
    (app, taken, gone)
}

/// A client of each protocol that has asked for an endless answer and reads none of it.
async fn ask_and_read_nothing(serving: &Serving) -> Vec<impl Sized + use<>> {
    let mut links = Vec::new();
    for protocol in [HTTP1, HTTP2] {
        let link = Link::open(serving, VERSIONS[1], protocol, &[P256]).await;
        let request = http::Request::get("https://localhost/endless");
        let request = request.header("sec-token-binding", header_of(&link));
        let mut sender = link.http().await;
        let response = sender.send(request.body(NoBody::new()).unwrap()).await;
        assert_eq!(response.status(), 200);
        links.push((sender, response));
    }
    links
}

#[tokio::test]
async fn a_client_that_does_not_read_takes_no_more_than_buffers() {
    let (app, taken, _gone) = endless();
    let serving = serving_with(app).await;
    let links = ask_and_read_nothing(&serving).await;
    for _ in 0..50 {
        is_served(&serving).await;
    }
    // Sockets, TLS and HTTP hold some; what matters is that it is not all that there is.
    let bytes = taken.load(Ordering::Relaxed) * PIECE;
    assert!(bytes < 32 * 1024 * 1024, "{bytes} bytes are under way");
    drop(links);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let mut limits = Limits::default();
    (limits.idle, limits.drain) = (SHORT, SHORT);
    let (app, _, mut gone) = endless();
    let serving = serving_within(limits, app).await;
    let links = ask_and_read_nothing(&serving).await;
    let end = timeout(LONG, gone.recv()).await;
    assert_eq!(end.expect("both answers are given up"), None);
    is_served(&serving).await;
    drop(links);
}

/// What the server has not made yet keeps no client waiting too long.
#[tokio::test]
async fn an_answer_that_takes_its_time_is_not_given_up() {
    let mut limits = Limits::default();
    (limits.idle, limits.drain) = (SHORT, SHORT);
    let (send, pieces) = mpsc::channel(1);
    let pieces = Arc::new(Mutex::new(Some(pieces)));
    let app = Router::new().fallback(async move || {
        let pieces = pieces.lock().unwrap().take();
        Body::new(Pieces(pieces.expect("one request")))
    });
    let serving = serving_within(limits, app).await;
    let link = Link::open(&serving, VERSIONS[1], HTTP2, &[P256]).await;
    let request = http::Request::get(URL).header("sec-token-binding", header_of(&link));
    let mut sender = link.http().await;
    let mut response = sender.send(request.body(NoBody::new()).unwrap()).await;
    for piece in ["first", "second"] {
        // As long as it takes an idle connection to be closed, twice.
        for _ in 0..2 {
            let mut idle = Link::open(&serving, VERSIONS[1], HTTP1, &[P256]).await;
            is_closed(&mut idle.stream).await;
        }
        send.send(Bytes::from_static(piece.as_bytes()))
            .await
            .unwrap();
        assert_eq!(next(response.body_mut()).await, piece);
    }
}
