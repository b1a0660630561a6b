//! What each end of a connection remembers, and that it asks no device again.

use std::{hint::black_box, sync::Arc};

use tokenbinding::{
    Binder,
    connection::{ClientConnection, ServerConnection},
    key_map::KeyMap,
};
use tokenbinding_backend::fake::FakeDevice;
use tokenbinding_benches::{Row, alone};

use super::{P256, TARGET, ekm};

pub(super) fn rows() -> Vec<Row> {
    let store = tempfile::tempdir().unwrap();
    let device = FakeDevice::new("counted");
    let map = KeyMap::open(store.path()).unwrap();
    let binder = Arc::new(Binder::with_backend(map, device.open()));
    let client = ClientConnection::new(binder, P256, ekm());
    let header = client.header(TARGET).unwrap();
    let server = ServerConnection::new(P256, ekm());
    server.verify_header(&header).unwrap();
    device.inject([]);
    let cached = alone(300, || {
        drop(black_box(client.header(black_box(TARGET)).unwrap()));
    });
    let verified = alone(300, || {
        drop(black_box(server.verify_header(black_box(&header)).unwrap()));
    });
    vec![
        Row::alone("connection-cached", &cached, 200.0).with_operations(device.calls(), 0),
        Row::alone("verify-cached", &verified, 100.0),
    ]
}
