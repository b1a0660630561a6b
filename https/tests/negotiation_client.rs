//! The client's context against servers that answer as they please (RFC 8472 §4): what comes of
//! it, and the alert on the wire.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use openssl::ssl::{
    ExtensionContext, Ssl, SslContext, SslContextBuilder, SslOptions, SslStream, SslVersion,
};
use tokenbinding::negotiation::{EXTENSION_TYPE, NegotiationError};
use tokenbinding_https::tls::OutcomeError;

use self::support::{
    P256, VERSIONS, client, connect, keep_sessions, offering, read_tickets, resuming, server,
    wire::{End, Meeting, Record, Side, meet, unchanged},
};

const RENEGOTIATION_INFO: u16 = 0xff01;
/// `SSL_OP_NO_EXTENDED_MASTER_SECRET` of OpenSSL 3.
const NO_EXTENDED_MASTER_SECRET: SslOptions = SslOptions::from_bits_retain(1);
/// What a server that keeps the rules answers.
const SOUND: &[u8] = &[1, 0, 1, 2];

/// A server that answers every offer with this body.
fn answering(body: &'static [u8]) -> SslContextBuilder {
    let mut context = server();
    let messages = ExtensionContext::CLIENT_HELLO
        | ExtensionContext::TLS1_2_SERVER_HELLO
        | ExtensionContext::TLS1_3_ENCRYPTED_EXTENSIONS;
    context
        .add_custom_ext(
            EXTENSION_TYPE,
            messages,
            move |_, _, _| Ok(Some(body)),
            |_, _, _, _| Ok(()),
        )
        .unwrap();
    context
}

fn run(
    client: &SslContext,
    server: &SslContext,
    edit: impl Fn(Side, &mut Record) + Sync,
) -> Meeting {
    let (near, far) = (Ssl::new(client).unwrap(), Ssl::new(server).unwrap());
    meet(
        |stream| End::of(near.connect(stream)),
        |stream| End::of(far.accept(stream)),
        edit,
    )
}

/// The client of this crate, which offers 1.0 with P-256, and a server.
fn answered(version: SslVersion, server: SslContextBuilder) -> Meeting {
    run(
        &offering(version, &[P256]).build(),
        &server.build(),
        unchanged,
    )
}

/// The client ended the handshake with this alert, and says that Token Binding is why.
fn ended(meeting: &Meeting, alert: u8) -> NegotiationError {
    assert_eq!(meeting.alert_of(Side::Client), Some(alert), "{meeting:?}");
    assert!(!meeting.client.finished && !meeting.server.finished);
    let Err(OutcomeError::Negotiation(reason)) = meeting.client.outcome else {
        panic!("{meeting:?}");
    };
    assert_eq!(reason.alert().description(), alert);
    reason
}

#[test]
fn a_sound_answer_is_negotiated() {
    for version in VERSIONS {
        let meeting = answered(version, answering(SOUND));
        assert_eq!(meeting.client.key_type(), Some(P256));
        assert_eq!(meeting.alert_of(Side::Client), None);
    }
}

#[test]
fn without_an_answer_the_connection_goes_on_without_token_binding() {
    for version in VERSIONS {
        let meeting = answered(version, server());
        assert_eq!(meeting.client.key_type(), None);
        assert!(meeting.server.finished);
    }
}

#[test]
fn an_older_version_goes_on_without_token_binding() {
    for version in VERSIONS {
        for older in [&[0, 13, 1, 2][..], &[0, 255, 1, 2]] {
            let meeting = answered(version, answering(older));
            assert_eq!(meeting.client.key_type(), None);
            assert!(meeting.server.finished);
        }
    }
}

#[test]
fn an_answer_beyond_the_offer_ends_with_unsupported_extension() {
    for version in VERSIONS {
        for body in [
            &[1, 1, 1, 2][..],
            &[2, 0, 1, 2],
            &[255, 255, 1, 2],
            &[1, 0, 1, 1],
            &[1, 0, 1, 255],
            &[1, 0, 2, 2, 2],
            &[1, 0, 2, 2, 1],
            &[0, 13, 1, 1],
        ] {
            let meeting = answered(version, answering(body));
            ended(&meeting, 110);
            // OpenSSL has no keys to send with yet, in TLS 1.3 neither.
            assert!(meeting.alert_in_the_clear(Side::Client));
        }
    }
}

#[test]
fn an_answer_that_cannot_be_read_ends_with_decode_error() {
    for version in VERSIONS {
        for body in [
            &[][..],
            &[1],
            &[1, 0],
            &[1, 0, 0],
            &[1, 0, 1],
            &[1, 0, 2, 2],
            &[1, 0, 1, 2, 0],
            &[1, 0, 0, 2],
        ] {
            let meeting = answered(version, answering(body));
            let reason = ended(&meeting, 50);
            assert!(matches!(reason, NegotiationError::Malformed(_)));
        }
    }
}

#[test]
fn an_answer_without_extended_master_secret_ends_with_unsupported_extension() {
    let mut server = answering(SOUND);
    server.set_options(NO_EXTENDED_MASTER_SECRET);
    let meeting = answered(SslVersion::TLS1_2, server);
    assert_eq!(meeting.hello_of(Side::Server).extension(23), None);
    let reason = ended(&meeting, 110);
    let expected = NegotiationError::UnsafeTls12 {
        extended_master_secret: false,
        renegotiation_info: true,
    };
    assert_eq!(reason, expected);
}

#[test]
fn an_answer_without_renegotiation_info_ends_with_unsupported_extension() {
    let client = offering(SslVersion::TLS1_2, &[P256]).build();
    let meeting = run(&client, &answering(SOUND).build(), |side, record| {
        if side == Side::Server {
            record.edit_hello(|hello| hello.remove(RENEGOTIATION_INFO));
        }
    });
    let reason = ended(&meeting, 110);
    let expected = NegotiationError::UnsafeTls12 {
        extended_master_secret: true,
        renegotiation_info: false,
    };
    assert_eq!(reason, expected);
}

/// Puts Token Binding into a server's hello.
fn answer_unasked(side: Side, record: &mut Record) {
    if side == Side::Server {
        record.edit_hello(|hello| hello.extensions.push((EXTENSION_TYPE, SOUND.to_vec())));
    }
}

/// A client that knows the extension and does not send it. OpenSSL keeps this rule itself, since
/// `tls::offer` leaves the extension out of no ClientHello.
#[test]
fn an_answer_that_was_not_asked_for_ends_with_unsupported_extension() {
    let mut client = client(SslVersion::TLS1_2);
    let messages = ExtensionContext::CLIENT_HELLO | ExtensionContext::TLS1_2_SERVER_HELLO;
    client
        .add_custom_ext(
            EXTENSION_TYPE,
            messages,
            |_, _, _| Ok(None::<&[u8]>),
            |_, _, _, _| Ok(()),
        )
        .unwrap();
    let meeting = run(&client.build(), &server().build(), answer_unasked);
    assert_eq!(meeting.alert_of(Side::Client), Some(110));
}

#[test]
fn in_tls13_an_answer_in_the_server_hello_ends_with_illegal_parameter() {
    let client = offering(SslVersion::TLS1_3, &[P256]).build();
    let meeting = run(&client, &server().build(), answer_unasked);
    assert_eq!(meeting.alert_of(Side::Client), Some(47));
    assert!(!meeting.client.finished);
}

#[test]
fn in_tls13_an_answer_in_a_hello_retry_request_ends_with_illegal_parameter() {
    let mut server = server();
    server.set_groups_list("P-384").unwrap();
    let mut client = offering(SslVersion::TLS1_3, &[P256]);
    client.set_groups_list("X25519:P-384").unwrap();
    let meeting = run(&client.build(), &server.build(), answer_unasked);
    assert_eq!(meeting.alert_of(Side::Client), Some(47));
    assert!(!meeting.client.finished);
}

#[test]
fn an_answer_that_comes_twice_ends_the_handshake() {
    let client = offering(SslVersion::TLS1_2, &[P256]).build();
    let meeting = run(&client, &answering(SOUND).build(), answer_unasked);
    assert_eq!(meeting.alert_of(Side::Client), Some(47));
    assert!(!meeting.client.finished);
}

/// A server that accepts early data, and the client's session with it.
fn early_data(server: SslContextBuilder) -> Meeting {
    let mut server = server;
    server.set_max_early_data(1024).unwrap();
    let server = server.build();
    let mut client = offering(SslVersion::TLS1_3, &[P256]);
    let sessions = keep_sessions(&mut client);
    let client = client.build();
    let (near, far) = connect(&client, &server, None);
    let (mut near, mut far) = (near.unwrap(), far.unwrap());
    read_tickets(&mut near, &mut far);
    let session = sessions.lock().unwrap().pop().unwrap();
    assert_eq!(session.max_early_data(), 1024);

    let near = resuming(&client, Some(&session));
    let far = Ssl::new(&server).unwrap();
    meet(
        |stream| {
            let mut stream = SslStream::new(near, stream).unwrap();
            assert_eq!(stream.write_early_data(b"early").unwrap(), 5);
            match stream.connect() {
                Ok(()) => End::finished(&stream),
                Err(error) => End::failed(stream.ssl(), &error),
            }
        },
        |stream| {
            let mut stream = SslStream::new(far, stream).unwrap();
            let mut early = [0; 16];
            let read = stream.read_early_data(&mut early);
            match read.and_then(|_| stream.accept()) {
                Ok(()) => End::finished(&stream),
                Err(error) => End::failed(stream.ssl(), &error),
            }
        },
        unchanged,
    )
}

#[test]
fn an_answer_together_with_accepted_early_data_ends_with_illegal_parameter() {
    let meeting = early_data(answering(SOUND));
    assert_eq!(ended(&meeting, 47), NegotiationError::EarlyData);
}

#[test]
fn early_data_that_a_server_accepts_without_an_answer_goes_on_unbound() {
    let meeting = early_data(server());
    assert_eq!(meeting.client.key_type(), None);
    assert!(meeting.client.resumed);
}
