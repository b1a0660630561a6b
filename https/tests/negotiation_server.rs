//! The server's context against clients that offer as they please (RFC 8472 §3): what is answered
//! on the wire, and what comes of it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use openssl::ssl::{
    ExtensionContext, Ssl, SslContext, SslContextBuilder, SslOptions, SslSession, SslStream,
    SslVersion,
};
use tokenbinding::KeyType;
use tokenbinding_https::tls::{self, OutcomeError};

use self::support::{
    P256, VERSIONS, client, connect, keep_sessions, read_tickets, renegotiate, resuming, server,
    supporting,
    wire::{End, Meeting, Record, Side, meet, unchanged},
};

const TOKEN_BINDING: u16 = 24;
const EXTENDED_MASTER_SECRET: u16 = 23;
const RENEGOTIATION_INFO: u16 = 0xff01;
/// `TLS_EMPTY_RENEGOTIATION_INFO_SCSV` (RFC 5746 §3.3).
const SCSV: [u8; 2] = [0x00, 0xff];
/// `SSL_OP_NO_EXTENDED_MASTER_SECRET` of OpenSSL 3.
const NO_EXTENDED_MASTER_SECRET: SslOptions = SslOptions::from_bits_retain(1);
const SOUND: &[u8] = &[1, 0, 1, 2];

/// The bodies of the answers that a client got.
type Answers = Arc<Mutex<Vec<Vec<u8>>>>;
/// The bodies of a client's offers, one for each ClientHello; `None` leaves the extension out.
type Offers = Arc<Mutex<VecDeque<Option<Vec<u8>>>>>;

/// Has a client send these, and note what is answered. The last offer is sent again and again.
fn ask(context: &mut SslContextBuilder, offers: &[Option<&[u8]>]) -> (Offers, Answers) {
    let offers = offers.iter().map(|offer| offer.map(<[u8]>::to_vec));
    let offers: Offers = Arc::new(Mutex::new(offers.collect()));
    let answers = Answers::default();
    let messages = ExtensionContext::CLIENT_HELLO
        | ExtensionContext::TLS1_2_SERVER_HELLO
        | ExtensionContext::TLS1_3_ENCRYPTED_EXTENSIONS;
    let (sending, noting) = (Arc::clone(&offers), Arc::clone(&answers));
    context
        .add_custom_ext(
            TOKEN_BINDING,
            messages,
            move |_, _, _| {
                let mut offers = sending.lock().unwrap();
                let next = if offers.len() > 1 {
                    offers.pop_front().unwrap()
                } else {
                    offers[0].clone()
                };
                Ok(next)
            },
            move |_, _, answer, _| {
                noting.lock().unwrap().push(answer.to_vec());
                Ok(())
            },
        )
        .unwrap();
    (offers, answers)
}

fn run(
    client: &SslContext,
    server: &SslContext,
    session: Option<&SslSession>,
    edit: impl Fn(Side, &mut Record) + Sync,
) -> Meeting {
    let (near, far) = (resuming(client, session), Ssl::new(server).unwrap());
    meet(
        |stream| End::of(near.connect(stream)),
        |stream| End::of(far.accept(stream)),
        edit,
    )
}

/// What the server answers to one offer, and how the handshake ended.
fn offered(version: SslVersion, body: &[u8]) -> (Meeting, Option<Vec<u8>>) {
    let mut client = client(version);
    let (_, answers) = ask(&mut client, &[Some(body)]);
    let server = supporting(&[P256, KeyType::Rsa2048Pss]).build();
    let meeting = run(&client.build(), &server, None, unchanged);
    let answer = answers.lock().unwrap().pop();
    (meeting, answer)
}

#[test]
fn each_offer_gets_the_lower_version_and_one_known_key_type_or_no_answer() {
    for version in VERSIONS {
        for (offer, expected) in [
            (&[1, 0, 1, 2][..], Some((P256, [1, 0, 1, 2]))),
            (&[1, 0, 3, 0, 1, 2], Some((P256, [1, 0, 1, 2]))),
            (&[1, 0, 1, 1], Some((KeyType::Rsa2048Pss, [1, 0, 1, 1]))),
            (&[1, 1, 1, 2], Some((P256, [1, 0, 1, 2]))),
            (&[2, 0, 1, 2], Some((P256, [1, 0, 1, 2]))),
            (&[1, 0, 3, 2, 2, 2], Some((P256, [1, 0, 1, 2]))),
            (&[1, 0, 3, 99, 255, 2], Some((P256, [1, 0, 1, 2]))),
            (&[0, 13, 1, 2], None),
            (&[0, 255, 1, 2], None),
            (&[1, 0, 1, 0], None),
            (&[1, 0, 2, 99, 255], None),
        ] {
            let (meeting, answer) = offered(version, offer);
            let (key_type, body) = expected.unzip();
            assert_eq!(
                answer.as_deref(),
                body.as_ref().map(|body| &body[..]),
                "{offer:?}"
            );
            assert_eq!(meeting.server.key_type(), key_type, "{offer:?}");
            assert!(meeting.client.finished);
        }
    }
}

#[test]
fn the_longest_offer_is_read_to_its_end() {
    let mut offer = vec![1, 0, 255];
    offer.extend([99; 254]);
    offer.push(2);
    for version in VERSIONS {
        let (meeting, _) = offered(version, &offer);
        assert_eq!(meeting.server.key_type(), Some(P256));
    }
}

#[test]
fn an_offer_that_cannot_be_read_ends_with_decode_error() {
    for version in VERSIONS {
        for offer in [
            &[][..],
            &[1],
            &[1, 0],
            &[1, 0, 0],
            &[1, 0, 1],
            &[1, 0, 2, 2],
            &[1, 0, 1, 2, 2],
            &[1, 0, 0, 2],
            &[0, 13, 0],
        ] {
            let (meeting, _) = offered(version, offer);
            assert_eq!(meeting.alert_of(Side::Server), Some(50), "{offer:?}");
            assert!(meeting.alert_in_the_clear(Side::Server));
            assert!(!meeting.client.finished && !meeting.server.finished);
        }
    }
}

#[test]
fn an_offer_that_comes_twice_ends_the_handshake() {
    for version in VERSIONS {
        let mut client = client(version);
        ask(&mut client, &[Some(SOUND)]);
        let again = |side, record: &mut Record| {
            if side == Side::Client {
                record
                    .edit_hello(|hello| hello.extensions.insert(0, (TOKEN_BINDING, SOUND.into())));
            }
        };
        let meeting = run(&client.build(), &supporting(&[P256]).build(), None, again);
        assert_eq!(meeting.alert_of(Side::Server), Some(47));
    }
}

#[test]
fn without_extended_master_secret_nothing_is_answered_and_the_connection_goes_on() {
    let mut client = client(SslVersion::TLS1_2);
    client.set_options(NO_EXTENDED_MASTER_SECRET);
    let (_, answers) = ask(&mut client, &[Some(SOUND)]);
    let meeting = run(
        &client.build(),
        &supporting(&[P256]).build(),
        None,
        unchanged,
    );
    assert_eq!(
        meeting
            .hello_of(Side::Client)
            .extension(EXTENDED_MASTER_SECRET),
        None
    );
    assert_eq!(meeting.server.key_type(), None);
    assert!(meeting.client.finished);
    assert!(answers.lock().unwrap().is_empty());
}

/// The wire takes it out, so that the handshake cannot finish: the server's hello is what counts.
#[test]
fn without_renegotiation_info_nothing_is_answered() {
    let strip = |side, record: &mut Record| {
        if side == Side::Client {
            record.edit_hello(|hello| {
                hello.remove(RENEGOTIATION_INFO);
                hello.cipher_suites.retain(|suite| *suite != SCSV);
            });
        }
    };
    for (strips, answer) in [(false, Some(SOUND)), (true, None)] {
        let mut client = client(SslVersion::TLS1_2);
        ask(&mut client, &[Some(SOUND)]);
        let server = supporting(&[P256]).build();
        let meeting = run(&client.build(), &server, None, |side, record| {
            if strips {
                strip(side, record);
            }
        });
        let hello = meeting.hello_of(Side::Server);
        assert_eq!(hello.extension(TOKEN_BINDING), answer);
        assert_eq!(hello.extension(RENEGOTIATION_INFO).is_some(), !strips);
    }
}

/// A client may send either (RFC 5746 §3.4). The wire puts the one in the place of the other, so
/// that the handshake cannot finish.
#[test]
fn the_renegotiation_suite_stands_for_the_extension() {
    for scsv in [false, true] {
        let mut client = client(SslVersion::TLS1_2);
        ask(&mut client, &[Some(SOUND)]);
        let server = supporting(&[P256]).build();
        let meeting = run(&client.build(), &server, None, |side, record| {
            if side == Side::Client {
                record.edit_hello(|hello| {
                    hello.remove(RENEGOTIATION_INFO);
                    hello.cipher_suites.retain(|suite| *suite != SCSV);
                    if scsv {
                        hello.cipher_suites.push(SCSV);
                    } else {
                        hello.extensions.insert(0, (RENEGOTIATION_INFO, vec![0]));
                    }
                });
            }
        });
        let hello = meeting.hello_of(Side::Server);
        assert_eq!(hello.extension(TOKEN_BINDING), Some(SOUND));
    }
}

#[test]
fn after_a_hello_retry_request_the_second_hello_alone_counts() {
    for (offers, expected) in [
        (
            [Some(SOUND), Some(&[1, 0, 1, 1][..])],
            Some(KeyType::Rsa2048Pss),
        ),
        ([Some(&[1, 0, 1, 1]), Some(SOUND)], Some(P256)),
        ([Some(SOUND), Some(&[0, 13, 1, 2])], None),
        ([Some(SOUND), None], None),
        ([None, Some(SOUND)], Some(P256)),
    ] {
        let mut server = supporting(&[P256, KeyType::Rsa2048Pss]);
        server.set_groups_list("P-384").unwrap();
        let mut client = client(SslVersion::TLS1_3);
        client.set_groups_list("X25519:P-384").unwrap();
        let (left, answers) = ask(&mut client, &offers);
        let meeting = run(&client.build(), &server.build(), None, unchanged);
        assert_eq!(left.lock().unwrap().len(), 1, "there was no second hello");
        assert_eq!(meeting.server.key_type(), expected, "{offers:?}");
        assert_eq!(
            answers.lock().unwrap().len(),
            usize::from(expected.is_some())
        );
    }
}

/// The session of a first connection, in which the client sends `offer`.
fn session(
    client: &SslContext,
    server: &SslContext,
    sessions: &Mutex<Vec<SslSession>>,
) -> SslSession {
    let (near, far) = connect(client, server, None);
    let (mut near, mut far) = (near.unwrap(), far.unwrap());
    read_tickets(&mut near, &mut far);
    // OpenSSL forgets the session of a connection that ends otherwise.
    far.shutdown().unwrap();
    sessions.lock().unwrap().pop().unwrap()
}

#[test]
fn a_resumed_connection_that_offers_nothing_is_not_bound() {
    for version in VERSIONS {
        let server = supporting(&[P256]).build();
        for (offers, expected) in [
            ([Some(SOUND), None], None),
            ([None, Some(SOUND)], Some(P256)),
            ([Some(SOUND), Some(&[1, 0, 1, 0][..])], None),
        ] {
            let mut client = client(version);
            ask(&mut client, &offers);
            let sessions = keep_sessions(&mut client);
            let client = client.build();
            let session = session(&client, &server, &sessions);
            let meeting = run(&client, &server, Some(&session), unchanged);
            assert!(meeting.client.resumed && meeting.server.resumed);
            assert_eq!(meeting.server.key_type(), expected);
        }
    }
}

/// A client's context with or without extended master secret, whose sessions are kept.
fn with_master_secret(
    extended: bool,
    bodies: &[Option<&[u8]>],
) -> (SslContext, Arc<Mutex<Vec<SslSession>>>) {
    let mut client = client(SslVersion::TLS1_2);
    if !extended {
        client.set_options(NO_EXTENDED_MASTER_SECRET);
    }
    ask(&mut client, bodies);
    let sessions = keep_sessions(&mut client);
    (client.build(), sessions)
}

#[test]
fn a_session_without_extended_master_secret_binds_nothing() {
    let server = supporting(&[P256]).build();
    let (plain, sessions) = with_master_secret(false, &[Some(SOUND)]);
    let old = session(&plain, &server, &sessions);
    let meeting = run(&plain, &server, Some(&old), unchanged);
    assert!(meeting.server.resumed);
    assert_eq!(meeting.server.key_type(), None);

    // A client that has it now must not resume such a session (RFC 7627 §5.3).
    let (extended, _) = with_master_secret(true, &[Some(SOUND)]);
    let meeting = run(&extended, &server, Some(&old), unchanged);
    assert!(!meeting.server.resumed);
    assert_eq!(meeting.server.key_type(), Some(P256));

    // Nor may one be resumed without that was made with it.
    let (extended, sessions) = with_master_secret(true, &[Some(SOUND)]);
    let new = session(&extended, &server, &sessions);
    let meeting = run(&plain, &server, Some(&new), unchanged);
    assert!(!meeting.server.finished);
    assert!(meeting.alert_of(Side::Server).is_some());
}

#[test]
fn a_server_that_loses_extended_master_secret_afterwards_closes_the_connection() {
    let mut server = supporting(&[P256]);
    server.set_options(NO_EXTENDED_MASTER_SECRET);
    let mut client = client(SslVersion::TLS1_2);
    ask(&mut client, &[Some(SOUND)]);
    let meeting = run(&client.build(), &server.build(), None, unchanged);
    assert!(meeting.server.outcome.is_err(), "{meeting:?}");
}

/// A second connection with early data to a server whose owner turned it on after
/// [`tls::support`]; `accepts` says whether it still does then.
fn with_early_data(accepts: bool) -> (Meeting, usize) {
    let mut server = supporting(&[P256]);
    server.set_max_early_data(1024).unwrap();
    let server = server.build();
    let mut client = client(SslVersion::TLS1_3);
    ask(&mut client, &[Some(SOUND)]);
    let sessions = keep_sessions(&mut client);
    let client = client.build();
    let session = session(&client, &server, &sessions);
    let near = resuming(&client, Some(&session));
    let mut far = Ssl::new(&server).unwrap();
    if !accepts {
        far.set_max_early_data(0).unwrap();
    }
    let read = Mutex::new(0);
    let meeting = meet(
        |stream| {
            let mut stream = SslStream::new(near, stream).unwrap();
            stream.write_early_data(b"early").unwrap();
            match stream.connect() {
                Ok(()) => End::finished(&stream),
                Err(error) => End::failed(stream.ssl(), &error),
            }
        },
        |stream| {
            let mut stream = SslStream::new(far, stream).unwrap();
            let early = stream.read_early_data(&mut [0; 16]);
            let accepted = early.and_then(|count| {
                *read.lock().unwrap() = count;
                stream.accept()
            });
            match accepted {
                Ok(()) => End::finished(&stream),
                Err(error) => End::failed(stream.ssl(), &error),
            }
        },
        unchanged,
    );
    (meeting, read.into_inner().unwrap())
}

#[test]
fn early_data_and_an_answer_exclude_each_other() {
    let (meeting, early) = with_early_data(true);
    assert_eq!(early, 5);
    assert_eq!(meeting.server.key_type(), None);
    let (meeting, early) = with_early_data(false);
    assert_eq!(early, 0);
    assert_eq!(meeting.server.key_type(), Some(P256));
}

#[test]
fn a_servers_tickets_promise_no_early_data() {
    let mut context = server();
    context.set_max_early_data(1024).unwrap();
    let support = tokenbinding::negotiation::Support::default();
    tls::support(&mut context, support).unwrap();
    let server = context.build();
    let mut client = client(SslVersion::TLS1_3);
    let sessions = keep_sessions(&mut client);
    let session = session(&client.build(), &server, &sessions);
    assert_eq!(session.max_early_data(), 0);
}

#[test]
fn a_client_cannot_renegotiate_nor_shed_its_binding_by_trying() {
    use std::io::Read as _;
    let mut client = client(SslVersion::TLS1_2);
    ask(&mut client, &[Some(SOUND), None]);
    let (near, far) = connect(&client.build(), &supporting(&[P256]).build(), None);
    let (mut near, mut far) = (near.unwrap(), far.unwrap());
    let before = tls::outcome(far.ssl()).unwrap().unwrap();
    let refused = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            renegotiate(&near);
            refused.store(near.do_handshake().is_err(), Ordering::Relaxed);
            drop(near);
        });
        // Reads the client's hello, and nothing that was meant for it.
        let read = far.read(&mut [0; 16]);
        assert!(matches!(read, Ok(0) | Err(_)));
    });
    assert!(refused.into_inner());
    // Bound as before, or to be closed: never a connection without Token Binding.
    match tls::outcome(far.ssl()) {
        Ok(after) => assert_eq!(after.map(|bound| bound.ekm), Some(before.ekm)),
        Err(error) => assert!(matches!(error, OutcomeError::Negotiation(_)), "{error}"),
    }
}
