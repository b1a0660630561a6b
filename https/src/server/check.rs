//! The rules of RFC 8473 §2 for one request, apart from any server.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use tokenbinding::{Rejection, VerifiedBindings, header::SEC_TOKEN_BINDING, ttrp::is_reserved};

use super::Connection;

/// What to do with requests on connections on which Token Binding was not negotiated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Unbound {
    /// Serve them without bindings: handlers decide by themselves what such clients may have.
    #[default]
    Serve,
    /// Refuse them with 403. The request is sound HTTP, so 400 would be wrong: what is missing is
    /// the client's ability.
    Refuse,
}

/// Why a request is not served. The texts are fixed: nothing that a client sent is sent back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Token Binding was negotiated and the request has no `Sec-Token-Binding`.
    #[error("Token Binding was negotiated on this connection: send Sec-Token-Binding")]
    Missing,
    /// There is more than one `Sec-Token-Binding`.
    #[error("send Sec-Token-Binding once")]
    Repeated,
    /// The value is not that of one sound message for this connection.
    #[error("{}", fixed_text(.0))]
    Rejected(#[source] Rejection),
    /// The request has a `Sec-Token-Binding` that nothing can be checked against.
    #[error("Token Binding was not negotiated on this connection: do not send Sec-Token-Binding")]
    NotNegotiated,
    /// This server serves bound clients alone.
    #[error("this server asks for Token Binding (RFC 8472): offer it in the TLS handshake")]
    Unbound,
    /// The server's own fault: the request does not say on which connection it came.
    #[error("this server does not know the request's connection")]
    UnknownConnection,
}

const fn fixed_text(rejection: &Rejection) -> &'static str {
    match rejection {
        Rejection::Header(_) => "Sec-Token-Binding is not base64url of a message",
        Rejection::Malformed(_) => "Sec-Token-Binding is malformed",
        Rejection::BadSignature { .. } => "Sec-Token-Binding is not signed for this connection",
        Rejection::NotNegotiated { .. } => "Sec-Token-Binding has other than the negotiated keys",
        Rejection::NoProvidedBinding
        | Rejection::SeveralProvidedBindings { .. }
        | Rejection::SeveralReferredBindings { .. } => {
            "Sec-Token-Binding must hold one provided binding and at most one referred"
        }
    }
}

impl Refusal {
    /// The status of the response: 400 for what RFC 8473 forbids, 403 for [`Refusal::Unbound`] and
    /// 500 for [`Refusal::UnknownConnection`].
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Unbound => StatusCode::FORBIDDEN,
            Self::UnknownConnection => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Checks a request's headers against its connection. `None` is a request on a connection without
/// Token Binding.
///
/// # Errors
/// [`Refusal`].
pub fn check(
    connection: &Connection,
    headers: &HeaderMap,
) -> Result<Option<Arc<VerifiedBindings>>, Refusal> {
    let mut values = headers.get_all(SEC_TOKEN_BINDING).iter();
    match (connection.token_binding(), values.next(), values.next()) {
        (_, Some(_), Some(_)) => Err(Refusal::Repeated),
        (None, None, _) => Ok(None),
        (None, Some(_), _) => Err(Refusal::NotNegotiated),
        (Some(_), None, _) => Err(Refusal::Missing),
        (Some(connection), Some(value), None) => {
            // What is no text is no base64url; the verifier says so at the first such byte.
            let value = String::from_utf8_lossy(value.as_bytes());
            let bindings = connection.verify_header(&value);
            bindings.map(Some).map_err(Refusal::Rejected)
        }
    }
}

/// Removes the headers by which a client could claim a binding that it has not proven
/// ([`is_reserved`]): `Sec-Token-Binding` itself and those that proxies write.
pub fn strip_reserved(headers: &mut HeaderMap) {
    let reserved = |name: &&http::HeaderName| is_reserved(name.as_str());
    let names: Vec<_> = headers.keys().filter(reserved).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}
