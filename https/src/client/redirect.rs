//! Redirects, with the binding of the server that asks for it (RFC 8473 §5.3).

use std::{
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use http::{Request, Response, uri::Scheme};
use hyper::body::{Body, Incoming};
use tokenbinding::{
    connection::Referrer,
    header::{INCLUDE_REFERRED_TOKEN_BINDING_ID, refers},
};
use tower_http::follow_redirect::{
    FollowRedirect,
    policy::{Action, Attempt, FilterCredentials, Policy},
};
use tower_service::Service;

use super::{Client, Error, SentBinding};
use crate::{BoxError, BoxFuture};

/// The most redirects that are followed.
pub const MAX_REDIRECTS: usize = 20;

/// A [`Client`] that follows redirects, to https URIs alone: the response of any other comes to
/// the caller.
///
/// The request after a redirect with `Include-Referred-Token-Binding-ID: true` carries the
/// referred binding of the server that sent it, and no further request does. `Authorization` and
/// `Cookie` go to no other origin.
#[derive(Debug)]
pub struct FollowRedirects<B> {
    client: Client<B>,
}

impl<B> Clone for FollowRedirects<B> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
        }
    }
}

impl<B> FollowRedirects<B>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Clone + Default + Send + Unpin + 'static,
{
    /// Follows the redirects of `client`'s requests.
    #[must_use]
    pub const fn new(client: Client<B>) -> Self {
        Self { client }
    }

    /// Sends a request, and others for as long as redirects lead on. The last response has the
    /// [`RequestUri`](crate::RequestUri) that it is for among its extensions.
    ///
    /// # Errors
    /// As for [`Client::request`], and [`Error::TooManyRedirects`].
    pub async fn request(&self, request: Request<B>) -> Result<Response<Incoming>, Error> {
        let hop = Hop {
            client: self.client.clone(),
            referrer: Arc::default(),
        };
        let policy = Follow {
            left: MAX_REDIRECTS,
            credentials: FilterCredentials::new(),
        };
        FollowRedirect::with_policy(hop, policy)
            .preserve_extensions(false)
            .call(request)
            .await
    }
}

impl<B> Service<Request<B>> for FollowRedirects<B>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Clone + Default + Send + Sync + Unpin + 'static,
{
    type Response = Response<Incoming>;
    type Error = Error;
    type Future = BoxFuture<Result<Response<Incoming>, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { this.request(request).await })
    }
}

/// One request of a chain. Its clones are the others, and hand the referrer on.
#[derive(Debug)]
struct Hop<B> {
    client: Client<B>,
    /// Who is to be shown to the next server.
    referrer: Arc<Mutex<Option<Referrer>>>,
}

impl<B> Clone for Hop<B> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            referrer: Arc::clone(&self.referrer),
        }
    }
}

impl<B> Service<Request<B>> for Hop<B>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type Response = Response<Incoming>;
    type Error = Error;
    type Future = BoxFuture<Result<Response<Incoming>, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let hop = self.clone();
        Box::pin(async move {
            if let Some(referrer) = hop.take_referrer() {
                request.extensions_mut().insert(referrer);
            }
            let response = hop.client.request(request).await?;
            let sent = response.extensions().get::<SentBinding>();
            let values = response
                .headers()
                .get_all(INCLUDE_REFERRED_TOKEN_BINDING_ID);
            let values = values.iter().map(http::HeaderValue::as_bytes);
            if refers(response.status().as_u16(), sent.is_some(), values) {
                *hop.lock() = sent.map(SentBinding::referrer);
            }
            Ok(response)
        })
    }
}

impl<B> Hop<B> {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Referrer>> {
        self.referrer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_referrer(&self) -> Option<Referrer> {
        self.lock().take()
    }
}

#[derive(Clone, Debug)]
struct Follow {
    left: usize,
    credentials: FilterCredentials,
}

impl<B: Clone> Policy<B, Error> for Follow {
    fn redirect(&mut self, attempt: &Attempt<'_>) -> Result<Action, Error> {
        if attempt.location().scheme() != Some(&Scheme::HTTPS) {
            tracing::warn!(location = %attempt.location(), "a redirect that leaves HTTPS is not followed");
            return Ok(Action::Stop);
        }
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| Error::TooManyRedirects {
                limit: MAX_REDIRECTS,
                location: attempt.location().clone(),
            })?;
        Policy::<B, Error>::redirect(&mut self.credentials, attempt)
    }

    fn on_request(&mut self, request: &mut Request<B>) {
        Policy::<B, Error>::on_request(&mut self.credentials, request);
    }

    fn clone_body(&self, body: &B) -> Option<B> {
        Some(body.clone())
    }
}
