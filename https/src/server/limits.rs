//! What a server spends on its clients at most.

use std::time::Duration;

/// What a [`Server`](super::Server) spends on its clients at most. The bodies of requests are not
/// limited, neither in bytes nor in time: they are the handler's, piece by piece.
///
/// ```
/// use tokenbinding_https::server::Limits;
///
/// let mut limits = Limits::default();
/// limits.connections = 256;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at a time, from the first byte of the handshake on: 4,096. More wait unaccepted
    /// in the listener's queue. Each takes a file descriptor, so `ulimit -n` must be higher.
    pub connections: usize,
    /// Bytes of a request's line and headers: 16,384. A message of two RSA bindings takes 1,408. More
    /// is answered with 431.
    pub header_bytes: usize,
    /// Time for the line and headers of an HTTP/1.1 request to arrive, counted from the end of the
    /// handshake or of the request before: 30 seconds.
    pub header_time: Duration,
    /// Requests at a time on an HTTP/2 connection: 100.
    pub streams: u32,
    /// Time that a connection may stay open with no request at work: 60 seconds. It is also what a
    /// client has for its first HTTP/2 request, and to read enough of an answer for its next piece to
    /// be wanted.
    pub idle: Duration,
    /// Time for requests to end once the server shuts down or closes their connection: 30 seconds.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            header_bytes: 16 * 1024,
            header_time: Duration::from_secs(30),
            streams: 100,
            idle: Duration::from_secs(60),
            drain: Duration::from_secs(30),
        }
    }
}
