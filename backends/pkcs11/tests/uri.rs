//! RFC 7512 URIs, good and bad.

use proptest::prelude::*;
use tokenbinding_pkcs11::{InvalidPkcs11Uri as Invalid, ModuleName, Pkcs11Uri, UriPin};

fn parse(text: &str) -> Result<Pkcs11Uri, Invalid> {
    text.parse()
}

fn good(text: &str) -> Pkcs11Uri {
    parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn selectors_are_decoded() {
    let uri = good(
        "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;\
         model=1.0;serial=4711;slot-id=327;slot-description=Sun%20Metaslot;slot-manufacturer=%c3%a9",
    );
    assert_eq!(uri.token.as_deref(), Some("The Software PKCS#11 Softtoken"));
    assert_eq!(uri.manufacturer.as_deref(), Some("Snake Oil, Inc."));
    assert_eq!(uri.model.as_deref(), Some("1.0"));
    assert_eq!(uri.serial.as_deref(), Some("4711"));
    assert_eq!(uri.slot_id, Some(327));
    assert_eq!(uri.slot_description.as_deref(), Some("Sun Metaslot"));
    assert_eq!(uri.slot_manufacturer.as_deref(), Some("é"));
}

#[test]
fn module_and_pin_are_read_from_the_query() {
    let uri = good("PKCS11:?module-path=/usr/lib/a%20b.so&pin-source=file:/etc/token_pin&x-ours=1");
    let path = ModuleName::Path("/usr/lib/a b.so".into());
    assert_eq!(uri.module, Some(path));
    assert_eq!(uri.pin, Some(UriPin::File("/etc/token_pin".into())));
    let uri = good("pkcs11:?module-name=libsofthsm2&pin-value=1%262");
    let name = ModuleName::Name("libsofthsm2".into());
    assert_eq!(uri.module, Some(name));
    let Some(UriPin::Value(pin)) = &uri.pin else {
        panic!("the PIN is there");
    };
    assert_eq!(pin.as_str(), "1&2");
}

#[test]
fn a_file_uri_has_two_forms() {
    for source in ["file:/run/pin", "file:///run/pin"] {
        let uri = good(&format!("pkcs11:?pin-source={source}"));
        assert_eq!(uri.pin, Some(UriPin::File("/run/pin".into())));
    }
}

#[test]
fn what_is_no_uri_is_refused_by_name() {
    let twice = |name: &str| Invalid::Twice(name.into());
    let cases = [
        ("", Invalid::Scheme),
        ("token=a", Invalid::Scheme),
        ("pkcs1:token=a", Invalid::Scheme),
        ("pkcs11:token", Invalid::NoValue(1)),
        ("pkcs11:token=a;serial", Invalid::NoValue(2)),
        ("pkcs11:token=a b", Invalid::Character("token".into())),
        ("pkcs11:token=a/b", Invalid::Character("token".into())),
        ("pkcs11:token=ü", Invalid::Character("token".into())),
        ("pkcs11:token=%4", Invalid::Percent("token".into())),
        ("pkcs11:token=%+1", Invalid::Percent("token".into())),
        ("pkcs11:token=%zz", Invalid::Percent("token".into())),
        ("pkcs11:token=%ff", Invalid::NotUtf8("token".into())),
        ("pkcs11:token=a;token=b", twice("token")),
        (
            "pkcs11:?module-path=/a&module-path=/b",
            twice("module-path"),
        ),
        (
            "pkcs11:?module-path=/a&module-name=b",
            Invalid::Exclusive("module-path", "module-name"),
        ),
        (
            "pkcs11:?pin-value=1&pin-source=file:/a",
            Invalid::Exclusive("pin-source", "pin-value"),
        ),
        ("pkcs11:tokn=a", Invalid::UnknownSelector("tokn".into())),
        ("pkcs11:slot-id=", Invalid::SlotId),
        ("pkcs11:slot-id=-1", Invalid::SlotId),
        ("pkcs11:slot-id=+1", Invalid::SlotId),
        ("pkcs11:slot-id=99999999999999999999", Invalid::SlotId),
        ("pkcs11:?pin-source=|/bin/sh", Invalid::PinCommand),
        ("pkcs11:?pin-source=%7c/bin/sh", Invalid::PinCommand),
        ("pkcs11:?pin-source=/etc/pin", Invalid::PinSource),
        ("pkcs11:?pin-source=file:pin", Invalid::PinSource),
        ("pkcs11:?pin-source=file://host/pin", Invalid::PinSource),
        ("pkcs11:?pin-source=https://a/pin", Invalid::PinSource),
        ("pkcs11:?module-path=", Invalid::Empty("module-path")),
    ];
    for (text, error) in cases {
        assert_eq!(parse(text), Err(error), "{text}");
    }
}

#[test]
fn a_bad_pin_is_not_in_the_error() {
    let error = parse("pkcs11:?pin-value=se cret").expect_err("a space");
    assert!(!format!("{error} {error:?}").contains("se"), "{error:?}");
}

proptest! {
    #[test]
    fn what_is_shown_is_read_again(
        token in proptest::option::of(".{1,20}"),
        serial in proptest::option::of("[ -~]{0,16}"),
        path in proptest::option::of("/[ -~]{1,20}"),
    ) {
        let uri = Pkcs11Uri {
            token,
            serial,
            module: path.map(|path| ModuleName::Path(path.into())),
            ..Pkcs11Uri::default()
        };
        prop_assert_eq!(parse(&uri.to_string()), Ok(uri));
    }

    #[test]
    fn no_text_makes_it_panic(text in "(pkcs11:)?[ -~é]{0,60}") {
        let _ = parse(&text);
    }
}

/// The fuzzer found that each name was compared with every other: a configuration's 64 KiB of them
/// took seconds.
#[test]
fn an_attribute_given_twice_is_found_among_very_many() {
    let names: Vec<String> = (0..200_000).map(|number| format!("x{number}=")).collect();
    let many = format!("pkcs11:?{}", names.join("&"));
    assert_eq!(good(&many), Pkcs11Uri::default());
    let twice = parse(&format!("{many}&x7="));
    assert_eq!(twice, Err(Invalid::Twice("x7".to_owned())));
}
