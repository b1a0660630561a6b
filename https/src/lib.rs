//! Token Binding over HTTPS: negotiation in TLS 1.2 and 1.3 (RFC 8472) and the headers of HTTP/1.1
//! and HTTP/2 (RFC 8473), on OpenSSL, tokio and hyper.
//!
//! [`tls`] prepares any context of the `openssl` crate and says after the handshake what was
//! negotiated. [`client`] is a client on hyper.

pub mod client;
pub mod tls;

/// Any error.
type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// A future that can go to another thread.
type BoxFuture<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;
