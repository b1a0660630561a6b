//! Server: from a message to bindings that are proven.

use std::ffi::c_void;

use tokenbinding::{Verifier, message::MAX_MESSAGE_LEN};

use crate::{
    abi::{SECURITY_STATUS, TOKENBINDING_KEY_PARAMETERS_TYPE, TOKENBINDING_RESULT_LIST},
    block,
    call::call,
    input,
    output::Output,
};

/// Verifies a message, length prefix included, for a connection that negotiated `keyType`.
///
/// # Safety
/// `tokenBindingMessage` has `tokenBindingMessageSize` bytes, `tlsEKM` has `tlsEKMSize`; the output
/// can be written to. Each may be NULL, which is an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TokenBindingVerifyMessage(
    tokenBindingMessage: *const c_void,
    tokenBindingMessageSize: u32,
    keyType: TOKENBINDING_KEY_PARAMETERS_TYPE,
    tlsEKM: *const c_void,
    tlsEKMSize: u32,
    resultList: *mut *mut TOKENBINDING_RESULT_LIST,
) -> SECURITY_STATUS {
    // SAFETY: it is NULL or can be written to.
    let list = unsafe { Output::new(resultList) };
    call(|| {
        let list = list.required("resultList")?;
        let negotiated = input::key_type(keyType)?;
        // SAFETY: each is NULL or has as many bytes.
        let (ekm, message) = unsafe {
            (
                input::ekm(tlsEKM, tlsEKMSize)?,
                input::bytes(
                    "tokenBindingMessage",
                    tokenBindingMessage,
                    tokenBindingMessageSize,
                    MAX_MESSAGE_LEN,
                )?,
            )
        };
        let verified = Verifier::new(negotiated).verify(message, &ekm)?;
        let results: Vec<_> = verified
            .iter()
            .map(|binding| (binding.binding_type(), binding.id()))
            .collect();
        list.set(block::result_list(&results)?.into_raw());
        Ok(())
    })
}
