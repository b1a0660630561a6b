//! A key map with 100,000 targets.

use std::hint::black_box;

use tokenbinding::key_map::KeyMap;
use tokenbinding_benches::{Row, alone, store};

use super::P256;

const TARGETS: usize = 100_000;

pub(super) fn rows() -> Vec<Row> {
    let store = store::of_targets(TARGETS);
    let path = store.path();
    let open = alone(100, || drop(black_box(KeyMap::open(path).unwrap())));
    let map = KeyMap::open(path).unwrap();
    let mut number = 0;
    let look_up = alone(300, || {
        // A walk through all of them without an order that a cache could like.
        number = (number + 61_803) % TARGETS;
        let row = map
            .get(&store::id_of_target(number), P256, store::DEVICE)
            .unwrap();
        assert!(row.is_some());
    });
    vec![
        Row::alone("map-open-100000", &open, 10e6),
        Row::alone("map-lookup-100000", &look_up, 50e3),
    ]
}
