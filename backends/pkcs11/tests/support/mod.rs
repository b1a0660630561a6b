//! What the tests of this crate share.
#![allow(dead_code, unreachable_pub, reason = "no test uses all of it")]

pub mod fork;

use std::sync::Arc;

use tokenbinding_backend::{
    Backend, DeviceKey, ErrorKind, KeyId, KeyType, Profile, SignedData, conformance::Device,
};
use tokenbinding_devices::{
    own_process,
    softhsm::{self, SoftHsm},
};
use tokenbinding_pkcs11::{Callbacks, Nobody, PinSource, Pkcs11Backend, Pkcs11Config, Pkcs11Uri};
use tokenbinding_pkcs11_shim::Shim;
use zeroize::Zeroizing;

pub const LABEL: &str = "first";
pub const OTHER: &str = "second";

/// A module with two tokens, for the suite of every backend.
pub struct Token(pub &'static str);

impl Device for Token {
    fn open(&self) -> Arc<dyn Backend> {
        open(&config(self.0, LABEL))
    }

    fn open_other(&self) -> Arc<dyn Backend> {
        open(&config(self.0, OTHER))
    }

    fn carries_keys(&self) -> bool {
        true
    }

    fn secrets(&self) -> Vec<Vec<u8>> {
        vec![softhsm::PIN.into()]
    }
}

/// A URI of the token `label` of `module`.
pub fn uri(module: &str, label: &str) -> Pkcs11Uri {
    format!("pkcs11:token={label}?module-path={module}")
        .parse()
        .expect("a good URI")
}

/// The token `label` of `module`, with its right PIN.
pub fn config(module: &str, label: &str) -> Pkcs11Config {
    Pkcs11Config {
        uri: uri(module, label),
        pin: PinSource::Value(Zeroizing::new(softhsm::PIN.into())),
        ..Pkcs11Config::default()
    }
}

pub fn open(config: &Pkcs11Config) -> Arc<Pkcs11Backend> {
    open_with(config, Arc::new(Nobody))
}

pub fn open_with(config: &Pkcs11Config, callbacks: Arc<dyn Callbacks>) -> Arc<Pkcs11Backend> {
    Arc::new(Pkcs11Backend::open(config, callbacks).expect("the token opens"))
}

pub fn id(scope: &str) -> KeyId {
    KeyId::new(Profile::default(), scope)
}

/// The data of a connection whose EKM is 32 times `ekm`.
pub fn data(kind: KeyType, ekm: u8) -> SignedData {
    let mut bytes = [ekm; SignedData::LEN];
    bytes[..2].copy_from_slice(&[0, kind.octet()]);
    SignedData::new(bytes)
}

/// `key` makes a signature that verifies.
pub fn assert_signs(key: &dyn DeviceKey, kind: KeyType) {
    let data = data(kind, 0x5a);
    let signature = key.sign(&data).expect("the key signs");
    let checked = key.public_key().verify(kind, &data, signature.as_bytes());
    assert_eq!(checked, Ok(()));
}

/// A new P-256 key for `scope`.
pub fn create(backend: &dyn Backend, scope: &str) -> Arc<dyn DeviceKey> {
    let (_, key) = backend
        .create(&id(scope), KeyType::EcdsaP256)
        .expect("the token makes a key");
    key
}

/// A SoftHSM behind the shim, in the child process of a test; in the parent, the end of the test.
#[macro_export]
macro_rules! shimmed {
    () => {
        match tokenbinding_devices::own_process::is_child(tokenbinding_devices::this_test!()) {
            true => $crate::support::Shimmed::here(),
            false => return $crate::support::run_shimmed(tokenbinding_devices::this_test!()),
        }
    };
}

/// A SoftHSM with two tokens, behind the shim.
pub struct Shimmed {
    pub shim: Shim,
    pub config: Pkcs11Config,
}

impl Shimmed {
    pub fn here() -> Self {
        Self {
            shim: Shim::here(),
            config: config(&Shim::library(), LABEL),
        }
    }

    pub fn open(&self) -> Arc<Pkcs11Backend> {
        open(&self.config)
    }
}

pub fn run_shimmed(test: &str) {
    run_shimmed_on(test, &SoftHsm::start(&[LABEL, OTHER]));
}

/// Like [`run_shimmed`], with this many key pairs of others on the token.
pub fn run_on_crowded_token(test: &str, pairs: usize) {
    let softhsm = SoftHsm::start(&[LABEL, OTHER]);
    softhsm.crowd(LABEL, pairs);
    run_shimmed_on(test, &softhsm);
}

fn run_shimmed_on(test: &str, softhsm: &SoftHsm) {
    let shim = Shim::new(&softhsm.path().join("shim"), softhsm::MODULE);
    let environment = [softhsm.environment(), shim.environment()].concat();
    own_process::run(test, &environment);
}

/// The kind of error that `result` is.
pub fn kind_of<T>(result: tokenbinding_backend::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}
