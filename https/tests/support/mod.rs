//! Handshakes between two ends of one process.
#![allow(dead_code, reason = "each test file uses what it needs")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub(crate) mod wire;

use std::{
    io::Read as _,
    os::unix::net::UnixStream,
    sync::{Arc, Mutex, OnceLock},
    thread,
};

use foreign_types::ForeignTypeRef as _;
use openssl::{
    pkey::{PKey, Private},
    ssl::{
        HandshakeError, Ssl, SslContext, SslContextBuilder, SslMethod, SslSession,
        SslSessionCacheMode, SslStream, SslVersion,
    },
    x509::X509,
};
use tokenbinding::{
    KeyType,
    negotiation::{Offer, Support},
};
use tokenbinding_https::tls;

pub(crate) const P256: KeyType = KeyType::EcdsaP256;
pub(crate) const VERSIONS: [SslVersion; 2] = [SslVersion::TLS1_2, SslVersion::TLS1_3];

pub(crate) type Handshake = Result<SslStream<UnixStream>, HandshakeError<UnixStream>>;

pub(crate) fn certificate() -> &'static (X509, PKey<Private>) {
    static CERTIFICATE: OnceLock<(X509, PKey<Private>)> = OnceLock::new();
    CERTIFICATE.get_or_init(|| tls::self_signed(&["localhost", "127.0.0.1", "::1"]).unwrap())
}

/// A client's context of one version, which believes every certificate.
pub(crate) fn client(version: SslVersion) -> SslContextBuilder {
    let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
    context.set_min_proto_version(Some(version)).unwrap();
    context.set_max_proto_version(Some(version)).unwrap();
    context
}

/// A server's context of both versions.
pub(crate) fn server() -> SslContextBuilder {
    let mut context = SslContext::builder(SslMethod::tls_server()).unwrap();
    let (certificate, key) = certificate();
    context.set_certificate(certificate).unwrap();
    context.set_private_key(key).unwrap();
    context
}

pub(crate) fn offering(version: SslVersion, key_types: &[KeyType]) -> SslContextBuilder {
    let mut context = client(version);
    tls::offer(&mut context, Offer::new(key_types).unwrap()).unwrap();
    context
}

pub(crate) fn supporting(key_types: &[KeyType]) -> SslContextBuilder {
    let mut context = server();
    tls::support(&mut context, Support::new(key_types).unwrap()).unwrap();
    context
}

/// The start of a client's connection, in which `session` is to be resumed.
pub(crate) fn resuming(client: &SslContext, session: Option<&SslSession>) -> Ssl {
    let mut ssl = Ssl::new(client).unwrap();
    // Read anew, so that a session belongs to no other context.
    if let Some(session) = session {
        let session = SslSession::from_der(&session.to_der().unwrap()).unwrap();
        // SAFETY: the session is of this connection's context alone.
        #[allow(unsafe_code, reason = "the session's context is the caller's promise")]
        unsafe {
            ssl.set_session(&session).unwrap();
        }
    }
    ssl
}

/// Has the sessions of a client's context kept, the newest last.
pub(crate) fn keep_sessions(client: &mut SslContextBuilder) -> Arc<Mutex<Vec<SslSession>>> {
    let sessions: Arc<Mutex<Vec<SslSession>>> = Arc::default();
    client.set_session_cache_mode(SslSessionCacheMode::CLIENT);
    let kept = Arc::clone(&sessions);
    client.set_new_session_callback(move |_, session| kept.lock().unwrap().push(session));
    sessions
}

/// Connects a client to a server. The server ends its connection when the client has ended its own.
pub(crate) fn connect(
    client: &SslContext,
    server: &SslContext,
    session: Option<&SslSession>,
) -> (Handshake, Handshake) {
    let (near, far) = UnixStream::pair().unwrap();
    let near_ssl = resuming(client, session);
    let far_ssl = Ssl::new(server).unwrap();
    let accepting = thread::spawn(move || far_ssl.accept(far));
    let near = near_ssl.connect(near);
    (near, accepting.join().unwrap())
}

/// Reads what follows the handshake: TLS 1.3 sends its tickets then.
pub(crate) fn read_tickets(client: &mut SslStream<UnixStream>, server: &mut SslStream<UnixStream>) {
    std::io::Write::write_all(server, b"x").unwrap();
    client.read_exact(&mut [0]).unwrap();
}

/// Has an end of a TLS 1.2 connection ask for another handshake with the next `do_handshake`.
#[allow(unsafe_code, reason = "the openssl crate does not have the call")]
pub(crate) fn renegotiate(stream: &SslStream<UnixStream>) {
    unsafe extern "C" {
        fn SSL_renegotiate(ssl: *mut openssl_sys::SSL) -> std::ffi::c_int;
    }
    // SAFETY: the pointer is of a live SSL, which the test uses nowhere else meanwhile.
    assert_eq!(unsafe { SSL_renegotiate(stream.ssl().as_ptr()) }, 1);
}
