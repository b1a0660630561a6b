//! The token: a whole binding against `C_SignInit`, `C_Sign` and one check, on one SoftHSM.
#![allow(unsafe_code, reason = "the bare calls are C's")]

use std::ptr;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use cryptoki_sys::*;
use tempfile::TempDir;
use tokenbinding::Binder;
use tokenbinding_backend::{KeyId, KeyName, Profile, PublicKey};
use tokenbinding_benches::{Limit, Row, paired, speedup, store};
use tokenbinding_devices::softhsm::{self, SoftHsm};
use tokenbinding_pkcs11_shim::Shim;

use super::{P256, PROVIDED, TARGET, ekm, in_a_process};

const LABEL: &str = "bench";
/// Key pairs of others on the crowded token.
const CROWD: usize = 10_000;
const WARM: &str = "pkcs11-warm";
const CROWDED: &str = "pkcs11-warm-10000";

/// The rows, each measured in a process that has its token in the environment.
pub(super) fn with_tokens() -> Vec<Row> {
    let (plain, crowded) = (SoftHsm::start(&[LABEL]), SoftHsm::start(&[LABEL]));
    crowded.crowd(LABEL, CROWD);
    let mut rows = in_a_process("pkcs11", plain.environment());
    rows.extend(in_a_process("pkcs11-crowded", crowded.environment()));
    for (name, token) in [(WARM, &plain), (CROWDED, &crowded)] {
        let shim = Shim::new(&token.path().join("shim"), softhsm::MODULE);
        let environment = token.environment().into_iter().chain(shim.environment());
        let counted = in_a_process("pkcs11-counted", environment);
        let row = rows.iter_mut().find(|row| row.name == name).unwrap();
        *row = row
            .clone()
            .with_operations(counted[0].operations.unwrap().counted, 2);
    }
    // The order of the table: the one-thread rows first.
    rows.sort_by_key(|row| row.name.contains("threads"));
    rows
}

pub(super) fn rows() -> Vec<Row> {
    let (_store, binder) = binder(softhsm::MODULE);
    let threads = speedup(21, || bind(&binder));
    vec![
        warm(WARM, &binder),
        Row::threads("pkcs11-2-threads", &threads, 1.6),
    ]
}

pub(super) fn crowded_rows() -> Vec<Row> {
    let (_store, binder) = binder(softhsm::MODULE);
    vec![warm(CROWDED, &binder)]
}

/// One row that holds nothing but the number of calls of a warm binding.
pub(super) fn counted_rows() -> Vec<Row> {
    let (_store, binder) = binder(&Shim::library());
    bind(&binder);
    let shim = Shim::here();
    shim.forget_calls();
    let time = tokenbinding_benches::Spread::of(vec![0.0]);
    bind(&binder);
    vec![Row::alone("counted", &time, 0.0).with_operations(shim.calls().len(), 2)]
}

fn binder(module: &str) -> (TempDir, Binder) {
    let dir = tempfile::tempdir().unwrap();
    let config = store::of_token(dir.path(), module, LABEL);
    let binder = Binder::open(&config).unwrap();
    binder.id(TARGET, P256).unwrap();
    (dir, binder)
}

fn bind(binder: &Binder) {
    binder
        .generate_binding(TARGET, P256, PROVIDED, &ekm())
        .unwrap();
}

fn warm(name: &str, binder: &Binder) -> Row {
    let key = binder.id(TARGET, P256).unwrap();
    let Some(PublicKey::EcdsaP256(public_key)) = key.id.public_key() else {
        panic!("it is a P-256 key");
    };
    let stored_under = KeyId::new(Profile::default(), key.scope.canonical()).name(P256);
    let bare = Bare::start(&stored_under);
    let data = ekm().signed_data(PROVIDED, P256);
    let times = paired(
        300,
        || bind(binder),
        || {
            let signature = bare.sign(&data.sha256());
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public_key.sec1())
                .verify(data.as_bytes(), &signature)
                .unwrap();
        },
    );
    Row::paired(name, &times, Limit::RatioAtMost, 1.15)
}

/// The same key, used without this project's code in the process whose user is logged in.
struct Bare {
    _library: Pkcs11,
    functions: CK_FUNCTION_LIST,
    session: CK_SESSION_HANDLE,
    key: CK_OBJECT_HANDLE,
}

/// Calls a function of the module, which must succeed.
macro_rules! call {
    ($functions:expr, $name:ident($($argument:expr),*)) => {
        // SAFETY: the arguments are what PKCS#11 wants, and live as long as the call.
        assert_eq!(unsafe { $functions.$name.unwrap()($($argument),*) }, CKR_OK, stringify!($name))
    };
}

impl Bare {
    fn start(name: &KeyName) -> Self {
        // SAFETY: the module is loaded already; this is another reference to it.
        let library = unsafe { Pkcs11::new(softhsm::MODULE) }.unwrap();
        let mut list = ptr::null_mut();
        // SAFETY: `list` is a place for one pointer, which the module fills.
        let functions = unsafe {
            assert_eq!(library.C_GetFunctionList(&raw mut list), CKR_OK);
            *list
        };
        // A SoftHSM has one more slot, for a token that is not there yet.
        let (mut slots, mut count) = ([0; 4], 4);
        call!(
            functions,
            C_GetSlotList(CK_TRUE, slots.as_mut_ptr(), &raw mut count)
        );
        let mut session = 0;
        let flags = CKF_SERIAL_SESSION;
        let slot = slots[0];
        call!(
            functions,
            C_OpenSession(slot, flags, ptr::null_mut(), None, &raw mut session)
        );
        let (mut class, mut id) = (CKO_PRIVATE_KEY, *name.as_bytes());
        let mut template = [attribute(CKA_CLASS, &mut class), attribute(CKA_ID, &mut id)];
        call!(
            functions,
            C_FindObjectsInit(session, template.as_mut_ptr(), 2)
        );
        let (mut key, mut found) = (0, 0);
        call!(
            functions,
            C_FindObjects(session, &raw mut key, 1, &raw mut found)
        );
        call!(functions, C_FindObjectsFinal(session));
        assert_eq!(found, 1, "the binder's key is on the token");
        Self {
            _library: library,
            functions,
            session,
            key,
        }
    }

    fn sign(&self, digest: &[u8; 32]) -> [u8; 64] {
        let mut mechanism = CK_MECHANISM {
            mechanism: CKM_ECDSA,
            pParameter: ptr::null_mut(),
            ulParameterLen: 0,
        };
        let mut digest = *digest;
        let (mut signature, mut length) = ([0; 64], 64);
        call!(
            self.functions,
            C_SignInit(self.session, &raw mut mechanism, self.key)
        );
        call!(
            self.functions,
            C_Sign(
                self.session,
                digest.as_mut_ptr(),
                32,
                signature.as_mut_ptr(),
                &raw mut length
            )
        );
        assert_eq!(length, 64);
        signature
    }
}

fn attribute<T>(kind: CK_ATTRIBUTE_TYPE, value: &mut T) -> CK_ATTRIBUTE {
    CK_ATTRIBUTE {
        type_: kind,
        pValue: ptr::from_mut(value).cast(),
        ulValueLen: size_of::<T>() as CK_ULONG,
    }
}
