//! The server's side of RFC 8473: from a TCP connection to a handler that knows whose key signed.
//!
//! ```text
//! TCP ─► Acceptor ─► Connection ─► TokenBindingLayer ─► handler with VerifiedBindings
//!        TLS with a   what was      400 for what
//!        deadline     negotiated    RFC 8473 forbids
//! ```
//!
//! [`Server`] does all of it for a tower service. A server that accepts by itself uses the parts:
//! [`Acceptor`] or [`Connection::of`], the [`Connection`] in each request's extensions, and
//! [`TokenBindingLayer`] or [`check`].
//!
//! A handler of axum (feature `axum`) takes the bindings as an argument:
#![cfg_attr(feature = "axum", doc = "```no_run")]
#![cfg_attr(not(feature = "axum"), doc = "```ignore")]
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Router, routing::get};
//! use openssl::ssl::SslFiletype;
//! use tokenbinding::negotiation::Support;
//! use tokenbinding_https::server::{Acceptor, Bound, Server};
//!
//! /// Served to bound clients alone: others get 400.
//! async fn account(bound: Bound) -> String {
//!     format!("your key is {}\n", bound.provided().tbh())
//! }
//!
//! /// Served to all.
//! async fn home(bound: Option<Bound>) -> &'static str {
//!     if bound.is_some() { "bound\n" } else { "not bound\n" }
//! }
//!
//! let app = Router::new().route("/", get(home)).route("/account", get(account));
//! let mut context = Acceptor::builder(Support::default())?;
//! context.set_certificate_chain_file("chain.pem")?;
//! context.set_private_key_file("key.pem", SslFiletype::PEM)?;
//! let acceptor = Acceptor::new(context.build().into_context());
//! let listener = tokio::net::TcpListener::bind("[::]:443").await?;
//! let forever = std::future::pending();
//! Server::new(acceptor).serve(listener, app, forever).await;
//! # Ok(())
//! # }
//! ```
//!
//! What a server makes of the bindings: [`BoundTokens`] issues cookies that are good for one key,
//! [`confirmation_claim`] does so for JWTs, [`include_referred`] asks for a token from elsewhere,
//! and [`forward`] tells a server behind a proxy.

mod acceptor;
mod activity;
mod bound_tokens;
mod check;
mod connection;
#[cfg(feature = "axum")]
mod extract;
mod forward;
mod layer;
mod limits;
mod redirect;
mod serve;
#[cfg(test)]
mod tests;

#[cfg(feature = "axum")]
pub use self::extract::{Bound, NotBound};
pub use self::{
    acceptor::{AcceptError, Acceptor},
    bound_tokens::{BoundTokens, TokenError, check_confirmation, confirmation_claim},
    check::{Refusal, Unbound, check, strip_reserved},
    connection::Connection,
    forward::forward,
    layer::{ResponseFuture, TokenBindingLayer, TokenBindingService},
    limits::Limits,
    redirect::{NotARedirect, include_referred},
    serve::Server,
};
