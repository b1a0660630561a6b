//! Client: bindings and the message that they make.

use std::ffi::c_void;

use tokenbinding::{
    Binder,
    message::{MAX_BINDINGS, MAX_MESSAGE_LEN},
};

use crate::{
    abi::{
        PCWSTR, SECURITY_STATUS, TOKENBINDING_EXTENSION_FORMAT, TOKENBINDING_KEY_PARAMETERS_TYPE,
        TOKENBINDING_RESULT_DATA, TOKENBINDING_TYPE,
    },
    block,
    call::call,
    failure::Failure,
    input,
    output::Output,
    process::with_binder,
    status::Cause,
};

/// Signs the EKM of a connection with the key of a target, which is made where there is none.
///
/// # Safety
/// `targetURL` ends in a zero unit; `tlsEKM` has `tlsEKMSize` bytes; outputs can be written to.
/// Each may be NULL, which is an error except for `extensionData` and `resultData`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TokenBindingGenerateBinding(
    keyType: TOKENBINDING_KEY_PARAMETERS_TYPE,
    targetURL: PCWSTR,
    bindingType: TOKENBINDING_TYPE,
    tlsEKM: *const c_void,
    tlsEKMSize: u32,
    extensionFormat: TOKENBINDING_EXTENSION_FORMAT,
    extensionData: *const c_void,
    tokenBinding: *mut *mut c_void,
    tokenBindingSize: *mut u32,
    resultData: *mut *mut TOKENBINDING_RESULT_DATA,
) -> SECURITY_STATUS {
    // SAFETY: each is NULL or can be written to.
    let (binding, size, result) = unsafe {
        (
            Output::new(tokenBinding),
            Output::new(tokenBindingSize),
            Output::new(resultData),
        )
    };
    call(|| {
        let binding = binding.required("tokenBinding")?;
        let size = size.required("tokenBindingSize")?;
        let key = input::key_choice(keyType)?;
        let binding_type = input::binding_type(bindingType)?;
        input::no_extensions(extensionFormat, extensionData)?;
        // SAFETY: it is NULL or has as many bytes.
        let ekm = unsafe { input::ekm(tlsEKM, tlsEKMSize) }?;
        // SAFETY: it is NULL or ends in a zero unit.
        let target = unsafe { input::target(targetURL) }?;
        let generated =
            with_binder(|binder| binder.generate_binding(&target, key, binding_type, &ekm))?;
        let (bytes, length) = block::bytes(generated.as_bytes())?;
        if let Some(result) = result.optional() {
            result.set(block::result_data(binding_type, &generated.key().id)?.into_raw());
        }
        binding.set(bytes.into_raw());
        size.set(length);
        Ok(())
    })
}

/// Puts bindings together to the message that goes to the server, length prefix included.
///
/// # Safety
/// `tokenBindings` has `tokenBindingsCount` pointers, each to as many bytes as `tokenBindingsSize`
/// says in the same place; outputs can be written to. Each may be NULL, which is an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TokenBindingGenerateMessage(
    tokenBindings: *const *const c_void,
    tokenBindingsSize: *const u32,
    tokenBindingsCount: u32,
    tokenBindingMessage: *mut *mut c_void,
    tokenBindingMessageSize: *mut u32,
) -> SECURITY_STATUS {
    // SAFETY: each is NULL or can be written to.
    let (message, size) = unsafe {
        (
            Output::new(tokenBindingMessage),
            Output::new(tokenBindingMessageSize),
        )
    };
    call(|| {
        let message = message.required("tokenBindingMessage")?;
        let size = size.required("tokenBindingMessageSize")?;
        let count = usize::try_from(tokenBindingsCount).unwrap_or(usize::MAX);
        if !(1..=MAX_BINDINGS).contains(&count) {
            let text =
                format!("tokenBindingsCount is {count}: a message holds 1 to {MAX_BINDINGS}");
            return Err(Failure::new(Cause::TooManyBindings, text));
        }
        // SAFETY: each is NULL or has as many elements.
        let (pointers, sizes) = unsafe {
            (
                input::elements("tokenBindings", tokenBindings, count)?,
                input::elements("tokenBindingsSize", tokenBindingsSize, count)?,
            )
        };
        let bindings = pointers.iter().zip(sizes).map(|(&data, size)| {
            // SAFETY: each is NULL or has as many bytes.
            unsafe { input::bytes("an element of tokenBindings", data, size, MAX_MESSAGE_LEN) }
        });
        let bindings = bindings.collect::<Result<Vec<_>, _>>()?;
        let (bytes, length) = block::bytes(&Binder::generate_message(&bindings)?)?;
        message.set(bytes.into_raw());
        size.set(length);
        Ok(())
    })
}
