//! Token Binding over HTTPS: negotiation in TLS 1.2 and 1.3 (RFC 8472) and the headers of HTTP/1.1
//! and HTTP/2 (RFC 8473), on OpenSSL, tokio and hyper.
//!
//! [`tls`] prepares any context of the `openssl` crate and says after the handshake what was
//! negotiated. [`client`] and [`server`] stand on it: the one sends requests that prove bindings,
//! the other hands each request to a handler with the bindings that it proved.

pub mod client;
pub mod server;
pub mod tls;

pub use tower_http::follow_redirect::RequestUri;

/// Any error.
type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// A future that can go to another thread.
type BoxFuture<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;
