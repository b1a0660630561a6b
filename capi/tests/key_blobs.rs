//! Exported keys in every form that is taken, and in some that are not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::calls::*;
use windows_sys::Win32::Foundation::{NTE_BAD_DATA, NTE_BAD_KEY, NTE_BAD_LEN, NTE_BAD_TYPE};

const RSA_PSS: i32 = TOKENBINDING_KEY_PARAMETERS_TYPE_RSA2048_PSS;
const RSA_PKCS: i32 = TOKENBINDING_KEY_PARAMETERS_TYPE_RSA2048_PKCS;

/// X ‖ Y of the base point of P-256.
const BASE_POINT: &str = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                          4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

fn base_point() -> Vec<u8> {
    data_encoding::HEXLOWER
        .decode(BASE_POINT.as_bytes())
        .unwrap()
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect()
}

fn ecc_blob(xy: &[u8]) -> Vec<u8> {
    [&numbers(&[0x3153_4345, 32])[..], xy].concat()
}

fn modulus() -> Vec<u8> {
    (0..=255u8).map(|byte| byte | 0x81).collect()
}

fn rsa_blob(exponent: &[u8]) -> Vec<u8> {
    let exponent_size = exponent.len().try_into().unwrap();
    let header = numbers(&[0x3141_5352, 2048, exponent_size, 256, 0, 0]);
    [&header[..], exponent, &modulus()].concat()
}

fn changed(mut blob: Vec<u8>, place: usize, byte: u8) -> Vec<u8> {
    blob[place] = byte;
    blob
}

#[test]
fn an_ecc_blob_and_the_rfc_body_make_the_same_id() {
    let body = [&[64][..], &base_point()].concat();
    let id = [&[2, 0, 65][..], &body].concat();
    assert_eq!(
        generate_id(ECDSAP256, &ecc_blob(&base_point())),
        Ok(id.clone())
    );
    assert_eq!(generate_id(ECDSAP256, &body), Ok(id));
}

#[test]
fn an_rsa_blob_and_the_rfc_body_make_the_same_id_for_both_schemes() {
    for key_type in [RSA_PSS, RSA_PKCS] {
        let body = [&[1, 0][..], &modulus(), &[3, 1, 0, 1]].concat();
        let octet = key_type.try_into().unwrap();
        let id = [&[octet, 1, 6][..], &body].concat();
        assert_eq!(generate_id(key_type, &body), Ok(id.clone()));
        for exponent in [&[1, 0, 1][..], &[0, 1, 0, 1], &[0, 0, 0, 0, 0, 0, 1, 0, 1]] {
            assert_eq!(generate_id(key_type, &rsa_blob(exponent)), Ok(id.clone()));
        }
    }
}

#[test]
fn a_blob_of_another_key_type_is_refused() {
    assert_eq!(
        generate_id(RSA_PSS, &ecc_blob(&base_point())),
        Err(NTE_BAD_TYPE)
    );
    assert_eq!(
        generate_id(ECDSAP256, &rsa_blob(&[1, 0, 1])),
        Err(NTE_BAD_TYPE)
    );
}

#[test]
fn a_private_key_is_refused() {
    assert_eq!(
        generate_id(RSA_PSS, &changed(rsa_blob(&[1, 0, 1]), 16, 128)),
        Err(NTE_BAD_TYPE)
    );
}

#[test]
fn a_key_that_is_none_is_refused() {
    let off_curve = changed(ecc_blob(&base_point()), 71, 0);
    assert_eq!(generate_id(ECDSAP256, &off_curve), Err(NTE_BAD_KEY));
    for blob in [
        rsa_blob(&[2]),
        rsa_blob(&[0xff; 9]),
        rsa_blob(&[]),
        changed(rsa_blob(&[1, 0, 1]), 4, 1),
        changed(rsa_blob(&[1, 0, 1]), 27, 1),
    ] {
        assert_eq!(generate_id(RSA_PSS, &blob), Err(NTE_BAD_KEY));
    }
}

#[test]
fn every_shortened_blob_is_refused() {
    let (ecc, rsa) = (ecc_blob(&base_point()), rsa_blob(&[1, 0, 1]));
    for (key_type, blob) in [(ECDSAP256, ecc), (RSA_PKCS, rsa)] {
        for length in 0..blob.len() {
            let status = generate_id(key_type, &blob[..length]).unwrap_err();
            assert!(
                [NTE_BAD_LEN, NTE_BAD_DATA].contains(&status),
                "{length}: {status:#x}"
            );
        }
        let longer = [&blob[..], &[0]].concat();
        assert_eq!(generate_id(key_type, &longer), Err(NTE_BAD_LEN));
    }
}
