//! The client's side on hyper.
//!
//! ```no_run
//! # async fn example(binder: std::sync::Arc<tokenbinding::Binder>) -> Result<(), tokenbinding_https::client::Error> {
//! use bytes::Bytes;
//! use http_body_util::Empty;
//! use tokenbinding::KeyType;
//! use tokenbinding_https::client::{Client, Connector, SentBinding};
//!
//! let connector = Connector::new(binder, &[KeyType::EcdsaP256])?;
//! let client = Client::<Empty<Bytes>>::new(connector);
//! let request = http::Request::get("https://www.example.com/").body(Empty::new()).unwrap();
//! let response = client.request(request).await?;
//! if let Some(binding) = response.extensions().get::<SentBinding>() {
//!     println!("bound by {}", binding.key()?.id);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A [`Connector`] makes TLS connections that offer Token Binding; [`TokenBindingLayer`] puts the
//! header into the requests of one of them; a [`Client`] keeps connections, and [`FollowRedirects`]
//! shows a server's binding to the next one where the first asks for it. A request carries the
//! header of the connection that it is sent on, and never goes over plain HTTP.

mod connector;
mod error;
mod layer;
mod pool;
mod redirect;
mod sender;

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use tokenbinding::connection::Referrer;
use tower_service::Service;

pub use self::{
    connector::{Connected, ConnectionInfo, Connector},
    error::Error,
    layer::{SentBinding, TokenBindingLayer, TokenBindingService},
    redirect::{FollowRedirects, MAX_REDIRECTS},
};
use self::{pool::Pool, sender::Unsent};
use crate::{BoxError, BoxFuture};

/// Whether a request can be sent: [`Client::request`] refuses the same, after whatever the caller
/// prepares for it.
///
/// # Errors
/// [`Error`] of a URI that is not of https, or of a header that is not the caller's.
pub fn check<B>(request: &Request<B>) -> Result<(), Error> {
    layer::check(request).map(drop)
}

/// An HTTPS client that keeps its connections: HTTP/2 where the server speaks it, else HTTP/1.1.
/// Clones share the connections.
///
/// A response has [`ConnectionInfo`] among its extensions, and [`SentBinding`] if the request was
/// bound. Put a [`Referrer`] into a request's extensions to show another server's binding in it.
#[derive(Debug)]
pub struct Client<B> {
    connector: Connector,
    pool: Arc<Pool<B>>,
}

impl<B> Clone for Client<B> {
    fn clone(&self) -> Self {
        Self {
            connector: self.connector.clone(),
            pool: Arc::clone(&self.pool),
        }
    }
}

impl<B> Client<B>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    /// A client on the connections of `connector`.
    #[must_use]
    pub fn new(connector: Connector) -> Self {
        Self {
            connector,
            pool: Arc::default(),
        }
    }

    /// Sends a request with an absolute https URI. The response's body comes as it is read.
    ///
    /// A request that meets a connection the server has just closed is sent on another one, if
    /// nothing of it was sent.
    ///
    /// # Errors
    /// [`Error`]. A key that cannot sign fails the request: it is not sent unbound.
    pub async fn request(&self, mut request: Request<B>) -> Result<Response<Incoming>, Error> {
        let origin = layer::check(&request)?;
        let referrer = request.extensions_mut().remove::<Referrer>();
        loop {
            let mut connection = self.pool.connection(&self.connector, &origin).await?;
            let info = Arc::clone(connection.info());
            let bound = info.token_binding();
            let sent = layer::bind(&mut request, &origin, bound, referrer.as_ref()).await?;
            match connection.send(request).await {
                Ok(mut response) => {
                    self.pool.give_back(&origin, connection);
                    response.extensions_mut().insert(info);
                    if let Some(sent) = sent {
                        response.extensions_mut().insert(sent);
                    }
                    return Ok(response);
                }
                Err(Unsent::Nothing(unsent)) if connection.was_kept() => {
                    request = *unsent;
                    layer::unbind(&mut request);
                }
                Err(unsent) => return Err(unsent.into()),
            }
        }
    }
}

impl<B> Service<Request<B>> for Client<B>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type Response = Response<Incoming>;
    type Error = Error;
    type Future = BoxFuture<Result<Response<Incoming>, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let client = self.clone();
        Box::pin(async move { client.request(request).await })
    }
}
