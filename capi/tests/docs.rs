//! Manual, header and code say the same.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;

use common::read_in_crate;
use tokenbinding_c::status::{Cause, Status};
use windows_sys::Win32::Foundation as windows;

/// The table of the manual, as the code has it.
fn table() -> String {
    let mut table = String::from("| status | value | cause |\n|---|---|---|\n");
    for cause in Cause::ALL {
        let status = cause.status();
        let value = status.code().cast_unsigned();
        table += &format!(
            "| `{}` | 0x{value:08X} | {} |\n",
            status.name(),
            cause.text()
        );
    }
    table
}

#[test]
fn the_manual_has_the_table_of_the_code() {
    let manual = read_in_crate("../docs/c-api.md");
    assert!(
        manual.contains(&table()),
        "docs/c-api.md must have:\n{}",
        table()
    );
}

#[test]
fn the_header_defines_every_status() {
    let header = read_in_crate("include/tokenbinding_types.h");
    let defined: BTreeMap<_, _> = header
        .lines()
        .filter_map(|line| line.strip_prefix("#define ")?.split_once(" ((int32_t)0x"))
        .map(|(name, value)| {
            (
                name,
                u32::from_str_radix(value.trim_end_matches(')'), 16).unwrap(),
            )
        })
        .collect();
    let ours: BTreeMap<_, _> = Status::ALL
        .iter()
        .map(|s| (s.name(), s.code().cast_unsigned()))
        .collect();
    assert_eq!(defined, ours);
}

#[test]
fn statuses_have_the_numbers_of_windows() {
    let theirs = [
        windows::SEC_E_OK,
        windows::NTE_BAD_KEY,
        windows::NTE_BAD_LEN,
        windows::NTE_BAD_DATA,
        windows::NTE_BAD_SIGNATURE,
        windows::NTE_BAD_ALGID,
        windows::NTE_BAD_TYPE,
        windows::NTE_NO_KEY,
        windows::NTE_NO_MEMORY,
        windows::NTE_PERM,
        windows::NTE_NOT_FOUND,
        windows::NTE_BAD_KEYSET,
        windows::NTE_FAIL,
        windows::NTE_TOKEN_KEYSET_STORAGE_FULL,
        windows::NTE_INVALID_PARAMETER,
        windows::NTE_NOT_SUPPORTED,
        windows::NTE_INTERNAL_ERROR,
        windows::NTE_DEVICE_NOT_READY,
        windows::NTE_VALIDATION_FAILED,
        windows::NTE_DEVICE_NOT_FOUND,
    ];
    let ours: Vec<_> = Status::ALL.iter().map(|status| status.code()).collect();
    assert_eq!(ours, theirs);
}

#[test]
fn the_manual_names_every_function() {
    let manual = read_in_crate("../docs/c-api.md");
    let header = read_in_crate("include/tokenbinding.h");
    let functions = header
        .lines()
        .filter(|line| line.starts_with("int32_t ") || line.starts_with("const char *"))
        .map(|line| {
            line.split('(')
                .next()
                .unwrap()
                .rsplit([' ', '*'])
                .next()
                .unwrap()
        });
    let functions: Vec<_> = functions.collect();
    assert_eq!(functions.len(), 11);
    for function in functions {
        assert!(manual.contains(&format!("`{function}`")), "{function}");
    }
}
