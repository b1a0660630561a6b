//! One connection that requests are sent on.

use std::sync::Arc;

use http::{HeaderValue, Request, Response, Uri, Version, header::HOST, uri::PathAndQuery};
use hyper::{
    body::{Body, Incoming},
    client::conn::{TrySendError, http1, http2},
};
use hyper_util::rt::TokioExecutor;

use super::{Connected, ConnectionInfo, Error};
use crate::BoxError;

/// The sending end of a connection. The other end is a task that lives until the connection is
/// closed.
#[derive(Debug)]
pub(super) struct Connection<B> {
    sender: Sender<B>,
    info: Arc<ConnectionInfo>,
    /// Whether it was kept from an earlier request, so that the server may have closed it since.
    kept: bool,
}

#[derive(Debug)]
enum Sender<B> {
    Http1(http1::SendRequest<B>),
    Http2(http2::SendRequest<B>),
}

/// Why there is no response.
pub(super) enum Unsent<B> {
    /// The connection was closed before anything of the request was sent.
    Nothing(Box<Request<B>>),
    /// Something went wrong later.
    Error(hyper::Error),
}

impl<B> From<Unsent<B>> for Error {
    fn from(unsent: Unsent<B>) -> Self {
        match unsent {
            Unsent::Nothing(request) => Self::Connect {
                origin: request.uri().clone(),
                source: "the server closed the new connection at once".into(),
            },
            Unsent::Error(error) => Self::Http(error),
        }
    }
}

impl<B> From<TrySendError<Request<B>>> for Unsent<B> {
    fn from(mut error: TrySendError<Request<B>>) -> Self {
        match error.take_message() {
            Some(request) => Self::Nothing(Box::new(request)),
            None => Self::Error(error.into_error()),
        }
    }
}

impl<B> Connection<B>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    /// Starts HTTP on a TLS connection, in the version that ALPN chose.
    pub(super) async fn start(connected: Connected) -> Result<Self, Error> {
        let info = Arc::clone(connected.info());
        let sender = if connected.is_http2() {
            let (sender, task) = http2::handshake(TokioExecutor::new(), connected).await?;
            tokio::spawn(async move { note_end(task.await) });
            Sender::Http2(sender)
        } else {
            let (sender, task) = http1::handshake(connected).await?;
            tokio::spawn(async move { note_end(task.await) });
            Sender::Http1(sender)
        };
        Ok(Self {
            sender,
            info,
            kept: false,
        })
    }

    pub(super) async fn send(
        &mut self,
        mut request: Request<B>,
    ) -> Result<Response<Incoming>, Unsent<B>> {
        match &mut self.sender {
            Sender::Http1(sender) => {
                let uri = into_http1(&mut request);
                match sender.try_send_request(request).await {
                    Ok(response) => Ok(response),
                    Err(error) => Err(match error.into() {
                        Unsent::Nothing(mut request) => {
                            *request.uri_mut() = uri;
                            Unsent::Nothing(request)
                        }
                        failed => failed,
                    }),
                }
            }
            Sender::Http2(sender) => {
                request.headers_mut().remove(HOST);
                *request.version_mut() = Version::HTTP_2;
                sender.try_send_request(request).await.map_err(Unsent::from)
            }
        }
    }
}

/// HTTP/1.1 sends the path alone and the authority as Host. Gives the URI back as it was.
fn into_http1<B>(request: &mut Request<B>) -> Uri {
    let uri = request.uri().clone();
    if let Some(authority) = uri.authority() {
        let host = HeaderValue::from_str(authority.as_str());
        let host = host.expect("an authority is what a header may hold");
        request.headers_mut().insert(HOST, host);
    }
    let path = uri.path_and_query().cloned();
    *request.uri_mut() = path.unwrap_or(PathAndQuery::from_static("/")).into();
    *request.version_mut() = Version::HTTP_11;
    uri
}

fn note_end(end: hyper::Result<()>) {
    if let Err(error) = end {
        tracing::debug!(%error, "a connection ended");
    }
}

impl<B> Connection<B> {
    pub(super) const fn info(&self) -> &Arc<ConnectionInfo> {
        &self.info
    }

    pub(super) const fn was_kept(&self) -> bool {
        self.kept
    }

    pub(super) fn keep(self) -> Self {
        Self { kept: true, ..self }
    }

    pub(super) fn is_open(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => !sender.is_closed(),
            Sender::Http2(sender) => !sender.is_closed(),
        }
    }

    /// Another end of the same connection: in HTTP/2 there can be many.
    pub(super) fn share(&self) -> Option<Self> {
        match &self.sender {
            Sender::Http1(_) => None,
            Sender::Http2(sender) => Some(Self {
                sender: Sender::Http2(sender.clone()),
                info: Arc::clone(&self.info),
                kept: self.kept,
            }),
        }
    }

    /// Waits until the last response was read to its end; `false` when the connection ends before.
    pub(super) async fn ready(&mut self) -> bool {
        match &mut self.sender {
            Sender::Http1(sender) => sender.ready().await.is_ok(),
            Sender::Http2(sender) => sender.ready().await.is_ok(),
        }
    }

    /// Whether the last response was read to its end, so that another request can follow.
    pub(super) fn is_ready(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_ready(),
            Sender::Http2(sender) => sender.is_ready(),
        }
    }
}
