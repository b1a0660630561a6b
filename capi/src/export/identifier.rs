//! Ids without a binding: of an exported public key, and of a target.

use std::ffi::c_void;

use tokenbinding::TokenBindingType;

use crate::{
    abi::{PCWSTR, SECURITY_STATUS, TOKENBINDING_KEY_PARAMETERS_TYPE, TOKENBINDING_RESULT_DATA},
    block,
    call::call,
    input, key_blob,
    output::Output,
    process::with_binder,
};

/// The id of an exported public key: a CNG public key blob, or what follows `key_length` in a
/// `TokenBindingID` (RFC 8471 §3.1).
///
/// # Safety
/// `publicKey` has `publicKeySize` bytes; the output can be written to. Each may be NULL, which is
/// an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TokenBindingGenerateID(
    keyType: TOKENBINDING_KEY_PARAMETERS_TYPE,
    publicKey: *const c_void,
    publicKeySize: u32,
    resultData: *mut *mut TOKENBINDING_RESULT_DATA,
) -> SECURITY_STATUS {
    // SAFETY: it is NULL or can be written to.
    let result = unsafe { Output::new(resultData) };
    call(|| {
        let result = result.required("resultData")?;
        let kind = input::key_type(keyType)?;
        // SAFETY: it is NULL or has as many bytes.
        let exported =
            unsafe { input::bytes("publicKey", publicKey, publicKeySize, key_blob::MAX_LEN) }?;
        let id = key_blob::token_binding_id(kind, exported)?;
        result.set(block::result_data(TokenBindingType::Provided, &id)?.into_raw());
        Ok(())
    })
}

/// The id of the key of a target, which is made where there is none.
///
/// # Safety
/// `targetUri` ends in a zero unit; the output can be written to. Each may be NULL, which is an
/// error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TokenBindingGenerateIDForUri(
    keyType: TOKENBINDING_KEY_PARAMETERS_TYPE,
    targetUri: PCWSTR,
    resultData: *mut *mut TOKENBINDING_RESULT_DATA,
) -> SECURITY_STATUS {
    // SAFETY: it is NULL or can be written to.
    let result = unsafe { Output::new(resultData) };
    call(|| {
        let result = result.required("resultData")?;
        let key = input::key_choice(keyType)?;
        // SAFETY: it is NULL or ends in a zero unit.
        let target = unsafe { input::target(targetUri) }?;
        let key = with_binder(|binder| binder.id(&target, key))?;
        result.set(block::result_data(TokenBindingType::Provided, &key.id)?.into_raw());
        Ok(())
    })
}
