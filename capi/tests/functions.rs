//! The ten functions, called through declarations that nobody here wrote.

#![allow(
    unsafe_code,
    clippy::unwrap_used,
    reason = "calls what C calls, and fails by panicking"
)]

mod common;

use common::calls::*;
use windows_sys::Win32::Foundation::{NTE_BAD_ALGID, NTE_BAD_SIGNATURE, NTE_NOT_FOUND};

const TYPES: [i32; 3] = [2, 1, 0];
const PROVIDED: i32 = TOKENBINDING_TYPE_PROVIDED;
const REFERRED: i32 = TOKENBINDING_TYPE_REFERRED;
const ANYEXISTING: i32 = TOKENBINDING_KEY_PARAMETERS_TYPE_ANYEXISTING;

#[test]
fn a_message_of_each_key_type_verifies_with_the_id_of_its_key() {
    set_up();
    for key_type in TYPES {
        let (binding, id) = generate(key_type, "https://www.verifies.example/", PROVIDED).unwrap();
        assert_eq!(i32::from(id[0]), key_type);
        let message = message(&[&binding]).unwrap();
        assert_eq!(verify(&message, key_type, &EKM), Ok(vec![(PROVIDED, id)]));
    }
}

#[test]
fn a_message_tells_provided_and_referred_apart() {
    set_up();
    let (provided, own) = generate(ECDSAP256, "https://own.test/", PROVIDED).unwrap();
    let (referred, other) = generate(0, "https://other.test/", REFERRED).unwrap();
    let message = message(&[&provided, &referred]).unwrap();
    let expected = vec![(PROVIDED, own), (REFERRED, other)];
    assert_eq!(verify(&message, ECDSAP256, &EKM), Ok(expected));
}

#[test]
fn a_message_of_another_connection_is_refused() {
    set_up();
    let (binding, _) = generate(ECDSAP256, "https://connection.test/", PROVIDED).unwrap();
    let message = message(&[&binding]).unwrap();
    assert_eq!(
        verify(&message, ECDSAP256, &[8; 32]),
        Err(NTE_BAD_SIGNATURE)
    );
    assert!(last_error().contains("EKM"), "{}", last_error());
}

#[test]
fn a_provided_binding_must_have_the_negotiated_key_type() {
    set_up();
    let (binding, _) = generate(ECDSAP256, "https://negotiated.test/", PROVIDED).unwrap();
    let message = message(&[&binding]).unwrap();
    assert_eq!(verify(&message, 1, &EKM), Err(NTE_BAD_ALGID));
}

#[test]
fn any_existing_finds_a_key_and_makes_none() {
    set_up();
    let target = "https://existing.test/";
    assert_eq!(id_for_uri(ANYEXISTING, target), Err(NTE_NOT_FOUND));
    assert_eq!(generate(ANYEXISTING, target, REFERRED), Err(NTE_NOT_FOUND));
    let id = id_for_uri(1, target).unwrap();
    assert_eq!(id_for_uri(ANYEXISTING, target).as_ref(), Ok(&id));
    assert_eq!(generate(ANYEXISTING, target, REFERRED).unwrap().1, id);
}

#[test]
fn one_site_has_one_key_of_each_type() {
    set_up();
    let id = id_for_uri(ECDSAP256, "https://a.site.test:8443/x").unwrap();
    assert_eq!(
        id_for_uri(ECDSAP256, "HTTP://B.Site.Test/").as_ref(),
        Ok(&id)
    );
    assert_ne!(id_for_uri(1, "https://a.site.test/").unwrap()[..], id[..]);
}

#[test]
fn a_deleted_key_never_comes_back() {
    set_up();
    let target = "https://deleted.test/";
    assert_eq!(delete(target), NTE_NOT_FOUND);
    let ids = TYPES.map(|key_type| id_for_uri(key_type, target).unwrap());
    assert_eq!(delete(target), 0);
    assert_eq!(id_for_uri(ANYEXISTING, target), Err(NTE_NOT_FOUND));
    for (key_type, old) in TYPES.into_iter().zip(ids) {
        assert_ne!(id_for_uri(key_type, target), Ok(old));
    }
}

#[test]
fn the_key_types_of_client_and_server_are_told() {
    set_up();
    assert_eq!(key_types(TokenBindingGetKeyTypesClient), TYPES);
    assert_eq!(key_types(TokenBindingGetKeyTypesServer), TYPES);
}

#[test]
fn the_version_is_1_0() {
    let (mut major, mut minor) = (9, 9);
    // SAFETY: both can be written to.
    let status = unsafe { TokenBindingGetHighestSupportedVersion(&raw mut major, &raw mut minor) };
    assert_eq!((status, major, minor), (0, 1, 0));
}

#[test]
fn a_success_leaves_no_error_text() {
    set_up();
    assert_eq!(delete("https://never.test/"), NTE_NOT_FOUND);
    assert!(last_error().contains("never.test"), "{}", last_error());
    id_for_uri(ECDSAP256, "https://text.test/").unwrap();
    assert_eq!(last_error(), "");
}

#[test]
fn the_result_is_optional() {
    set_up();
    let target = utf16("https://optional.test/");
    let (mut binding, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: all pointers point at what they should; the last one may be NULL.
    let status = unsafe {
        TokenBindingGenerateBinding(
            ECDSAP256,
            target.as_ptr(),
            PROVIDED,
            EKM.as_ptr().cast(),
            32,
            TOKENBINDING_EXTENSION_FORMAT_UNDEFINED,
            std::ptr::null(),
            &raw mut binding,
            &raw mut size,
            std::ptr::null_mut(),
        )
    };
    assert_eq!(status, 0);
    assert_eq!(taken(binding, size).len(), 137);
}
