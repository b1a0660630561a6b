//! The header of a request, for the connection that it is sent on.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderValue, Request, Response, Uri, header::HOST, uri::Scheme};
use tokenbinding::{
    Error as BindingError, KeyDescription, KeyType,
    connection::{ClientConnection, Referrer},
    header::SEC_TOKEN_BINDING,
    ttrp::is_reserved,
};
use tower_layer::Layer;
use tower_service::Service;

use super::Error;
use crate::{BoxError, BoxFuture};

/// What a request carried: among the extensions of its response.
#[derive(Clone, Debug)]
pub struct SentBinding {
    connection: Arc<ClientConnection>,
    origin: Uri,
}

impl SentBinding {
    /// The key parameters that were negotiated with the server.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        self.connection.key_type()
    }

    /// The key of the provided binding.
    ///
    /// # Errors
    /// As for [`ClientConnection::key`]: the key was deleted meanwhile, and a new one cannot be made.
    pub fn key(&self) -> Result<KeyDescription, BindingError> {
        self.connection.key(&self.origin.to_string())
    }

    /// The server as a referrer: for the request that its redirect leads to.
    #[must_use]
    pub fn referrer(&self) -> Referrer {
        Referrer {
            target: self.origin.to_string(),
            key_type: self.connection.key_type(),
        }
    }
}

/// Puts exactly one `Sec-Token-Binding` into every request of one connection. Each host that
/// shares the connection gets the binding of its own key.
///
/// Requests have absolute https URIs. A [`Referrer`] among a request's extensions is shown to the
/// server, in this request alone.
#[derive(Clone, Debug)]
pub struct TokenBindingLayer {
    connection: Option<Arc<ClientConnection>>,
}

impl TokenBindingLayer {
    /// For the requests of a connection; `None` where Token Binding was not negotiated.
    #[must_use]
    pub const fn new(connection: Option<Arc<ClientConnection>>) -> Self {
        Self { connection }
    }
}

impl<S> Layer<S> for TokenBindingLayer {
    type Service = TokenBindingService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TokenBindingService {
            inner,
            connection: self.connection.clone(),
        }
    }
}

/// The service that [`TokenBindingLayer`] makes.
#[derive(Clone, Debug)]
pub struct TokenBindingService<S> {
    inner: S,
    connection: Option<Arc<ClientConnection>>,
}

impl<S, B, R> Service<Request<B>> for TokenBindingService<S>
where
    S: Service<Request<B>, Response = Response<R>, Future: Send, Error: Into<BoxError>>
        + Clone
        + Send
        + 'static,
    B: Send + 'static,
{
    type Response = Response<R>;
    type Error = Error;
    type Future = BoxFuture<Result<Response<R>, Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let ready = self.inner.poll_ready(context);
        ready.map_err(|error| Error::Service(error.into()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // What was polled ready is what must be called.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let connection = self.connection.clone();
        Box::pin(async move {
            let origin = check(&request)?;
            let referrer = request.extensions_mut().remove::<Referrer>();
            let sent = bind(
                &mut request,
                &origin,
                connection.as_ref(),
                referrer.as_ref(),
            )
            .await?;
            let response = inner.call(request).await;
            let mut response = response.map_err(|error| Error::Service(error.into()))?;
            if let Some(sent) = sent {
                response.extensions_mut().insert(sent);
            }
            Ok(response)
        })
    }
}

/// Refuses requests whose header would not be what the server must see, and gives the others'
/// origin: `https://host/`, with the port where it is not 443.
pub(super) fn check<B>(request: &Request<B>) -> Result<Uri, Error> {
    let origin = origin(request.uri())?;
    let reserved = |name: &&http::HeaderName| is_reserved(name.as_str());
    if let Some(name) = request.headers().keys().find(reserved) {
        return Err(Error::CallersHeader { name: name.clone() });
    }
    let given = request.headers().get_all(HOST).iter();
    for host in given {
        let host = host.to_str().ok().and_then(|host| {
            let uri = Uri::builder().scheme(Scheme::HTTPS).authority(host);
            self::origin(&uri.path_and_query("/").build().ok()?).ok()
        });
        if host.as_ref() != Some(&origin) {
            return Err(Error::OtherHost { origin });
        }
    }
    Ok(origin)
}

fn origin(uri: &Uri) -> Result<Uri, Error> {
    let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
        return Err(Error::NotAbsolute);
    };
    if *scheme != Scheme::HTTPS {
        return Err(Error::NotHttps);
    }
    if authority.as_str().contains('@') {
        return Err(Error::UserInfo);
    }
    let host = authority.host().to_ascii_lowercase();
    let authority = match authority.port_u16() {
        None | Some(443) => host,
        Some(port) => format!("{host}:{port}"),
    };
    let origin = Uri::builder().scheme(Scheme::HTTPS).authority(authority);
    let origin = origin.path_and_query("/").build();
    origin.map_err(|_| Error::NotAbsolute)
}

/// Adds the header that a request to `origin` needs on this connection.
pub(super) async fn bind<B>(
    request: &mut Request<B>,
    origin: &Uri,
    connection: Option<&Arc<ClientConnection>>,
    referrer: Option<&Referrer>,
) -> Result<Option<SentBinding>, Error> {
    let Some(connection) = connection else {
        return Ok(None);
    };
    let header = header(connection, origin.to_string(), referrer.cloned()).await?;
    let value = HeaderValue::try_from(&*header).expect("base64url is what a header may hold");
    request.headers_mut().insert(SEC_TOKEN_BINDING, value);
    Ok(Some(SentBinding {
        connection: Arc::clone(connection),
        origin: origin.clone(),
    }))
}

/// Takes the header out again, for a request that goes to another connection.
pub(super) fn unbind<B>(request: &mut Request<B>) {
    request.headers_mut().remove(SEC_TOKEN_BINDING);
}

/// What is known comes at once; a device may take long and must not hold up other tasks.
async fn header(
    connection: &Arc<ClientConnection>,
    target: String,
    referrer: Option<Referrer>,
) -> Result<Arc<str>, Error> {
    if let (None, Some(header)) = (&referrer, connection.known_header(&target)) {
        return Ok(header);
    }
    let connection = Arc::clone(connection);
    let signing = tokio::task::spawn_blocking(move || match referrer {
        None => connection.header(&target),
        Some(referrer) => connection.header_with_referred(&target, &referrer),
    });
    match signing.await {
        Ok(header) => Ok(header?),
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str) -> http::request::Builder {
        Request::get(uri)
    }

    fn checked(request: http::request::Builder) -> Result<String, Error> {
        check(&request.body(()).unwrap()).map(|origin| origin.to_string())
    }

    #[test]
    fn the_origin_is_what_the_request_goes_to() {
        for (uri, origin) in [
            ("https://A.example/path?query", "https://a.example/"),
            ("https://a.example:443", "https://a.example/"),
            ("https://a.example:8443/", "https://a.example:8443/"),
            ("https://[::1]:1/", "https://[::1]:1/"),
        ] {
            assert_eq!(checked(request(uri)).unwrap(), origin);
        }
        let same = request("https://a.example:443/").header(HOST, "a.EXAMPLE");
        assert!(checked(same).is_ok());
    }

    #[test]
    fn what_would_deceive_the_server_is_refused() {
        let https = || request("https://a.example/");
        assert!(matches!(
            checked(request("http://a.example/")),
            Err(Error::NotHttps)
        ));
        assert!(matches!(checked(request("/path")), Err(Error::NotAbsolute)));
        assert!(matches!(
            checked(request("https://user@a.example/")),
            Err(Error::UserInfo)
        ));
        for host in [
            "b.example",
            "a.example:8443",
            "",
            "a.example/",
            "x@a.example",
        ] {
            assert!(
                matches!(
                    checked(https().header(HOST, host)),
                    Err(Error::OtherHost { .. })
                ),
                "{host}"
            );
        }
        for name in ["Sec-Token-Binding", "sec_token_binding", SEC_TOKEN_BINDING] {
            let refused = checked(https().header(name, "AA"));
            assert!(
                matches!(refused, Err(Error::CallersHeader { .. })),
                "{name}"
            );
        }
    }
}
