//! The rules of RFC 8473 §2 as a tower layer.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body_util::{Either, Full};
use pin_project_lite::pin_project;
use tokenbinding::VerifiedBindings;
use tower_layer::Layer;
use tower_service::Service;

use super::{Connection, Refusal, Unbound, check, strip_reserved};

/// Verifies each request before its handler sees it.
///
/// It finds the request's [`Connection`] in its extensions, where [`Server`](super::Server) or
/// whoever accepts connections puts it, and refuses the request when there is none: a server that
/// forgets to say where a request came from serves nobody. A request that passes carries
/// `Arc<VerifiedBindings>` in its extensions if it is bound, and no header by which a client could
/// claim a binding ([`strip_reserved`]). One that does not is answered with the [`Refusal`]'s
/// status and text.
///
/// A signature is checked once for each connection and header value, in place: it takes less time
/// than handing it to another thread and back is worth.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenBindingLayer {
    unbound: Unbound,
}

impl TokenBindingLayer {
    /// Serves clients without Token Binding too.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves or refuses clients without Token Binding.
    #[must_use]
    pub const fn with_unbound(mut self, unbound: Unbound) -> Self {
        self.unbound = unbound;
        self
    }

    /// What becomes of a request: refused, or ready for its handler.
    fn admit<B>(self, request: &mut Request<B>) -> Result<(), Refusal> {
        let connection = request.extensions().get::<Connection>();
        let connection = connection.ok_or(Refusal::UnknownConnection)?;
        let bindings = check(connection, request.headers())?;
        strip_reserved(request.headers_mut());
        let extensions = request.extensions_mut();
        match (bindings, self.unbound) {
            (Some(bindings), _) => {
                extensions.insert(bindings);
            }
            (None, Unbound::Serve) => {
                extensions.remove::<Arc<VerifiedBindings>>();
            }
            (None, Unbound::Refuse) => return Err(Refusal::Unbound),
        }
        Ok(())
    }
}

impl<S> Layer<S> for TokenBindingLayer {
    type Service = TokenBindingService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TokenBindingService {
            inner,
            layer: *self,
        }
    }
}

/// A service behind a [`TokenBindingLayer`].
#[derive(Clone, Debug)]
pub struct TokenBindingService<S> {
    inner: S,
    layer: TokenBindingLayer,
}

impl<S, In, Out> Service<Request<In>> for TokenBindingService<S>
where
    S: Service<Request<In>, Response = Response<Out>>,
{
    type Response = Response<Either<Out, Full<Bytes>>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<In>) -> Self::Future {
        match self.layer.admit(&mut request) {
            Ok(()) => ResponseFuture::Served {
                future: self.inner.call(request),
            },
            Err(refusal) => ResponseFuture::Refused { refusal },
        }
    }
}

pin_project! {
    /// The response of a [`TokenBindingService`].
    #[derive(Debug)]
    #[project = Projected]
    #[allow(missing_docs, reason = "the type is public for the trait alone")]
    pub enum ResponseFuture<F> {
        Served { #[pin] future: F },
        Refused { refusal: Refusal },
    }
}

impl<F, Out, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<Out>, E>>,
{
    type Output = Result<Response<Either<Out, Full<Bytes>>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match self.project() {
            Projected::Served { future } => Ok(ready!(future.poll(cx))?.map(Either::Left)),
            Projected::Refused { refusal } => Ok(refused(*refusal).map(Either::Right)),
        })
    }
}

/// The response to a request that is refused.
fn refused(refusal: Refusal) -> Response<Full<Bytes>> {
    match refusal {
        Refusal::UnknownConnection => tracing::error!(
            "put a server::Connection into each request's extensions before TokenBindingLayer"
        ),
        Refusal::Rejected(rejection) => tracing::debug!(%rejection, "a request is refused"),
        _ => tracing::debug!(reason = %refusal, "a request is refused"),
    }
    let mut response = Response::new(Full::from(format!("{refusal}\n")));
    *response.status_mut() = refusal.status();
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}
