//! Reading what C's pointers point at: never more than the caller said is there, and never more
//! than a sound argument can have.

#![allow(unsafe_code, reason = "C's arguments are pointers")]

use std::{ffi::c_void, slice};

use tokenbinding::{Ekm, InvalidTarget, KeyChoice, KeyType, MAX_TARGET_LEN, TokenBindingType};

use crate::{
    abi::{
        PCWSTR, TOKENBINDING_EXTENSION_FORMAT, TOKENBINDING_EXTENSION_FORMAT_UNDEFINED,
        TOKENBINDING_KEY_PARAMETERS_TYPE, TOKENBINDING_KEY_PARAMETERS_TYPE_ANYEXISTING,
        TOKENBINDING_TYPE, TOKENBINDING_TYPE_PROVIDED, TOKENBINDING_TYPE_REFERRED,
    },
    failure::{Failure, Result},
    status::Cause,
};

/// Borrows `size` bytes.
///
/// # Errors
/// NULL, and more than `most` bytes, which are not touched then.
///
/// # Safety
/// `data` is NULL, or `size` bytes can be read there as long as the slice is used.
pub(crate) unsafe fn bytes<'a>(
    name: &str,
    data: *const c_void,
    size: u32,
    most: usize,
) -> Result<&'a [u8]> {
    if data.is_null() {
        return Err(Failure::argument(format!("{name} is NULL")));
    }
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if size > most {
        let text = format!("{name} has {size} bytes, and none has more than {most}");
        return Err(Failure::new(Cause::BadLength, text));
    }
    // SAFETY: the caller promises that these bytes can be read.
    Ok(unsafe { slice::from_raw_parts(data.cast(), size) })
}

/// Reads `count` elements, aligned or not.
///
/// # Errors
/// NULL.
///
/// # Safety
/// `data` is NULL, or `count` elements can be read there.
pub(crate) unsafe fn elements<T: Copy>(name: &str, data: *const T, count: usize) -> Result<Vec<T>> {
    if data.is_null() {
        return Err(Failure::argument(format!("{name} is NULL")));
    }
    // SAFETY: the caller promises that these elements can be read.
    let element = |index| unsafe { data.add(index).read_unaligned() };
    Ok((0..count).map(element).collect())
}

/// Copies an EKM.
///
/// # Errors
/// NULL, and any size but 32, where no byte is touched.
///
/// # Safety
/// `data` is NULL, or `size` bytes can be read there.
pub(crate) unsafe fn ekm(data: *const c_void, size: u32) -> Result<Ekm> {
    if usize::try_from(size) != Ok(Ekm::LEN) {
        return Err(Failure::argument(format!(
            "tlsEKMSize is {size} and must be 32: export 32 bytes under the label {}",
            Ekm::LABEL
        )));
    }
    // SAFETY: the caller promises that `size` bytes can be read.
    let bytes = unsafe { bytes("tlsEKM", data, size, Ekm::LEN) }?;
    Ekm::try_from(bytes).map_err(|error| Failure::argument(error.to_string()))
}

/// Copies a target. No unit is read behind the first zero unit, nor behind the longest target.
///
/// # Errors
/// NULL, no end in sight, and ill-formed UTF-16.
///
/// # Safety
/// `target` is NULL, or units can be read there up to and including the first zero unit.
pub(crate) unsafe fn target(target: PCWSTR) -> Result<String> {
    if target.is_null() {
        return Err(Failure::argument("the target is NULL"));
    }
    let mut units = Vec::new();
    for index in 0..=MAX_TARGET_LEN {
        // SAFETY: no unit before this one was zero, so this one can be read.
        match unsafe { target.add(index).read_unaligned() } {
            0 => {
                let target = String::from_utf16(&units);
                return Ok(target.map_err(|_| InvalidTarget::IllFormed)?);
            }
            unit => units.push(unit),
        }
    }
    let length = units.len();
    Err(InvalidTarget::TooLong { length }.into())
}

/// One of the three key types.
pub(crate) fn key_type(value: TOKENBINDING_KEY_PARAMETERS_TYPE) -> Result<KeyType> {
    u8::try_from(value)
        .ok()
        .and_then(KeyType::from_octet)
        .ok_or_else(|| {
            Failure::argument(format!(
                "keyType is {value}: use 2 (ecdsap256), 1 (rsa2048_pss) or 0 (rsa2048_pkcs1.5)"
            ))
        })
}

/// One of the three key types, or any existing key.
pub(crate) fn key_choice(value: TOKENBINDING_KEY_PARAMETERS_TYPE) -> Result<KeyChoice> {
    if value == TOKENBINDING_KEY_PARAMETERS_TYPE_ANYEXISTING {
        return Ok(KeyChoice::AnyExisting);
    }
    key_type(value).map(KeyChoice::Type)
}

/// Provided or referred.
pub(crate) fn binding_type(value: TOKENBINDING_TYPE) -> Result<TokenBindingType> {
    match value {
        TOKENBINDING_TYPE_PROVIDED => Ok(TokenBindingType::Provided),
        TOKENBINDING_TYPE_REFERRED => Ok(TokenBindingType::Referred),
        _ => Err(Failure::argument(format!(
            "bindingType is {value}: use 0 (provided) or 1 (referred)"
        ))),
    }
}

/// Makes sure that no extensions are asked for. Their data has no length, so that nothing could be
/// done with it; dropping it in silence would let the caller believe that it was sent.
pub(crate) fn no_extensions(
    format: TOKENBINDING_EXTENSION_FORMAT,
    data: *const c_void,
) -> Result<()> {
    if format != TOKENBINDING_EXTENSION_FORMAT_UNDEFINED {
        return Err(Failure::argument(format!(
            "extensionFormat is {format}: only 0 (undefined) is defined"
        )));
    }
    if !data.is_null() {
        return Err(Failure::argument(
            "extensionData is given for a format without extensions: give NULL",
        ));
    }
    Ok(())
}
