//! Token Binding over HTTPS: negotiation in TLS 1.2 and 1.3 (RFC 8472) and the headers of HTTP/1.1
//! and HTTP/2 (RFC 8473), on OpenSSL, tokio and hyper.
//!
//! [`tls`] prepares any context of the `openssl` crate and says after the handshake what was
//! negotiated. [`server`] stands on it: it accepts connections and hands each request to a handler
//! with the bindings that it proved.

pub mod server;
pub mod tls;
