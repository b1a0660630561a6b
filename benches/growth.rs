//! What the cost grows with: targets in the key map, objects on the token, bindings in a message.
//!
//! `make bench-growth` prints it; a name as the argument runs a part of it.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::{
    env,
    process::Command,
    sync::{LazyLock, Mutex, MutexGuard},
};

use divan::Bencher;
use tempfile::TempDir;
use tokenbinding::{
    Binder, Config, Ekm, KeyType, Policy, ProviderChoice, TokenBindingType, Verifier,
};
use tokenbinding_benches::store;
use tokenbinding_devices::softhsm::{self, SoftHsm};

const P256: KeyType = KeyType::EcdsaP256;
const PROVIDED: TokenBindingType = TokenBindingType::Provided;

fn main() {
    if env::var_os(softhsm::CONFIGURATION).is_some() {
        return divan::main();
    }
    // SoftHSM is configured by the environment, which is read once: begin again with one.
    let softhsm = SoftHsm::start(&token_objects::COUNTS.map(token_objects::LABEL));
    for count in token_objects::COUNTS {
        softhsm.crowd(token_objects::LABEL(count), count / 2);
    }
    let mut again = Command::new(env::current_exe().unwrap());
    again
        .args(env::args_os().skip(1))
        .envs(softhsm.environment());
    assert!(again.status().unwrap().success());
}

fn ekm() -> Ekm {
    Ekm::new([7; Ekm::LEN])
}

fn bind(binder: &Binder, target: &str) {
    binder
        .generate_binding(target, P256, PROVIDED, &ekm())
        .unwrap();
}

/// Targets that the key map has keys for.
mod targets {
    use super::*;

    const COUNTS: [usize; 3] = [10, 1_000, 100_000];

    fn config(targets: usize) -> (TempDir, Config) {
        let dir = store::of_targets(targets);
        let config = Config {
            provider: Some(ProviderChoice::Software),
            store: Some(dir.path().to_owned()),
            ..Config::default()
        };
        Binder::open(&config)
            .unwrap()
            .id("new.example", P256)
            .unwrap();
        (dir, config)
    }

    #[divan::bench(args = COUNTS)]
    fn open_the_key_map_and_sign(bencher: Bencher<'_, '_>, targets: usize) {
        let (_dir, config) = config(targets);
        bencher.bench(|| bind(&Binder::open(&config).unwrap(), "new.example"));
    }

    #[divan::bench(args = COUNTS)]
    fn sign_with_a_key_in_use(bencher: Bencher<'_, '_>, targets: usize) {
        let (_dir, config) = config(targets);
        let binder = Binder::open(&config).unwrap();
        bencher.bench(|| bind(&binder, "new.example"));
    }

    #[divan::bench(args = COUNTS)]
    fn make_a_key_and_sign(bencher: Bencher<'_, '_>, targets: usize) {
        let (_dir, config) = config(targets);
        let binder = Binder::open(&config).unwrap();
        let number = Mutex::new(0);
        bencher
            .with_inputs(|| {
                let mut number = number.lock().unwrap();
                *number += 1;
                format!("made-{number}.example")
            })
            .bench_refs(|target| bind(&binder, target));
    }

    #[divan::bench(args = COUNTS, sample_count = 10)]
    fn list_all_keys(bencher: Bencher<'_, '_>, targets: usize) {
        let (_dir, config) = config(targets);
        let binder = Binder::open(&config).unwrap();
        bencher.bench(|| binder.list().unwrap());
    }
}

/// Objects on the PKCS#11 token: two for each key pair.
mod token_objects {
    use super::*;

    pub(super) const COUNTS: [usize; 3] = [10, 1_000, 10_000];
    pub(super) const LABEL: fn(usize) -> &'static str = |count| match count {
        10 => "holds-10",
        1_000 => "holds-1000",
        _ => "holds-10000",
    };

    struct Token {
        _store: TempDir,
        config: Config,
        binder: Binder,
    }

    /// One binder for each token: opening the first takes long, as SoftHSM then reads all objects
    /// of all tokens.
    fn token(objects: usize) -> MutexGuard<'static, Token> {
        static TOKENS: LazyLock<[Mutex<Token>; 3]> = LazyLock::new(|| COUNTS.map(open));
        let at = COUNTS.iter().position(|count| *count == objects).unwrap();
        TOKENS[at].lock().unwrap()
    }

    fn open(objects: usize) -> Mutex<Token> {
        let store = tempfile::tempdir().unwrap();
        let config = store::of_token(store.path(), softhsm::MODULE, LABEL(objects));
        let binder = Binder::open(&config).unwrap();
        binder.id("a.example", P256).unwrap();
        let _store = store;
        Mutex::new(Token {
            _store,
            config,
            binder,
        })
    }

    #[divan::bench(args = COUNTS)]
    fn sign_with_a_key_in_use(bencher: Bencher<'_, '_>, objects: usize) {
        let token = token(objects);
        bencher.bench_local(|| bind(&token.binder, "a.example"));
    }

    #[divan::bench(args = COUNTS, sample_count = 20)]
    fn find_the_key_and_sign(bencher: Bencher<'_, '_>, objects: usize) {
        let token = token(objects);
        bencher.bench_local(|| bind(&Binder::open(&token.config).unwrap(), "a.example"));
    }
}

/// Bindings in one message, each signed by a key of its own.
mod bindings {
    use super::*;

    const COUNTS: [usize; 5] = [1, 2, 4, 8, 16];

    fn message(kind: KeyType, count: usize) -> Vec<u8> {
        let store = tempfile::tempdir().unwrap();
        let config = Config {
            provider: Some(ProviderChoice::Software),
            store: Some(store.path().join("store")),
            ..Config::default()
        };
        let binder = Binder::open(&config).unwrap();
        let bindings: Vec<_> = (0..count)
            .map(|number| {
                let target = format!("{number}.example");
                binder
                    .generate_binding(&target, kind, PROVIDED, &ekm())
                    .unwrap()
            })
            .collect();
        Binder::generate_message(&bindings).unwrap()
    }

    #[divan::bench(args = COUNTS)]
    fn parse(bencher: Bencher<'_, '_>, count: usize) {
        let message = message(P256, count);
        bencher.bench(|| tokenbinding::TokenBindingMessage::parse(&message).unwrap());
    }

    #[divan::bench(args = COUNTS)]
    fn verify_ecdsap256(bencher: Bencher<'_, '_>, count: usize) {
        verify(bencher, P256, count);
    }

    #[divan::bench(args = COUNTS)]
    fn verify_rsa2048_pss(bencher: Bencher<'_, '_>, count: usize) {
        verify(bencher, KeyType::Rsa2048Pss, count);
    }

    fn verify(bencher: Bencher<'_, '_>, kind: KeyType, count: usize) {
        let message = message(kind, count);
        let verifier = Verifier::new(kind).with_policy(Policy::Protocol);
        bencher.bench(|| verifier.verify(&message, &ekm()).unwrap());
    }
}
