//! What the two ends of a connection remember, and what they never may.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    sync::{Arc, Barrier},
    thread,
};

use tokenbinding::{
    Binder, Ekm, KeyType, Policy, Rejection, Verifier,
    connection::{ClientConnection, Referrer, ServerConnection},
    key_map::KeyMap,
};
use tokenbinding_backend::fake::FakeDevice;

const P256: KeyType = KeyType::EcdsaP256;
const A: &str = "https://a.example/";
const B: &str = "https://b.example/";

fn binder(device: &FakeDevice) -> Arc<Binder> {
    let map = KeyMap::in_memory().unwrap();
    Arc::new(Binder::with_backend(map, device.open()))
}

const fn ekm() -> Ekm {
    Ekm::new([0x5a; 32])
}

fn client(binder: &Arc<Binder>) -> ClientConnection {
    ClientConnection::new(Arc::clone(binder), P256, ekm())
}

fn referrer(target: &str) -> Referrer {
    Referrer {
        target: target.to_owned(),
        key_type: P256,
    }
}

#[test]
fn a_connection_signs_once_for_each_scope() {
    let device = FakeDevice::new("1");
    let binder = binder(&device);
    binder.id(A, P256).unwrap();
    binder.id(B, P256).unwrap();
    device.inject([]);
    let connection = client(&binder);
    let header = connection.header(A).unwrap();
    for target in [A, "https://www.a.example/path", A, "a.example"] {
        assert_eq!(connection.header(target).unwrap(), header);
    }
    assert_eq!(device.calls(), 1);
    assert_ne!(connection.header(B).unwrap(), header);
    assert_eq!(connection.header(A).unwrap(), header);
    assert_eq!(device.calls(), 2);
    assert_ne!(client(&binder).header(A).unwrap(), header);
}

#[test]
fn requests_that_start_together_cost_one_signature() {
    let device = FakeDevice::new("1");
    let binder = binder(&device);
    binder.id(A, P256).unwrap();
    device.inject([]);
    let connection = client(&binder);
    let barrier = Barrier::new(16);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                barrier.wait();
                connection.header(A).unwrap();
            });
        }
    });
    assert_eq!(device.calls(), 1);
}

#[test]
fn a_deleted_keys_header_is_not_sent_again() {
    let device = FakeDevice::new("1");
    let binder = binder(&device);
    let connection = client(&binder);
    let (old, id) = (connection.header(A).unwrap(), connection.key(A).unwrap().id);
    binder.delete(A).unwrap();
    assert_ne!(connection.header(A).unwrap(), old);
    assert_ne!(connection.key(A).unwrap().id, id);
}

#[test]
fn a_deletion_elsewhere_costs_the_other_targets_no_signature() {
    let device = FakeDevice::new("1");
    let binder = binder(&device);
    let connection = client(&binder);
    let header = connection.header(A).unwrap();
    connection.header(B).unwrap();
    binder.delete(B).unwrap();
    device.inject([]);
    assert_eq!(connection.header(A).unwrap(), header);
    assert_eq!(device.calls(), 0);
}

#[test]
fn a_connection_with_very_many_targets_signs_for_all_of_them() {
    let binder = binder(&FakeDevice::new("1"));
    let connection = client(&binder);
    let server = ServerConnection::new(P256, ekm());
    for n in 0..200 {
        let target = format!("https://site-{n}.example/");
        let header = connection.header(&target).unwrap();
        let verified = server.verify_header(&header).unwrap();
        let id = connection.key(&target).unwrap().id;
        assert_eq!(*verified.provided().unwrap().id(), id);
    }
}

#[test]
fn a_referred_binding_is_signed_over_the_connection_it_is_sent_on() {
    let binder = binder(&FakeDevice::new("1"));
    let consumer = ClientConnection::new(Arc::clone(&binder), P256, Ekm::new([1; 32]));
    consumer.header(A).unwrap();
    let provider = client(&binder);
    let header = provider.header_with_referred(B, &referrer(A)).unwrap();
    let bindings = Verifier::new(P256).verify_header(&header, &ekm()).unwrap();
    let id = |end: &ClientConnection, target| end.key(target).unwrap().id;
    assert_eq!(*bindings.provided().unwrap().id(), id(&provider, B));
    assert_eq!(*bindings.referred().unwrap().id(), id(&consumer, A));
    assert_ne!(provider.header(B).unwrap(), header);
}

#[test]
fn a_referrers_key_that_is_gone_is_not_made_anew() {
    let device = FakeDevice::new("1");
    let connection = client(&binder(&device));
    let header = connection.header_with_referred(B, &referrer(A)).unwrap();
    assert_eq!(header, connection.header(B).unwrap());
    assert_eq!(device.keys().len(), 1);
}

#[test]
fn a_header_is_verified_for_its_own_connection_alone() {
    let binder = binder(&FakeDevice::new("1"));
    let header = client(&binder).header(A).unwrap();
    let mine = ServerConnection::new(P256, ekm());
    let other = ServerConnection::new(P256, Ekm::new([0; 32]));
    for _ in 0..2 {
        assert!(mine.verify_header(&header).is_ok());
        let rejected = other.verify_header(&header);
        assert_eq!(rejected, Err(Rejection::BadSignature { binding: 0 }));
    }
}

#[test]
fn a_verified_header_is_not_verified_again() {
    let binder = binder(&FakeDevice::new("1"));
    let header = client(&binder).header(A).unwrap();
    let server = ServerConnection::new(P256, ekm()).with_policy(Policy::Default);
    let first = server.verify_header(&header).unwrap();
    let again = server.verify_header(&header).unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    let changed = header.replacen('A', "B", 1);
    assert!(server.verify_header(&changed).is_err());
}
