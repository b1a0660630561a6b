//! The functions as `windows-sys` declares them: declarations that were made from Windows' own
//! metadata, linked against this library.

#![allow(unsafe_code, clippy::unwrap_used, reason = "calls what C calls")]

use std::{
    env,
    ffi::{CStr, c_void},
    ptr, slice,
    sync::OnceLock,
};

use tempfile::TempDir;
use tokenbinding_c as _;
pub(crate) use windows_sys::Win32::Security::Authentication::Identity::*;

pub(crate) const ECDSAP256: i32 = TOKENBINDING_KEY_PARAMETERS_TYPE_ECDSAP256;
pub(crate) const EKM: [u8; 32] = [7; 32];

unsafe extern "C" {
    fn TokenBindingGetLastErrorText() -> *const std::ffi::c_char;
}

/// Gives this process a software keystore. All tests of a process share it, as they share the
/// library's state: each has targets of its own.
pub(crate) fn set_up() {
    static STORE: OnceLock<TempDir> = OnceLock::new();
    STORE.get_or_init(|| {
        let store = tempfile::tempdir().unwrap();
        // SAFETY: every test waits here before it makes its first call.
        unsafe {
            env::set_var("HOME", store.path());
            env::set_var("TOKENBINDING_STORE", store.path().join("store"));
            env::set_var("TOKENBINDING_PROVIDER", "software");
        }
        store
    });
}

/// What the last call of this thread says.
pub(crate) fn last_error() -> String {
    // SAFETY: the text ends in a zero byte and stays until this thread's next call.
    unsafe { CStr::from_ptr(TokenBindingGetLastErrorText()) }
        .to_str()
        .unwrap()
        .to_owned()
}

pub(crate) fn utf16(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// Copies what a function has allocated, and frees it.
pub(crate) fn taken(data: *mut c_void, size: u32) -> Vec<u8> {
    // SAFETY: as many bytes were allocated with malloc.
    unsafe {
        let bytes = slice::from_raw_parts(data.cast::<u8>(), size.try_into().unwrap()).to_vec();
        libc::free(data);
        bytes
    }
}

/// A binding, and the id of its key.
pub(crate) fn generate(
    key_type: i32,
    target: &str,
    binding_type: i32,
) -> Result<(Vec<u8>, Vec<u8>), i32> {
    let target = utf16(target);
    let (mut binding, mut size, mut result) = (ptr::null_mut(), 0, ptr::null_mut());
    // SAFETY: all pointers point at what they should.
    let status = unsafe {
        TokenBindingGenerateBinding(
            key_type,
            target.as_ptr(),
            binding_type,
            EKM.as_ptr().cast(),
            32,
            TOKENBINDING_EXTENSION_FORMAT_UNDEFINED,
            ptr::null(),
            &raw mut binding,
            &raw mut size,
            &raw mut result,
        )
    };
    if status != 0 {
        assert!(binding.is_null() && size == 0 && result.is_null());
        return Err(status);
    }
    Ok((taken(binding, size), result_id(result, binding_type)))
}

/// The id of a result, which is freed.
pub(crate) fn result_id(result: *mut TOKENBINDING_RESULT_DATA, binding_type: i32) -> Vec<u8> {
    // SAFETY: the library has allocated it whole.
    unsafe {
        let id = id_of(&*result, binding_type);
        libc::free(result.cast());
        id
    }
}

fn id_of(result: &TOKENBINDING_RESULT_DATA, binding_type: i32) -> Vec<u8> {
    assert_eq!(result.bindingType, binding_type);
    assert_eq!(
        result.extensionFormat,
        TOKENBINDING_EXTENSION_FORMAT_UNDEFINED
    );
    assert!(result.extensionSize == 0 && result.extensionData.is_null());
    let size = result.identifierSize.try_into().unwrap();
    // SAFETY: the library says that as many bytes are there.
    unsafe { slice::from_raw_parts(result.identifierData.cast::<u8>(), size) }.to_vec()
}

pub(crate) fn message(bindings: &[&[u8]]) -> Result<Vec<u8>, i32> {
    let data: Vec<*const c_void> = bindings.iter().map(|b| b.as_ptr().cast()).collect();
    let sizes: Vec<u32> = bindings
        .iter()
        .map(|b| b.len().try_into().unwrap())
        .collect();
    let (mut message, mut size) = (ptr::null_mut(), 0);
    // SAFETY: all pointers point at what they should.
    let status = unsafe {
        TokenBindingGenerateMessage(
            data.as_ptr(),
            sizes.as_ptr(),
            bindings.len().try_into().unwrap(),
            &raw mut message,
            &raw mut size,
        )
    };
    if status != 0 {
        assert!(message.is_null() && size == 0);
        return Err(status);
    }
    Ok(taken(message, size))
}

/// Types and ids of the bindings of a message.
pub(crate) fn verify(
    message: &[u8],
    key_type: i32,
    ekm: &[u8],
) -> Result<Vec<(i32, Vec<u8>)>, i32> {
    let mut list = ptr::null_mut();
    // SAFETY: all pointers point at what they should.
    let status = unsafe {
        TokenBindingVerifyMessage(
            message.as_ptr().cast(),
            message.len().try_into().unwrap(),
            key_type,
            ekm.as_ptr().cast(),
            ekm.len().try_into().unwrap(),
            &raw mut list,
        )
    };
    if status != 0 {
        assert!(list.is_null());
        return Err(status);
    }
    // SAFETY: the library has allocated the list whole.
    unsafe {
        let count = (*list).resultCount.try_into().unwrap();
        let results = slice::from_raw_parts((*list).resultData, count)
            .iter()
            .map(|result| (result.bindingType, id_of(result, result.bindingType)))
            .collect();
        libc::free(list.cast());
        Ok(results)
    }
}

pub(crate) fn id_for_uri(key_type: i32, target: &str) -> Result<Vec<u8>, i32> {
    let target = utf16(target);
    let mut result = ptr::null_mut();
    // SAFETY: all pointers point at what they should.
    let status =
        unsafe { TokenBindingGenerateIDForUri(key_type, target.as_ptr(), &raw mut result) };
    if status != 0 {
        assert!(result.is_null());
        return Err(status);
    }
    Ok(result_id(result, TOKENBINDING_TYPE_PROVIDED))
}

pub(crate) fn generate_id(key_type: i32, exported: &[u8]) -> Result<Vec<u8>, i32> {
    let mut result = ptr::null_mut();
    let (data, size) = (exported.as_ptr().cast(), exported.len().try_into().unwrap());
    // SAFETY: all pointers point at what they should.
    let status = unsafe { TokenBindingGenerateID(key_type, data, size, &raw mut result) };
    if status != 0 {
        assert!(result.is_null());
        return Err(status);
    }
    Ok(result_id(result, TOKENBINDING_TYPE_PROVIDED))
}

pub(crate) fn delete(target: &str) -> i32 {
    let target = utf16(target);
    // SAFETY: the target ends in a zero unit.
    unsafe { TokenBindingDeleteBinding(target.as_ptr()) }
}

type GetKeyTypes = unsafe extern "system" fn(*mut *mut TOKENBINDING_KEY_TYPES) -> i32;

pub(crate) fn key_types(get: GetKeyTypes) -> Vec<i32> {
    let mut list = ptr::null_mut();
    // SAFETY: the output can be written to, and the library allocates the list whole.
    unsafe {
        assert_eq!(get(&raw mut list), 0, "{}", last_error());
        let count = (*list).keyCount.try_into().unwrap();
        let types = slice::from_raw_parts((*list).keyType, count).to_vec();
        libc::free(list.cast());
        types
    }
}
