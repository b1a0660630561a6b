//! Why a request fails.

use std::time::Duration;

use http::{HeaderName, Uri};
use openssl::error::ErrorStack;
use tokenbinding::negotiation::NoKeyTypes;

use crate::{BoxError, tls::OutcomeError};

/// Why a request fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URI names no server.
    #[error("the request's URI is not absolute: give one such as https://example.com/")]
    NotAbsolute,
    /// The URI is not of HTTPS.
    #[error("bindings go over HTTPS alone: give a URI that starts with https://")]
    NotHttps,
    /// The URI names a user.
    #[error("the URI holds a user's name: leave it out and send an Authorization header")]
    UserInfo,
    /// The request's Host is not the URI's.
    #[error("the Host header names another server than {origin}: leave it out")]
    OtherHost {
        /// What the URI names.
        origin: Uri,
    },
    /// The request has a header that this crate alone may write, or a proxy.
    #[error("the request already has the header {name}: leave it out, it is made here")]
    CallersHeader {
        /// The header.
        name: HeaderName,
    },
    /// OpenSSL does not take the settings.
    #[error("OpenSSL does not take the settings of the connection: {0}")]
    Settings(#[from] ErrorStack),
    /// There is nothing to offer.
    #[error(transparent)]
    NoKeyTypes(#[from] NoKeyTypes),
    /// The server cannot be reached, or TLS fails with it.
    #[error("cannot connect to {origin}: {}", chain(&**source))]
    Connect {
        /// The server.
        origin: Uri,
        /// Why.
        source: BoxError,
    },
    /// Connecting took too long.
    #[error("cannot connect to {origin} within {} s", deadline.as_secs())]
    Deadline {
        /// The server.
        origin: Uri,
        /// What it was given.
        deadline: Duration,
    },
    /// The server negotiates Token Binding where or as it may not: the connection was closed.
    #[error("closed the connection to {origin}: {source}")]
    Negotiation {
        /// The server.
        origin: Uri,
        /// What it did.
        source: OutcomeError,
    },
    /// There is no binding for the request, which was not sent.
    #[error(transparent)]
    Binding(#[from] tokenbinding::Error),
    /// HTTP fails.
    #[error("the request failed: {}", chain(.0))]
    Http(#[from] hyper::Error),
    /// The service below the layer fails.
    #[error("the request failed: {}", chain(&**.0))]
    Service(BoxError),
    /// Redirects do not end.
    #[error("more than {limit} redirects: the last leads to {location}")]
    TooManyRedirects {
        /// How many were followed.
        limit: usize,
        /// Where the last one leads.
        location: Uri,
    },
}

/// An error with its causes, which hyper and OpenSSL leave out of their own text.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
