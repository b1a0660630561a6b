//! The bindings of a request as an argument of axum's handlers.

use std::{ops::Deref, sync::Arc};

use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use tokenbinding::{VerifiedBinding, VerifiedBindings};

/// The verified bindings of a request. As an argument, `Bound` refuses an unbound request with 400,
/// and `Option<Bound>` leaves it to the handler.
#[derive(Clone, Debug)]
pub struct Bound(Arc<VerifiedBindings>);

impl Bound {
    /// The provided binding: the client's key for this server.
    #[must_use]
    #[allow(clippy::missing_panics_doc, reason = "`bound` makes none without")]
    pub fn provided(&self) -> &VerifiedBinding {
        self.0.provided().expect("`bound` makes none without")
    }
}

/// All of the request's bindings.
impl Deref for Bound {
    type Target = VerifiedBindings;

    fn deref(&self) -> &VerifiedBindings {
        &self.0
    }
}

/// The request is not bound, and its handler serves bound requests alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this resource asks for Token Binding (RFC 8472): offer it in the TLS handshake")]
pub struct NotBound;

impl IntoResponse for NotBound {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, format!("{self}\n")).into_response()
    }
}

fn bound(parts: &Parts) -> Option<Bound> {
    let bindings = parts.extensions.get::<Arc<VerifiedBindings>>();
    let bindings = bindings.filter(|bindings| bindings.provided().is_some());
    bindings.map(Arc::clone).map(Bound)
}

impl<S: Sync> FromRequestParts<S> for Bound {
    type Rejection = NotBound;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotBound> {
        bound(parts).ok_or(NotBound)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Bound {
    type Rejection = NotBound;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, NotBound> {
        Ok(bound(parts))
    }
}
