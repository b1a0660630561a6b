//! The types of `tokenbinding.h`, laid out as C does.
//!
//! Enumerations are C's `int`: a caller may pass any number, so they are never Rust enums.

#![allow(
    non_camel_case_types,
    non_snake_case,
    clippy::upper_case_acronyms,
    reason = "the names are C's"
)]

use std::ffi::c_void;

/// A string of UTF-16 units that ends in a zero unit.
pub type PCWSTR = *const u16;
/// 0, or the negative number of an `NTE_` constant.
pub type SECURITY_STATUS = i32;
/// `TOKENBINDING_TYPE`: 0 provided, 1 referred.
pub type TOKENBINDING_TYPE = i32;
/// `TOKENBINDING_EXTENSION_FORMAT`: 0, undefined, is the only one.
pub type TOKENBINDING_EXTENSION_FORMAT = i32;
/// `TOKENBINDING_KEY_PARAMETERS_TYPE`: the octets of RFC 8471, or 255.
pub type TOKENBINDING_KEY_PARAMETERS_TYPE = i32;

/// The binding with the server that the message goes to.
pub const TOKENBINDING_TYPE_PROVIDED: TOKENBINDING_TYPE = 0;
/// The binding with another server.
pub const TOKENBINDING_TYPE_REFERRED: TOKENBINDING_TYPE = 1;
/// No extensions.
pub const TOKENBINDING_EXTENSION_FORMAT_UNDEFINED: TOKENBINDING_EXTENSION_FORMAT = 0;
/// Whatever key the target has; never on the wire.
pub const TOKENBINDING_KEY_PARAMETERS_TYPE_ANYEXISTING: TOKENBINDING_KEY_PARAMETERS_TYPE = 255;

/// The first octet of a `TokenBindingID` (RFC 8471 §3.1), whose other bytes follow it.
#[repr(C, packed)]
#[derive(Clone, Copy, Debug)]
pub struct TOKENBINDING_IDENTIFIER {
    /// The key parameters.
    pub keyType: u8,
}

/// What is known of one binding.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TOKENBINDING_RESULT_DATA {
    /// What it is for.
    pub bindingType: TOKENBINDING_TYPE,
    /// Bytes at `identifierData`.
    pub identifierSize: u32,
    /// The whole `TokenBindingID`.
    pub identifierData: *mut TOKENBINDING_IDENTIFIER,
    /// Always undefined.
    pub extensionFormat: TOKENBINDING_EXTENSION_FORMAT,
    /// Always 0.
    pub extensionSize: u32,
    /// Always NULL.
    pub extensionData: *mut c_void,
}

/// What is known of the bindings of a message.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TOKENBINDING_RESULT_LIST {
    /// Elements at `resultData`.
    pub resultCount: u32,
    /// One for each binding.
    pub resultData: *mut TOKENBINDING_RESULT_DATA,
}

/// Key types, the most preferred first.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TOKENBINDING_KEY_TYPES {
    /// Elements at `keyType`.
    pub keyCount: u32,
    /// The key types.
    pub keyType: *mut TOKENBINDING_KEY_PARAMETERS_TYPE,
}

/// The layout of 64-bit Windows. `include/tokenbinding.h` asserts the same.
#[cfg(target_pointer_width = "64")]
const _: () = {
    use std::mem::{offset_of, size_of};
    assert!(size_of::<TOKENBINDING_IDENTIFIER>() == 1);
    assert!(size_of::<TOKENBINDING_RESULT_DATA>() == 32);
    assert!(offset_of!(TOKENBINDING_RESULT_DATA, bindingType) == 0);
    assert!(offset_of!(TOKENBINDING_RESULT_DATA, identifierSize) == 4);
    assert!(offset_of!(TOKENBINDING_RESULT_DATA, identifierData) == 8);
    assert!(offset_of!(TOKENBINDING_RESULT_DATA, extensionFormat) == 16);
    assert!(offset_of!(TOKENBINDING_RESULT_DATA, extensionSize) == 20);
    assert!(offset_of!(TOKENBINDING_RESULT_DATA, extensionData) == 24);
    assert!(size_of::<TOKENBINDING_RESULT_LIST>() == 16);
    assert!(offset_of!(TOKENBINDING_RESULT_LIST, resultData) == 8);
    assert!(size_of::<TOKENBINDING_KEY_TYPES>() == 16);
    assert!(offset_of!(TOKENBINDING_KEY_TYPES, keyType) == 8);
};
