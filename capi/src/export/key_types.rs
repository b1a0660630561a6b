//! What client and server can negotiate (RFC 8472).

use tokenbinding::KeyType;

use crate::{
    abi::{SECURITY_STATUS, TOKENBINDING_KEY_TYPES},
    block,
    call::call,
    output::Output,
    process::with_binder,
};

/// The key types that the provider can make, the most preferred first.
///
/// # Safety
/// The output can be written to. It may be NULL, which is an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TokenBindingGetKeyTypesClient(
    keyTypes: *mut *mut TOKENBINDING_KEY_TYPES,
) -> SECURITY_STATUS {
    // SAFETY: it is NULL or can be written to.
    let list = unsafe { Output::new(keyTypes) };
    call(|| {
        let list = list.required("keyTypes")?;
        let types = with_binder(|binder| block::key_types(binder.backend()?.key_types()))?;
        list.set(types.into_raw());
        Ok(())
    })
}

/// The key types that can be verified: all three, the most preferred first.
///
/// # Safety
/// The output can be written to. It may be NULL, which is an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TokenBindingGetKeyTypesServer(
    keyTypes: *mut *mut TOKENBINDING_KEY_TYPES,
) -> SECURITY_STATUS {
    // SAFETY: it is NULL or can be written to.
    let list = unsafe { Output::new(keyTypes) };
    call(|| {
        let list = list.required("keyTypes")?;
        list.set(block::key_types(&KeyType::ALL)?.into_raw());
        Ok(())
    })
}
