//! What signing and verifying costs here, beside the bare primitives of the same library.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use divan::Bencher;
use tempfile::TempDir;
use tokenbinding::{Binder, Config, Ekm, KeyType, ProviderChoice, TokenBindingType, Verifier};

const TARGET: &str = "https://www.example.com/path";

fn main() {
    divan::main();
}

fn binder() -> (TempDir, Binder) {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        provider: Some(ProviderChoice::Software),
        store: Some(dir.path().join("store")),
        ..Config::default()
    };
    (dir, Binder::open(&config).unwrap())
}

fn ekm() -> Ekm {
    Ekm::new([7; 32])
}

mod sign {
    use super::*;

    #[divan::bench]
    fn bare_p256(bencher: Bencher<'_, '_>) {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let random = SystemRandom::new();
        bencher.bench(|| pair.sign(&random, &[7; 34]).unwrap());
    }

    #[divan::bench]
    fn software_warm(bencher: Bencher<'_, '_>) {
        let (_dir, binder) = binder();
        let (key, provided) = (KeyType::EcdsaP256, TokenBindingType::Provided);
        bencher.bench(|| {
            binder
                .generate_binding(TARGET, key, provided, &ekm())
                .unwrap()
        });
    }
}

#[divan::bench_group]
mod verify {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, KeyPair as _, UnparsedPublicKey};

    use super::*;

    #[divan::bench]
    fn bare_p256(bencher: Bencher<'_, '_>) {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let signature = pair.sign(&SystemRandom::new(), &[7; 34]).unwrap();
        let public_key = pair.public_key().as_ref().to_vec();
        bencher.bench(|| {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &public_key)
                .verify(&[7; 34], signature.as_ref())
                .unwrap();
        });
    }

    #[divan::bench(args = KeyType::ALL)]
    fn message(bencher: Bencher<'_, '_>, kind: KeyType) {
        let (_dir, binder) = binder();
        let provided = TokenBindingType::Provided;
        let binding = binder
            .generate_binding(TARGET, kind, provided, &ekm())
            .unwrap();
        let message = Binder::generate_message(&[binding]).unwrap();
        bencher.bench(|| Verifier::new(kind).verify(&message, &ekm()).unwrap());
    }
}

#[divan::bench]
fn parse(bencher: Bencher<'_, '_>) {
    let (_dir, binder) = binder();
    let (key, provided) = (KeyType::EcdsaP256, TokenBindingType::Provided);
    let binding = binder
        .generate_binding(TARGET, key, provided, &ekm())
        .unwrap();
    let message = Binder::generate_message(&[binding]).unwrap();
    bencher.bench(|| tokenbinding::TokenBindingMessage::parse(&message).unwrap());
}
