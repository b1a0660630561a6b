//! Negotiation on OpenSSL (RFC 8472): prepare a context, do the handshake, ask what came of it.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use openssl::ssl::{SslConnector, SslMethod};
//! use tokenbinding::{KeyType, negotiation::Offer};
//! use tokenbinding_https::tls;
//!
//! let mut context = SslConnector::builder(SslMethod::tls_client())?;
//! tls::offer(&mut context, Offer::new(&[KeyType::EcdsaP256])?)?;
//! let tcp = std::net::TcpStream::connect("www.example.com:443")?;
//! let stream = context.build().connect("www.example.com", tcp)?;
//! if let Some(bound) = tls::outcome(stream.ssl())? {
//!     println!("{} was negotiated", bound.negotiated.key_type);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A context keeps the caller's own callbacks, ALPN, sessions and tickets. What is taken of it: the
//! extension 24, the message callback (which the `openssl` crate does not offer), the option
//! `NO_RENEGOTIATION`, and early data, which servers stop accepting. TLS 1.2 needs
//! `extended_master_secret`, which OpenSSL negotiates by itself.

mod certificate;
mod ffi;
mod hello;
mod outcome;
mod state;

use openssl::{
    error::ErrorStack,
    ssl::{ExtensionContext, SslAlert, SslContextBuilder, SslOptions, SslRef, SslVersion},
};
use tokenbinding::negotiation::{Alert, EXTENSION_TYPE, Handshake, Offer, Support};

use self::state::State;
pub(crate) use self::state::report;
pub use self::{
    certificate::self_signed,
    hello::Hello,
    outcome::{OutcomeError, TokenBound, outcome},
};

/// Where the extension goes: ClientHello, and ServerHello (TLS 1.2) or EncryptedExtensions
/// (TLS 1.3). It goes into every handshake, resumed ones included (RFC 8472 §2).
const MESSAGES: ExtensionContext = ExtensionContext::CLIENT_HELLO
    .union(ExtensionContext::TLS1_2_SERVER_HELLO)
    .union(ExtensionContext::TLS1_3_ENCRYPTED_EXTENSIONS);

/// `SSL_OP_NO_EXTENDED_MASTER_SECRET` of OpenSSL 3.
const NO_EXTENDED_MASTER_SECRET: SslOptions = SslOptions::from_bits_retain(1);

/// Makes the connections of a client's context offer Token Binding.
///
/// # Errors
/// [`ErrorStack`] when the context has the extension already.
pub fn offer(context: &mut SslContextBuilder, offer: Offer) -> Result<(), ErrorStack> {
    prepare(context);
    let body = offer.extension_data();
    context.add_custom_ext(
        EXTENSION_TYPE,
        MESSAGES,
        move |ssl, _, _| {
            *State::of(ssl) = State::default();
            Ok(Some(body.clone()))
        },
        move |ssl, message, answer, _| conclude(&offer, ssl, message, answer),
    )
}

/// Makes the connections of a server's context negotiate Token Binding with clients that offer it.
///
/// # Errors
/// [`ErrorStack`] when the context has the extension already.
pub fn support(context: &mut SslContextBuilder, support: Support) -> Result<(), ErrorStack> {
    prepare(context);
    context.set_max_early_data(0)?;
    context.add_custom_ext(
        EXTENSION_TYPE,
        MESSAGES,
        move |ssl, message, _| Ok(answer(&support, ssl, message)),
        |ssl, _, offer, _| note_offer(ssl, offer),
    )
}

fn prepare(context: &mut SslContextBuilder) {
    context.set_options(SslOptions::NO_RENEGOTIATION);
    context.clear_options(NO_EXTENDED_MASTER_SECRET);
    ffi::observe_received(context);
}

/// The client reads the server's answer.
fn conclude(
    offer: &Offer,
    ssl: &mut SslRef,
    message: ExtensionContext,
    answer: &[u8],
) -> Result<(), SslAlert> {
    let handshake = handshake(ssl, message);
    match offer.conclude(answer, handshake) {
        Ok(negotiated) => {
            State::of(ssl).negotiated = negotiated;
            Ok(())
        }
        Err(error) => {
            state::fail(ssl, error);
            Err(ssl_alert(error.alert()))
        }
    }
}

/// The server reads the client's offer. Whether it may be taken is known when the answer is
/// written, since it depends on the version.
fn note_offer(ssl: &mut SslRef, offer: &[u8]) -> Result<(), SslAlert> {
    match tokenbinding::negotiation::TokenBindingParameters::parse(offer) {
        Ok(_) => {
            State::of(ssl).offer = Some(offer.to_vec());
            Ok(())
        }
        Err(malformed) => {
            state::fail(ssl, malformed.into());
            Err(ssl_alert(malformed.alert()))
        }
    }
}

/// The server writes its answer.
fn answer(support: &Support, ssl: &mut SslRef, message: ExtensionContext) -> Option<Vec<u8>> {
    let handshake = handshake(ssl, message);
    let state = State::of(ssl);
    let offer = state.offer.take()?;
    state.negotiated = support.answer(&offer, handshake).ok()?;
    state
        .negotiated
        .map(|negotiated| negotiated.extension_data())
}

/// The state of the handshake, as the answer's place in it and the peer's hello tell it.
fn handshake(ssl: &mut SslRef, message: ExtensionContext) -> Handshake {
    if message.contains(ExtensionContext::TLS1_3_ENCRYPTED_EXTENSIONS) {
        let early_data = ffi::early_data_accepted(ssl);
        Handshake::Tls13 { early_data }
    } else {
        State::of(ssl).hello.tls12()
    }
}

const fn ssl_alert(alert: Alert) -> SslAlert {
    match alert {
        Alert::IllegalParameter => SslAlert::ILLEGAL_PARAMETER,
        Alert::DecodeError => SslAlert::DECODE_ERROR,
        Alert::UnsupportedExtension => SslAlert::UNSUPPORTED_EXTENSION,
    }
}

/// The state of a finished handshake, as OpenSSL tells it.
fn finished(ssl: &SslRef) -> Handshake {
    if ssl.version2() == Some(SslVersion::TLS1_3) {
        let early_data = ffi::early_data_accepted(ssl);
        Handshake::Tls13 { early_data }
    } else {
        Handshake::Tls12 {
            extended_master_secret: ssl.extms_support() == Some(true),
            renegotiation_info: ffi::renegotiation_info(ssl),
        }
    }
}
