//! The two ends of one TLS connection on which Token Binding was negotiated.
//!
//! Each end owns the connection's EKM, so that what it remembers can never be used for another
//! connection: a client signs once for each target, and a server checks each header value once.

mod client;
mod server;

pub use client::{ClientConnection, Referrer};
pub use server::ServerConnection;
