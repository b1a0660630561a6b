//! The software keystore: a whole binding against one P-256 signature of the same library.

use std::hint::black_box;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use tempfile::TempDir;
use tokenbinding::{Binder, Config, ProviderChoice};
use tokenbinding_benches::{Limit, Row, paired, speedup};

use super::{P256, PROVIDED, TARGET, ekm};

pub(super) fn rows() -> Vec<Row> {
    let (_store, binder) = binder();
    let ekm = ekm();
    let bind = || {
        binder
            .generate_binding(TARGET, P256, PROVIDED, &ekm)
            .unwrap()
    };
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let data = ekm.signed_data(PROVIDED, P256);
    let sign = || pair.sign(&SystemRandom::new(), data.as_bytes()).unwrap();
    let warm = paired(
        300,
        || drop(bind()),
        || {
            black_box(sign());
        },
    );
    let threads = speedup(21, || drop(bind()));
    vec![
        Row::paired("software-warm", &warm, Limit::RatioAtMost, 1.25),
        Row::threads("software-2-threads", &threads, 1.8),
    ]
}

pub(super) fn binder() -> (TempDir, Binder) {
    let store = tempfile::tempdir().unwrap();
    let config = Config {
        provider: Some(ProviderChoice::Software),
        store: Some(store.path().join("store")),
        ..Config::default()
    };
    let binder = Binder::open(&config).unwrap();
    (store, binder)
}
