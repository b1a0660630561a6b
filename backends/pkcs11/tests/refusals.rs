//! Tokens that cannot, or must not, do what is asked of them.

mod support;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use cryptoki_sys::*;
use tokenbinding_backend::{Backend as _, ErrorKind, KeyId, KeyType, Profile};
use tokenbinding_pkcs11::{Callbacks, PinTries, TokenName};
use zeroize::Zeroizing;

use support::{assert_signs, create, id, kind_of, open_with};

const EC: KeyType = KeyType::EcdsaP256;

/// How many objects of the token, read with other means, have our name.
fn objects() -> usize {
    use cryptoki::{context::Pkcs11, object::Attribute, session::UserType, types::AuthPin};
    let module = Pkcs11::new(tokenbinding_pkcs11_shim::Shim::library()).expect("it is loaded");
    let slots = module.get_slots_with_initialized_token().expect("slots");
    let mut count = 0;
    for slot in slots {
        let session = module.open_ro_session(slot).expect("a session");
        let pin = AuthPin::new(tokenbinding_devices::softhsm::PIN.into());
        let _ = session.login(UserType::User, Some(&pin));
        let name = id("host:a.example").name(EC).as_bytes().to_vec();
        let found = session.find_objects(&[Attribute::Id(name)]);
        count += found.expect("a search").len();
    }
    count
}

#[test]
fn a_key_without_its_proof_is_destroyed_and_refused() {
    for (attribute, value) in [
        (CKA_LOCAL, false),
        (CKA_SENSITIVE, false),
        (CKA_ALWAYS_SENSITIVE, false),
        (CKA_EXTRACTABLE, true),
        (CKA_NEVER_EXTRACTABLE, false),
    ] {
        let token = shimmed!();
        let backend = token.open();
        token.shim.attribute(attribute, value);
        let result = backend.create(&id("host:a.example"), EC);
        assert_eq!(
            kind_of(result),
            Some(ErrorKind::Unsupported),
            "{attribute:#x}"
        );
        token.shim.clear(&format!("attribute.{attribute}"));
        assert_eq!(objects(), 0, "the pair is still there: {attribute:#x}");
    }
}

#[test]
fn a_key_that_could_have_been_brought_in_is_not_adopted() {
    let token = shimmed!();
    let backend = token.open();
    let (stored, _) = backend.create(&id("host:a.example"), EC).expect("a key");
    token.shim.attribute(CKA_LOCAL, false);
    assert_eq!(
        backend.find(&id("host:a.example"), EC).expect("asked"),
        None
    );
    assert_eq!(kind_of(backend.open(&stored)), Some(ErrorKind::KeyLost));
}

#[test]
fn a_new_key_cannot_be_read() {
    use cryptoki::object::{Attribute, AttributeInfo, AttributeType, ObjectClass};
    let token = shimmed!();
    let backend = token.open();
    create(&*backend, "host:a.example");
    let module = cryptoki::context::Pkcs11::new(tokenbinding_pkcs11_shim::Shim::library());
    let module = module.expect("it is loaded");
    let slot = backend.status().expect("the token's state").token.slot;
    let slot = cryptoki::slot::Slot::try_from(slot).expect("a slot");
    let session = module.open_ro_session(slot).expect("a session");
    let found = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)]);
    let [key] = found.expect("a search")[..] else {
        panic!("there is one private key");
    };
    let told = session.get_attribute_info(key, &[AttributeType::Value]);
    assert!(matches!(
        told.expect("told")[..],
        [AttributeInfo::Sensitive]
    ));
}

#[test]
fn a_full_token_is_told() {
    let token = shimmed!();
    let backend = token.open();
    token
        .shim
        .fail("C_GenerateKeyPair", 0, 1, CKR_DEVICE_MEMORY);
    let result = backend.create(&id("host:a.example"), EC);
    assert_eq!(kind_of(result), Some(ErrorKind::DeviceFull));
}

#[test]
fn a_write_protected_token_signs_and_takes_no_key() {
    let token = shimmed!();
    let backend = token.open();
    let (stored, _) = backend.create(&id("host:a.example"), EC).expect("a key");
    token.shim.token_flags(CKF_WRITE_PROTECTED);
    let backend = token.open();
    assert_signs(&*backend.open(&stored).expect("the key opens"), EC);
    let result = backend.create(&id("host:b.example"), EC);
    assert_eq!(kind_of(result), Some(ErrorKind::Denied));
    assert_eq!(token.shim.count("C_GenerateKeyPair"), 1);
}

#[test]
fn a_token_that_opens_no_session_for_writing_still_signs() {
    let token = shimmed!();
    let backend = token.open();
    let (stored, _) = backend.create(&id("host:a.example"), EC).expect("a key");
    drop(backend);
    let backend = token.open();
    token
        .shim
        .fail("C_OpenSession", 0, 1, CKR_TOKEN_WRITE_PROTECTED);
    assert_signs(&*backend.open(&stored).expect("the key opens"), EC);
    let result = backend.create(&id("host:b.example"), EC);
    assert_eq!(kind_of(result), Some(ErrorKind::Denied));
}

#[test]
fn a_token_without_ec_says_so() {
    let token = shimmed!();
    token.shim.hide_mechanism(CKM_EC_KEY_PAIR_GEN);
    let backend = token.open();
    let rsa = [KeyType::Rsa2048Pss, KeyType::Rsa2048Pkcs1_5];
    assert_eq!(backend.info().key_types, rsa);
    let error = backend
        .create(&id("host:a.example"), EC)
        .expect_err("no EC");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("CKM_EC_KEY_PAIR_GEN"), "{error}");
}

#[test]
fn a_token_without_rsa_says_so() {
    let token = shimmed!();
    token.shim.hide_mechanism(CKM_RSA_PKCS_KEY_PAIR_GEN);
    assert_eq!(token.open().info().key_types, [EC]);
}

#[test]
fn a_token_that_hashes_by_itself_is_given_the_data() {
    let token = shimmed!();
    token.shim.hide_mechanism(CKM_RSA_PKCS);
    token.shim.hide_mechanism(CKM_RSA_PKCS_PSS);
    let backend = token.open();
    for kind in [KeyType::Rsa2048Pkcs1_5, KeyType::Rsa2048Pss] {
        let (_, key) = backend.create(&id("host:a.example"), kind).expect("a key");
        assert_signs(&*key, kind);
    }
}

#[test]
fn a_mechanism_that_is_listed_and_does_not_work_is_passed_over() {
    let token = shimmed!();
    let backend = token.open();
    token.shim.fail("C_SignInit", 0, 1, CKR_MECHANISM_INVALID);
    let kind = KeyType::Rsa2048Pkcs1_5;
    let (_, key) = backend.create(&id("host:a.example"), kind).expect("a key");
    assert_signs(&*key, kind);
}

#[test]
fn other_spellings_of_points_and_signatures_are_understood() {
    let token = shimmed!();
    token.shim.spell_differently();
    let backend = token.open();
    let (stored, key) = backend.create(&id("host:a.example"), EC).expect("a key");
    for _ in 0..8 {
        assert_signs(&*key, EC);
    }
    let found = backend.find(&id("host:a.example"), EC).expect("asked");
    assert_eq!(found, Some(stored));
}

#[test]
fn a_template_with_too_much_is_made_plainer() {
    let token = shimmed!();
    let backend = token.open();
    token
        .shim
        .fail("C_GenerateKeyPair", 0, 1, CKR_ATTRIBUTE_TYPE_INVALID);
    assert_signs(&*create(&*backend, "host:a.example"), EC);
}

#[test]
fn an_ephemeral_key_is_never_written_to_the_token() {
    let token = shimmed!();
    let backend = token.open();
    let id = KeyId::new(Profile::Ephemeral, "host:a.example");
    let (_, key) = backend.create(&id, EC).expect("a key");
    assert_signs(&*key, EC);
    let directory = std::env::var("SOFTHSM2_CONF").expect("a SoftHSM");
    let tokens = std::path::Path::new(&directory).with_file_name("tokens");
    let files = std::fs::read_dir(tokens)
        .expect("tokens")
        .flat_map(|token| {
            let files = std::fs::read_dir(token.expect("a token").path());
            files
                .expect("its files")
                .map(|file| file.expect("a file").file_name())
        });
    let objects = files.filter(|name| {
        let name = name.to_string_lossy();
        name.ends_with(".object") && name != "token.object"
    });
    assert_eq!(objects.count(), 0);
}

struct Announcer(AtomicUsize);

impl Callbacks for Announcer {
    fn pin(&self, _: &TokenName, _: PinTries) -> Option<Zeroizing<String>> {
        None
    }

    fn touch(&self, _: &TokenName) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_touch_is_announced_for_each_signature_where_it_is_asked_for() {
    let mut token = shimmed!();
    token.config.touch = true;
    let announcer = Arc::new(Announcer(AtomicUsize::new(0)));
    let backend = open_with(&token.config, announcer.clone());
    let key = create(&*backend, "host:a.example");
    let before = announcer.0.load(Ordering::Relaxed);
    assert_signs(&*key, EC);
    assert_signs(&*key, EC);
    assert_eq!(announcer.0.load(Ordering::Relaxed) - before, 2);
}
