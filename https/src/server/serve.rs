//! A server: accepts, does handshakes, serves HTTP/1.1 and HTTP/2, and ends in order.

use std::{error::Error as StdError, io, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    select,
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_openssl::SslStream;
use tower_layer::Layer as _;
use tower_service::Service;

use super::{
    Acceptor, Limits, TokenBindingLayer, TokenBindingService, Unbound,
    activity::{Activity, Working},
};

/// How long to wait when the system has no file descriptor for another connection.
const PAUSE: Duration = Duration::from_millis(100);

/// The least that an HTTP/1.1 connection may buffer, in bytes.
const BUFFER: usize = 64 * 1024;

type BoxError = Box<dyn StdError + Send + Sync>;

/// Serves a tower service, such as axum's `Router`, to clients with Token Binding.
///
/// Each connection is a task of its own: one that stalls, in the handshake or later, holds up no
/// other. Each request has passed a [`TokenBindingLayer`].
#[derive(Clone, Debug)]
pub struct Server {
    acceptor: Acceptor,
    limits: Limits,
    unbound: Unbound,
}

impl Server {
    /// A server that serves clients without Token Binding too, with [`Limits::default`].
    #[must_use]
    pub fn new(acceptor: Acceptor) -> Self {
        Self {
            acceptor,
            limits: Limits::default(),
            unbound: Unbound::default(),
        }
    }

    /// Spends more or less on clients.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Serves or refuses clients without Token Binding.
    #[must_use]
    pub const fn with_unbound(mut self, unbound: Unbound) -> Self {
        self.unbound = unbound;
        self
    }

    /// Serves until `shutdown` is there, then lets the requests at work end, for as long as
    /// [`Limits::drain`] says.
    ///
    /// It needs a tokio runtime with time and I/O. What cannot be accepted is logged and waited
    /// out: this never ends before `shutdown` does.
    pub async fn serve<S, B>(
        self,
        listener: TcpListener,
        service: S,
        shutdown: impl Future<Output = ()>,
    ) where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let layer = TokenBindingLayer::new().with_unbound(self.unbound);
        let service = layer.layer(service);
        let (stop, stopped) = watch::channel(());
        let slots = Arc::new(Semaphore::new(self.limits.connections));
        let mut tasks = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        loop {
            let (tcp, slot) = select! {
                () = &mut shutdown => break,
                Some(ended) = tasks.join_next() => {
                    note_panic(ended);
                    continue;
                }
                accepted = accept(&listener, &slots) => accepted,
            };
            let one = One {
                acceptor: self.acceptor.clone(),
                limits: self.limits,
                stopped: stopped.clone(),
            };
            let service = service.clone();
            tasks.spawn(async move {
                one.run(tcp, service).await;
                drop(slot);
            });
        }
        drop(listener);
        drop(stop);
        let drained = async {
            while let Some(ended) = tasks.join_next().await {
                note_panic(ended);
            }
        };
        if timeout(self.limits.drain, drained).await.is_err() {
            tracing::warn!(left = tasks.len(), "connections are cut off");
        }
    }
}

fn note_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a handler panicked; its connection is closed");
    }
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    let slot = Arc::clone(slots).acquire_owned().await;
    let slot = slot.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => return (tcp, slot),
            Err(error) if is_the_connections_own(&error) => (),
            Err(error) => {
                tracing::warn!(%error, "cannot accept: raise `ulimit -n` or lower the limit");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Whether an error of `accept` is of the connection that was next, which is gone.
fn is_the_connections_own(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// What one connection needs.
struct One {
    acceptor: Acceptor,
    limits: Limits,
    /// Its sender is dropped when the server shuts down.
    stopped: watch::Receiver<()>,
}

impl One {
    async fn run<S, B>(mut self, tcp: TcpStream, service: TokenBindingService<S>)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        // Small answers must not wait for more. A socket that refuses this fails soon anyway.
        let _ = tcp.set_nodelay(true);
        let handshake = select! {
            handshake = self.acceptor.accept(tcp) => handshake,
            _ = self.stopped.changed() => return,
        };
        let (stream, connection) = match handshake {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "a connection is not accepted");
                return;
            }
        };
        let activity = Activity::default();
        let serving = activity.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(connection.clone());
            let mut service = service.clone();
            let at_work = serving.begin();
            async move {
                std::future::poll_fn(|cx| service.poll_ready(cx)).await?;
                let response = service.call(request).await?;
                Ok::<_, S::Error>(response.map(|body| Working::new(body, at_work)))
            }
        });
        if let Err(error) = self.http(stream, service, &activity).await {
            tracing::debug!(%error, "a connection ended early");
        }
    }

    /// Serves HTTP/2 where ALPN chose it, else HTTP/1.1.
    async fn http<H, B>(
        mut self,
        stream: SslStream<TcpStream>,
        service: H,
        activity: &Activity,
    ) -> Result<(), hyper::Error>
    where
        H: hyper::service::Service<Request<Incoming>, Response = Response<B>>,
        H::Future: Send + 'static,
        H::Error: Into<BoxError>,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let http2 = stream.ssl().selected_alpn_protocol() == Some(b"h2");
        let stream = TokioIo::new(stream);
        let limits = self.limits;
        // The two connections have the same methods and no trait in common.
        macro_rules! drive {
            ($connection:expr) => {{
                let mut connection = pin!($connection);
                select! {
                    ended = &mut connection => return ended,
                    () = activity.idle_for(limits.idle) => (),
                    _ = self.stopped.changed() => (),
                }
                // hyper would still wait for the first request, or the preface of HTTP/2.
                if activity.has_had_no_request() {
                    return Ok(());
                }
                connection.as_mut().graceful_shutdown();
                match timeout(limits.drain, connection).await {
                    Ok(ended) => ended,
                    Err(_) => Ok(()),
                }
            }};
        }
        if http2 {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
                .max_concurrent_streams(limits.streams);
            drive!(builder.serve_connection(stream, service))
        } else {
            let mut builder = http1::Builder::new();
            builder
                .timer(TokioTimer::new())
                .header_read_timeout(limits.header_time)
                .max_buf_size(limits.header_bytes.max(BUFFER))
                .max_header_size(limits.header_bytes);
            drive!(builder.serve_connection(stream, service))
        }
    }
}
