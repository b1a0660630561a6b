//! The connections that wait for another request.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use http::Uri;
use hyper::body::Body;

use super::{Connector, Error, sender::Connection};
use crate::BoxError;

/// How long a connection waits for another request.
const IDLE: Duration = Duration::from_secs(90);
/// The most HTTP/1.1 connections to one server that wait.
const MAX_IDLE: usize = 32;

/// The open connections by the origin that they were made for. A connection is not used for other
/// origins, even where its certificate would allow that.
#[derive(Debug)]
pub(super) struct Pool<B> {
    origins: Mutex<HashMap<Uri, Origin<B>>>,
}

impl<B> Default for Pool<B> {
    fn default() -> Self {
        Self {
            origins: Mutex::default(),
        }
    }
}

#[derive(Debug)]
struct Origin<B> {
    kept: Vec<(Connection<B>, Instant)>,
    turn: Arc<Turn>,
}

impl<B> Default for Origin<B> {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            turn: Arc::default(),
        }
    }
}

/// Who may connect: one at a time, since the others can share an HTTP/2 connection; all at once
/// when the server is known for HTTP/1.1.
#[derive(Debug, Default)]
struct Turn {
    one: tokio::sync::Mutex<()>,
    http1: AtomicBool,
}

impl<B> Pool<B> {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uri, Origin<B>>> {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self, origin: &Uri) -> Option<Connection<B>> {
        let mut origins = self.lock();
        origins.retain(|_, origin| {
            let waiting =
                |(kept, since): &(Connection<B>, Instant)| kept.is_open() && since.elapsed() < IDLE;
            origin.kept.retain(waiting);
            // Who waits for his turn holds it too.
            !origin.kept.is_empty() || Arc::strong_count(&origin.turn) > 1
        });
        let kept = &mut origins.get_mut(origin)?.kept;
        let index = kept.iter().rposition(|(kept, _)| kept.is_ready())?;
        let (connection, since) = &mut kept[index];
        *since = Instant::now();
        let shared = connection.share();
        Some(shared.unwrap_or_else(|| kept.swap_remove(index).0).keep())
    }

    /// Takes out the HTTP/1.1 connection that was given back last. Its response may have been read
    /// just now, which its task has to notice yet, or is being read still.
    fn nearly_ready(&self, origin: &Uri) -> Option<Connection<B>> {
        let mut origins = self.lock();
        let kept = &mut origins.get_mut(origin)?.kept;
        let index = kept.iter().rposition(|(kept, _)| kept.share().is_none())?;
        Some(kept.remove(index).0.keep())
    }

    fn turn(&self, origin: &Uri) -> Arc<Turn> {
        Arc::clone(&self.lock().entry(origin.clone()).or_default().turn)
    }

    /// Takes a connection back after a response. It is used again when the response was read.
    pub(super) fn give_back(&self, origin: &Uri, connection: Connection<B>) {
        // The pool still has the other end of an HTTP/2 connection.
        if connection.share().is_none() {
            self.keep(origin, connection);
        }
    }

    fn keep(&self, origin: &Uri, connection: Connection<B>) {
        let mut origins = self.lock();
        let kept = &mut origins.entry(origin.clone()).or_default().kept;
        if kept.len() >= MAX_IDLE {
            kept.remove(0);
        }
        kept.push((connection, Instant::now()));
    }
}

impl<B> Pool<B>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    /// A connection to `origin`: one that is kept, else a new one.
    pub(super) async fn connection(
        &self,
        connector: &Connector,
        origin: &Uri,
    ) -> Result<Connection<B>, Error> {
        if let Some(connection) = self.kept(origin) {
            return Ok(connection);
        }
        let turn = self.turn(origin);
        let mine = if turn.http1.load(Ordering::Relaxed) {
            None
        } else {
            Some(turn.one.lock().await)
        };
        if mine.is_some()
            && let Some(connection) = self.kept(origin)
        {
            return Ok(connection);
        }
        if let Some(mut kept) = self.nearly_ready(origin) {
            tokio::select! {
                biased;
                true = kept.ready() => return Ok(kept),
                new = start(connector, origin) => {
                    self.keep(origin, kept);
                    return new;
                }
            }
        }
        let connection = start(connector, origin).await?;
        match connection.share() {
            Some(shared) => self.keep(origin, shared),
            None => turn.http1.store(true, Ordering::Relaxed),
        }
        Ok(connection)
    }
}

/// A new connection.
async fn start<B>(connector: &Connector, origin: &Uri) -> Result<Connection<B>, Error>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    Connection::start(connector.connect(origin).await?).await
}
