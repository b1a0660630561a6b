//! PINs: sent once, never shown, and never the reason for a locked token.

mod support;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokenbinding_backend::{Backend as _, ErrorKind, KeyType, private};
use tokenbinding_devices::softhsm::PIN;
use tokenbinding_pkcs11::{Callbacks, PinSource, PinTries, Pkcs11Backend, TokenName};
use zeroize::Zeroizing;

use support::{assert_signs, create, id, kind_of, open_with};

const EC: KeyType = KeyType::EcdsaP256;
const CKF_PROTECTED_AUTHENTICATION_PATH: u64 = 0x100;
const CKF_USER_PIN_COUNT_LOW: u64 = 0x1_0000;
const CKF_USER_PIN_FINAL_TRY: u64 = 0x2_0000;
const CKF_USER_PIN_LOCKED: u64 = 0x4_0000;

/// A person who knows some PINs, and enters them one after the other.
#[derive(Default)]
struct Person {
    pins: Mutex<Vec<&'static str>>,
    asked: Mutex<Vec<(TokenName, PinTries)>>,
    pads: AtomicUsize,
}

impl Person {
    fn knowing(pins: &[&'static str]) -> Arc<Self> {
        let pins = pins.iter().rev().copied().collect();
        Arc::new(Self {
            pins: Mutex::new(pins),
            ..Self::default()
        })
    }

    fn times_asked(&self) -> usize {
        self.asked.lock().expect("no panic").len()
    }
}

impl Callbacks for Person {
    fn pin(&self, token: &TokenName, tries: PinTries) -> Option<Zeroizing<String>> {
        let mut asked = self.asked.lock().expect("no panic");
        asked.push((token.clone(), tries));
        let pin = self.pins.lock().expect("no panic").pop()?;
        Some(Zeroizing::new(pin.to_owned()))
    }

    fn pin_pad(&self, _: &TokenName) {
        self.pads.fetch_add(1, Ordering::Relaxed);
    }
}

fn value(pin: &str) -> PinSource {
    PinSource::Value(Zeroizing::new(pin.to_owned()))
}

fn try_create(backend: &Pkcs11Backend) -> Option<ErrorKind> {
    kind_of(backend.create(&id("host:a.example"), EC))
}

#[test]
fn a_wrong_pin_is_sent_once_however_often_it_is_asked_for() {
    let mut token = shimmed!();
    token.config.pin = value("wrong-4711");
    let backend = token.open();
    for _ in 0..5 {
        assert_eq!(try_create(&backend), Some(ErrorKind::PinIncorrect));
        let found = backend.find(&id("host:a.example"), EC);
        assert_eq!(kind_of(found), Some(ErrorKind::PinIncorrect));
    }
    assert_eq!(token.shim.count("C_Login"), 1);
}

#[test]
fn a_wrong_pin_is_sent_once_by_eight_threads() {
    let mut token = shimmed!();
    token.config.pin = value("wrong-4711");
    let backend = token.open();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(try_create(&backend), Some(ErrorKind::PinIncorrect)));
        }
    });
    assert_eq!(token.shim.count("C_Login"), 1);
}

#[test]
fn a_person_who_corrects_the_pin_is_heard() {
    let mut token = shimmed!();
    token.config.pin = PinSource::Default;
    let person = Person::knowing(&["wrong-4711", "wrong-4711", PIN]);
    let backend = open_with(&token.config, person.clone());
    assert_eq!(try_create(&backend), Some(ErrorKind::PinIncorrect));
    assert_eq!(try_create(&backend), Some(ErrorKind::PinIncorrect));
    assert_eq!(
        token.shim.count("C_Login"),
        1,
        "the same wrong PIN is not sent again"
    );
    assert_eq!(try_create(&backend), None);
    assert_eq!(token.shim.count("C_Login"), 2);
}

#[test]
fn a_person_is_asked_once_and_told_which_token() {
    let mut token = shimmed!();
    token.config.pin = PinSource::Default;
    token.shim.token_flags(CKF_USER_PIN_COUNT_LOW);
    let person = Person::knowing(&[PIN]);
    let backend = open_with(&token.config, person.clone());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(try_create(&backend), None));
        }
    });
    assert_eq!(person.times_asked(), 1);
    let asked = person.asked.lock().expect("no panic");
    assert_eq!(asked[0].0.label, support::LABEL);
    assert_eq!(asked[0].1, PinTries::Low);
}

#[test]
fn nobody_to_ask_is_an_error_and_no_search_result() {
    let mut token = shimmed!();
    token.config.pin = PinSource::Default;
    let backend = token.open();
    let found = backend.find(&id("host:a.example"), EC);
    assert_eq!(kind_of(found), Some(ErrorKind::PinRequired));
    assert_eq!(token.shim.count("C_Login"), 0);
}

#[test]
fn the_final_try_is_not_used_up() {
    let token = shimmed!();
    token.shim.token_flags(CKF_USER_PIN_FINAL_TRY);
    let backend = token.open();
    assert_eq!(try_create(&backend), Some(ErrorKind::PinFinalTry));
    assert_eq!(token.shim.count("C_Login"), 0);
}

#[test]
fn the_final_try_is_used_when_told_to() {
    let mut token = shimmed!();
    token.shim.token_flags(CKF_USER_PIN_FINAL_TRY);
    token.config.try_final_pin = true;
    assert_eq!(try_create(&token.open()), None);
}

#[test]
fn a_locked_token_is_told_without_a_try() {
    let token = shimmed!();
    token.shim.token_flags(CKF_USER_PIN_LOCKED);
    assert_eq!(try_create(&token.open()), Some(ErrorKind::PinLocked));
    assert_eq!(token.shim.count("C_Login"), 0);
}

#[test]
fn a_login_that_failed_for_another_reason_is_not_made_again_at_once() {
    let token = shimmed!();
    token
        .shim
        .fail("C_Login", 0, 1, cryptoki_sys::CKR_DEVICE_REMOVED);
    let backend = token.open();
    assert_eq!(try_create(&backend), Some(ErrorKind::DeviceRemoved));
    assert_eq!(token.shim.count("C_Login"), 1);
    assert_eq!(try_create(&backend), None, "the next call logs in");
}

#[test]
fn the_pad_of_the_reader_is_used_where_there_is_one() {
    let mut token = shimmed!();
    token.config.pin = PinSource::Default;
    token.shim.token_flags(CKF_PROTECTED_AUTHENTICATION_PATH);
    token.shim.pad_pin(PIN);
    let person = Person::knowing(&[]);
    let backend = open_with(&token.config, person.clone());
    assert_signs(&*create(&*backend, "host:a.example"), EC);
    assert_eq!(person.pads.load(Ordering::Relaxed), 1);
    assert_eq!(person.times_asked(), 0);
}

#[test]
fn a_pin_file_is_read_up_to_its_first_line_end() {
    let mut token = shimmed!();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("pin");
    private::create(&file, format!("{PIN}\r\na comment\n").as_bytes()).expect("a file");
    let uri = format!("{}&pin-source=file:{}", token.config.uri, file.display());
    token.config.uri = uri.parse().expect("a good URI");
    token.config.pin = PinSource::Default;
    assert_eq!(try_create(&token.open()), None);
}

#[test]
fn a_pin_file_that_others_may_read_is_refused() {
    let mut token = shimmed!();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("pin");
    fs::write(&file, PIN).expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("another mode");
    token.config.pin = PinSource::File(file);
    assert_eq!(try_create(&token.open()), Some(ErrorKind::PinRequired));
}

#[test]
fn a_pin_is_in_no_error_and_no_debug_output() {
    let mut token = shimmed!();
    for pin in ["wrong-4711", PIN] {
        token.config.pin = value(pin);
        let backend = token.open();
        let result = backend.create(&id("host:a.example"), EC);
        let shown = format!("{result:?} {backend:?} {:?}", token.config);
        assert!(!shown.contains(pin), "{shown}");
        if let Err(error) = result {
            assert!(!format!("{error} {error:#?}").contains(pin));
        }
    }
    let uri = format!("{}&pin-value={PIN}", token.config.uri);
    token.config.uri = uri.parse().expect("a good URI");
    let uri = &token.config.uri;
    assert!(!format!("{uri} {uri:?} {uri:#?} {:?}", uri.pin).contains(PIN));
}

#[test]
fn a_key_that_wants_a_login_for_each_signature_gets_it() {
    let token = shimmed!();
    token.shim.always_authenticate(PIN);
    let backend = token.open();
    let key = create(&*backend, "host:a.example");
    token.shim.forget_calls();
    for _ in 0..2 {
        assert_signs(&*key, EC);
    }
    let calls = [
        "C_SignInit",
        "C_GetTokenInfo",
        "C_GetSlotInfo",
        "C_Login",
        "C_Sign",
    ];
    assert_eq!(token.shim.calls(), calls.repeat(2));
}

#[test]
fn a_wrong_pin_for_one_signature_is_sent_once() {
    let token = shimmed!();
    let backend = token.open();
    let (stored, _) = backend.create(&id("host:a.example"), EC).expect("a key");
    token.shim.always_authenticate("another-PIN");
    let key = backend.open(&stored).expect("the key opens");
    token.shim.forget_calls();
    for _ in 0..5 {
        let result = key.sign(&support::data(EC, 1));
        assert_eq!(kind_of(result), Some(ErrorKind::PinIncorrect));
    }
    assert_eq!(token.shim.count("C_Login"), 1);
}
