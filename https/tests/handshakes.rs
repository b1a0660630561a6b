//! Negotiation between the two sides of this crate, over real handshakes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::{Arc, Mutex};

use openssl::ssl::{SslContext, SslVersion};
use tokenbinding::KeyType;
use tokenbinding_https::tls::{self, TokenBound};

use self::support::{
    P256, VERSIONS, client, connect, keep_sessions, offering, read_tickets, server, supporting,
};

/// What both sides say, which must be the same.
fn agreed(client: &SslContext, server: &SslContext) -> Option<TokenBound> {
    let (near, far) = connect(client, server, None);
    same(near.unwrap().ssl(), far.unwrap().ssl())
}

fn same(near: &openssl::ssl::SslRef, far: &openssl::ssl::SslRef) -> Option<TokenBound> {
    let (near, far) = (tls::outcome(near).unwrap(), tls::outcome(far).unwrap());
    match (&near, &far) {
        (None, None) => (),
        (Some(near), Some(far)) => {
            assert_eq!(near.negotiated, far.negotiated);
            assert_eq!(near.ekm, far.ekm);
        }
        _ => panic!("one side negotiated alone: {near:?}, {far:?}"),
    }
    near
}

#[test]
fn both_sides_agree_on_the_servers_preference_and_export_the_same() {
    let server = supporting(&[KeyType::Rsa2048Pss, P256]).build();
    for version in VERSIONS {
        for (offer, key_type) in [
            (&[P256, KeyType::Rsa2048Pss][..], KeyType::Rsa2048Pss),
            (&[P256], P256),
        ] {
            let bound = agreed(&offering(version, offer).build(), &server).unwrap();
            assert_eq!(bound.negotiated.key_type, key_type);
        }
    }
}

#[test]
fn without_common_ground_the_connection_goes_on_without_token_binding() {
    for version in VERSIONS {
        let pss = supporting(&[KeyType::Rsa2048Pss]).build();
        assert!(agreed(&offering(version, &[P256]).build(), &pss).is_none());
        assert!(agreed(&offering(version, &[P256]).build(), &server().build()).is_none());
        assert!(agreed(&client(version).build(), &supporting(&[P256]).build()).is_none());
    }
}

#[test]
fn two_connections_never_export_the_same() {
    let server = supporting(&[P256]).build();
    for version in VERSIONS {
        let client = offering(version, &[P256]).build();
        let (one, other) = (agreed(&client, &server), agreed(&client, &server));
        assert_ne!(one.unwrap().ekm, other.unwrap().ekm);
    }
}

#[test]
fn a_resumed_connection_negotiates_anew() {
    let server = supporting(&[P256]).build();
    for version in VERSIONS {
        let mut client = offering(version, &[P256]);
        let sessions = keep_sessions(&mut client);
        let client = client.build();
        let (near, far) = connect(&client, &server, None);
        let (mut near, mut far) = (near.unwrap(), far.unwrap());
        read_tickets(&mut near, &mut far);
        let first = same(near.ssl(), far.ssl()).unwrap();
        let session = sessions.lock().unwrap().pop().unwrap();

        let (near, far) = connect(&client, &server, Some(&session));
        let (near, far) = (near.unwrap(), far.unwrap());
        assert!(near.ssl().session_reused());
        let resumed = same(near.ssl(), far.ssl()).unwrap();
        assert_eq!(resumed.negotiated, first.negotiated);
        assert_ne!(resumed.ekm, first.ekm);

        let plain = self::server().build();
        let (near, _far) = connect(&client, &plain, Some(&session));
        assert!(tls::outcome(near.unwrap().ssl()).unwrap().is_none());
    }
}

#[test]
fn a_hello_retry_request_changes_nothing() {
    let mut server = supporting(&[P256]);
    server.set_groups_list("P-384").unwrap();
    let mut client = offering(SslVersion::TLS1_3, &[P256]);
    client.set_groups_list("X25519:P-384").unwrap();
    assert!(agreed(&client.build(), &server.build()).is_some());
}

#[test]
fn the_callers_own_callbacks_and_alpn_stay() {
    for version in VERSIONS {
        let seen: Arc<Mutex<Vec<&str>>> = Arc::default();
        let mut server = supporting(&[P256]);
        let note = Arc::clone(&seen);
        server.set_client_hello_callback(move |_, _| {
            note.lock().unwrap().push("client hello");
            Ok(openssl::ssl::ClientHelloResponse::SUCCESS)
        });
        let note = Arc::clone(&seen);
        server.set_servername_callback(move |_, _| {
            note.lock().unwrap().push("server name");
            Ok(())
        });
        server.set_alpn_select_callback(|_, offered| {
            openssl::ssl::select_next_proto(b"\x02h2", offered)
                .ok_or(openssl::ssl::AlpnError::NOACK)
        });
        let mut client = offering(version, &[P256]);
        client.set_alpn_protos(b"\x08http/1.1\x02h2").unwrap();
        let (near, far) = connect(&client.build(), &server.build(), None);
        let (near, far) = (near.unwrap(), far.unwrap());
        assert!(same(near.ssl(), far.ssl()).is_some());
        assert_eq!(near.ssl().selected_alpn_protocol(), Some(&b"h2"[..]));
        assert_eq!(*seen.lock().unwrap(), ["client hello", "server name"]);
    }
}

#[test]
fn a_context_is_prepared_once() {
    let mut context = offering(SslVersion::TLS1_3, &[P256]);
    let again = tokenbinding::negotiation::Offer::new(&[P256]).unwrap();
    assert!(tls::offer(&mut context, again).is_err());
}
