//! What is known of one connection's negotiation while the handshake goes on.

use std::sync::{Arc, OnceLock};

use openssl::{
    ex_data::Index,
    ssl::{Ssl, SslRef},
};
use tokenbinding::negotiation::{Negotiated, NegotiationError};

use super::hello::Hello;

#[derive(Debug, Default)]
pub(super) struct State {
    /// The peer's last hello.
    pub(super) hello: Hello,
    /// The server: the body of the client's extension.
    pub(super) offer: Option<Vec<u8>>,
    pub(super) negotiated: Option<Negotiated>,
    /// Why the handshake was ended here.
    pub(super) error: Option<NegotiationError>,
}

fn index() -> Index<Ssl, State> {
    static INDEX: OnceLock<Index<Ssl, State>> = OnceLock::new();
    *INDEX.get_or_init(|| Ssl::new_ex_index().expect("OpenSSL has room for one more index"))
}

impl State {
    /// The state of a connection, made where there is none yet.
    pub(super) fn of(ssl: &mut SslRef) -> &mut Self {
        let index = index();
        if ssl.ex_data(index).is_none() {
            ssl.set_ex_data(index, Self::default());
        }
        ssl.ex_data_mut(index).expect("it was set just now")
    }

    /// The state of a connection on which there was anything to note.
    pub(super) fn get(ssl: &SslRef) -> Option<&Self> {
        ssl.ex_data(index())
    }
}

/// Notes what a received hello says. A second ClientHello, after HelloRetryRequest, takes the place
/// of the first with all that followed from it. One that comes after the handshake asks for a
/// renegotiation, which OpenSSL refuses: it changes nothing.
pub(super) fn observe(ssl: &mut SslRef, message: &[u8]) {
    let over = ssl.peer_finished(&mut []) != 0;
    if over {
        return;
    }
    if let Some(hello) = Hello::read(message) {
        let state = State::of(ssl);
        *state = State {
            hello,
            ..State::default()
        };
    }
}

type Reason = Arc<OnceLock<NegotiationError>>;

fn reason_index() -> Index<Ssl, Reason> {
    static INDEX: OnceLock<Index<Ssl, Reason>> = OnceLock::new();
    *INDEX.get_or_init(|| Ssl::new_ex_index().expect("OpenSSL has room for one more index"))
}

/// Has the reason why the handshake is ended here written to `reason`, for a caller that will not
/// have the connection any more to ask.
pub(crate) fn report(ssl: &mut SslRef, reason: Reason) {
    ssl.set_ex_data(reason_index(), reason);
}

/// Notes why the handshake is ended here.
pub(super) fn fail(ssl: &mut SslRef, error: NegotiationError) {
    State::of(ssl).error = Some(error);
    if let Some(reason) = ssl.ex_data(reason_index()) {
        let _ = reason.set(error);
    }
}
