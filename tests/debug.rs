//! `Debug` of what holds secrets shows none of them.

#![cfg(all(feature = "software", feature = "pkcs11", feature = "tpm"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fmt::{Debug, Write as _},
    fs,
    os::unix::fs::PermissionsExt as _,
};

use tokenbinding::{
    Binder, Config, Ekm, KeyType, ProviderChoice, TokenBindingType, connection, survey::survey,
};
use tokenbinding_backend::SignedData;
use tokenbinding_pkcs11::{PinSource, Pkcs11Config, Pkcs11Uri};
use tokenbinding_software::{MasterSource, SoftwareBackend};
use tokenbinding_tpm::TpmConfig;
use zeroize::Zeroizing;

const TEXT: &str = "swordfish-8642";
const EKM: [u8; Ekm::LEN] = [0xa7; Ekm::LEN];

/// As both forms of `Debug` show it.
fn show(shown: &mut String, value: &dyn Debug) {
    writeln!(shown, "{value:?}\n{value:#?}").unwrap();
}

fn assert_secret(shown: &str, secret: &[u8]) {
    let list = format!("{secret:?}");
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let lines: String = secret.iter().map(|byte| format!("    {byte},\n")).collect();
    let text = String::from_utf8_lossy(secret).into_owned();
    for form in [list.trim_matches(['[', ']']), &hex, &lines, &text] {
        assert!(!shown.contains(form), "{form:?} is in {shown}");
        assert!(
            !shown.to_lowercase().contains(form),
            "{form:?} is in {shown}"
        );
    }
}

#[test]
fn no_configuration_shows_a_pin() {
    let uri = format!("pkcs11:token=x?module-path=/m.so&pin-value={TEXT}");
    let text = format!("[pkcs11]\nuri = '{uri}'");
    let config = Config::parse(text.as_bytes()).unwrap();
    let pin = || Zeroizing::new(TEXT.to_owned());
    let mut shown = String::new();
    show(&mut shown, &config);
    show(&mut shown, &survey(&config));
    show(&mut shown, &uri.parse::<Pkcs11Uri>().unwrap());
    show(&mut shown, &uri.parse::<Pkcs11Uri>().unwrap().pin);
    show(
        &mut shown,
        &Pkcs11Config {
            uri: uri.parse().unwrap(),
            pin: PinSource::Value(pin()),
            ..Pkcs11Config::default()
        },
    );
    show(
        &mut shown,
        &MasterSource::Passphrase {
            file: "/x".into(),
            passphrase: pin(),
        },
    );
    let auth = || Some(Zeroizing::new(TEXT.as_bytes().to_vec()));
    show(
        &mut shown,
        &TpmConfig {
            owner_auth: auth(),
            storage_auth: auth(),
            key_auth: auth(),
            ..TpmConfig::default()
        },
    );
    assert_secret(&shown, TEXT.as_bytes());
}

#[test]
fn nothing_that_signs_shows_a_master_or_an_ekm() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let config = Config {
        provider: Some(ProviderChoice::Software),
        store: Some(store.clone()),
        ..Config::default()
    };
    let binder = Binder::open(&config).unwrap();
    let ekm = Ekm::new(EKM);
    let mut shown = String::new();
    for kind in KeyType::ALL {
        let binding = binder.generate_binding("a.example", kind, TokenBindingType::Provided, &ekm);
        show(&mut shown, &binding.unwrap());
        show(
            &mut shown,
            &ekm.signed_data(TokenBindingType::Provided, kind),
        );
    }
    show(&mut shown, &binder);
    show(&mut shown, &ekm);
    show(&mut shown, &SignedData::new([0xa7; SignedData::LEN]));
    show(
        &mut shown,
        &connection::ServerConnection::new(KeyType::EcdsaP256, ekm),
    );
    let file = store.join("software.master");
    let master = fs::read(&file).unwrap();
    let source = MasterSource::File(file.clone());
    show(&mut shown, &source.open().unwrap());
    show(&mut shown, &SoftwareBackend::open(&source).unwrap());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    show(&mut shown, &source.open().unwrap_err());
    assert_secret(&shown, &master);
    assert_secret(&shown, &EKM);
}
