//! The module's functions. Those that are not here are the real module's own.
#![allow(unsafe_code, non_snake_case)]

use std::{
    collections::HashSet,
    mem::ManuallyDrop,
    ptr, slice,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use cryptoki_sys::*;

use crate::{Shim, answers};

/// The real module and the list of functions that is handed out instead of its own.
struct Shimmed {
    shim: Shim,
    real: CK_FUNCTION_LIST,
    list: CK_FUNCTION_LIST,
    _library: ManuallyDrop<Pkcs11>,
}

static SHIMMED: OnceLock<Option<Shimmed>> = OnceLock::new();
/// The removals that have been carried out.
static REMOVALS: AtomicU64 = AtomicU64::new(0);
/// Sessions whose operation is authorized.
static AUTHORIZED: Mutex<Option<HashSet<CK_SESSION_HANDLE>>> = Mutex::new(None);
/// Calls that run now and list the objects or change which they are.
static ON_OBJECTS: AtomicUsize = AtomicUsize::new(0);
/// One call at a time settles what it is to do.
static TURN: Mutex<()> = Mutex::new(());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shimmed() -> Option<&'static Shimmed> {
    SHIMMED.get_or_init(load).as_ref()
}

fn load() -> Option<Shimmed> {
    let shim = Shim::from_environment()?;
    let path = shim.read("module")?;
    // SAFETY: the test names a PKCS#11 module.
    let library = unsafe { Pkcs11::new(path.trim()) }.ok()?;
    library.C_GetFunctionList.as_ref().ok()?;
    let mut list = ptr::null_mut();
    // SAFETY: the symbol is there, and `list` is a place for one pointer.
    let rv = unsafe { library.C_GetFunctionList(&raw mut list) };
    if rv != CKR_OK || list.is_null() {
        return None;
    }
    // SAFETY: the module has answered with its static list.
    let real = unsafe { *list };
    Some(Shimmed {
        shim,
        real,
        list: overridden(real),
        _library: ManuallyDrop::new(library),
    })
}

/// Hands out the list of functions.
///
/// # Safety
/// `list` is a place for one pointer, as PKCS#11 wants it.
#[unsafe(no_mangle)]
#[allow(unreachable_pub, reason = "it is reached through the dynamic linker")]
pub unsafe extern "C" fn C_GetFunctionList(list: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    let Some(shimmed) = shimmed() else {
        return CKR_GENERAL_ERROR;
    };
    // SAFETY: the caller's promise.
    unsafe { *list = ptr::from_ref(&shimmed.list).cast_mut() };
    CKR_OK
}

impl Shimmed {
    /// Notes a call of `function`; the answer, when it is not to be forwarded.
    fn before(&self, function: &str) -> Option<CK_RV> {
        let _turn = lock(&TURN);
        let removals = self.shim.removals();
        if REMOVALS.swap(removals, Ordering::SeqCst) != removals {
            self.close_all_sessions();
        }
        self.shim.call(function)
    }

    /// What taking the token out does to its sessions.
    fn close_all_sessions(&self) {
        let (Some(slots), Some(close)) = (self.real.C_GetSlotList, self.real.C_CloseAllSessions)
        else {
            return;
        };
        let mut some = [0; 32];
        let mut count = some.len() as CK_ULONG;
        // SAFETY: `some` has room for `count` slots.
        let rv = unsafe { slots(CK_TRUE, some.as_mut_ptr(), &raw mut count) };
        if rv == CKR_OK {
            for slot in some.iter().take(usize::try_from(count).unwrap_or(0)) {
                // SAFETY: the function takes a slot's number alone.
                unsafe { close(*slot) };
            }
        }
    }

    fn is_removed(&self) -> bool {
        self.shim.is_set("removed")
    }
}

/// Counts a call in [`ON_OBJECTS`] while it runs.
struct OnObjects;

impl OnObjects {
    fn enter(shimmed: &Shimmed, function: &str) -> Option<Self> {
        let lists = ["C_FindObjectsInit", "C_GenerateKeyPair", "C_DestroyObject"];
        if !lists.contains(&function) {
            return None;
        }
        if ON_OBJECTS.fetch_add(1, Ordering::SeqCst) > 0 {
            shimmed.shim.note("overlaps", function);
        }
        Some(Self)
    }
}

impl Drop for OnObjects {
    fn drop(&mut self) {
        ON_OBJECTS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Calls the real function, or answers that the module does not have it.
macro_rules! real {
    ($shimmed:expr, $function:ident($($argument:expr),*)) => {
        match $shimmed.real.$function {
            // SAFETY: the arguments are the caller's own, for a function of the same type.
            Some(function) => unsafe { function($($argument),*) },
            None => CKR_FUNCTION_NOT_SUPPORTED,
        }
    };
}

/// Defines functions that note their call, fail if they are to, and else do what stands behind
/// them.
macro_rules! functions {
    ($($name:ident($($argument:ident: $type:ty),*) |$shimmed:ident| $body:expr;)*) => {
        $(
            unsafe extern "C" fn $name($($argument: $type),*) -> CK_RV {
                let Some($shimmed) = shimmed() else {
                    return CKR_GENERAL_ERROR;
                };
                let _running = OnObjects::enter($shimmed, stringify!($name));
                match $shimmed.before(stringify!($name)) {
                    Some(rv) => rv,
                    None => {
                        let rv = $body;
                        $shimmed.shim.lost(stringify!($name)).unwrap_or(rv)
                    }
                }
            }
        )*

        fn overridden(mut list: CK_FUNCTION_LIST) -> CK_FUNCTION_LIST {
            list.C_GetFunctionList = Some(C_GetFunctionList);
            $(list.$name = Some($name);)*
            list
        }
    };
}

functions! {
    C_Initialize(args: CK_VOID_PTR) |s| real!(s, C_Initialize(args));
    C_Finalize(reserved: CK_VOID_PTR) |s| real!(s, C_Finalize(reserved));
    C_GetInfo(info: *mut CK_INFO) |s| real!(s, C_GetInfo(info));
    C_GetSlotList(present: CK_BBOOL, slots: *mut CK_SLOT_ID, count: *mut CK_ULONG) |s|
        if s.is_removed() {
            // SAFETY: the caller hands a place for one number.
            unsafe { *count = 0 };
            CKR_OK
        } else {
            real!(s, C_GetSlotList(present, slots, count))
        };
    C_GetSlotInfo(slot: CK_SLOT_ID, info: *mut CK_SLOT_INFO) |s| real!(s, C_GetSlotInfo(slot, info));
    C_GetTokenInfo(slot: CK_SLOT_ID, info: *mut CK_TOKEN_INFO) |s| token_info(s, slot, info);
    C_GetMechanismList(slot: CK_SLOT_ID, list: *mut CK_MECHANISM_TYPE, count: *mut CK_ULONG) |s|
        mechanisms(s, slot, list, count);
    C_GetMechanismInfo(slot: CK_SLOT_ID, kind: CK_MECHANISM_TYPE, info: *mut CK_MECHANISM_INFO) |s|
        real!(s, C_GetMechanismInfo(slot, kind, info));
    C_OpenSession(
        slot: CK_SLOT_ID, flags: CK_FLAGS, user: CK_VOID_PTR, notify: CK_NOTIFY,
        session: *mut CK_SESSION_HANDLE
    ) |s|
        if s.is_removed() {
            CKR_TOKEN_NOT_PRESENT
        } else {
            real!(s, C_OpenSession(slot, flags, user, notify, session))
        };
    C_CloseSession(session: CK_SESSION_HANDLE) |s| real!(s, C_CloseSession(session));
    C_GetSessionInfo(session: CK_SESSION_HANDLE, info: *mut CK_SESSION_INFO) |s|
        real!(s, C_GetSessionInfo(session, info));
    C_Login(session: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: *mut CK_UTF8CHAR, len: CK_ULONG) |s|
        login(s, session, user, pin, len);
    C_Logout(session: CK_SESSION_HANDLE) |s| real!(s, C_Logout(session));
    C_DestroyObject(session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) |s|
        real!(s, C_DestroyObject(session, object));
    C_GetAttributeValue(
        session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE, template: *mut CK_ATTRIBUTE,
        count: CK_ULONG
    ) |s| attributes(s, session, object, template, count);
    C_FindObjectsInit(session: CK_SESSION_HANDLE, template: *mut CK_ATTRIBUTE, count: CK_ULONG) |s|
        real!(s, C_FindObjectsInit(session, template, count));
    C_FindObjects(
        session: CK_SESSION_HANDLE, objects: *mut CK_OBJECT_HANDLE, max: CK_ULONG,
        count: *mut CK_ULONG
    ) |s| {
        let rv = real!(s, C_FindObjects(session, objects, max, count));
        if rv == CKR_OK && s.shim.spoils("C_FindObjects") {
            // SAFETY: the caller's place for one number.
            unsafe { *count = 0 };
        }
        rv
    };
    C_FindObjectsFinal(session: CK_SESSION_HANDLE) |s| real!(s, C_FindObjectsFinal(session));
    C_GenerateKeyPair(
        session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM,
        public: *mut CK_ATTRIBUTE, public_count: CK_ULONG,
        private: *mut CK_ATTRIBUTE, private_count: CK_ULONG,
        public_key: *mut CK_OBJECT_HANDLE, private_key: *mut CK_OBJECT_HANDLE
    ) |s| real!(s, C_GenerateKeyPair(
        session, mechanism, public, public_count, private, private_count, public_key, private_key
    ));
    C_SignInit(session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM, key: CK_OBJECT_HANDLE) |s| {
        authorized(|sessions| sessions.remove(&session));
        real!(s, C_SignInit(session, mechanism, key))
    };
    C_Sign(
        session: CK_SESSION_HANDLE, data: *mut CK_BYTE, data_len: CK_ULONG,
        signature: *mut CK_BYTE, signature_len: *mut CK_ULONG
    ) |s| {
        if s.shim.is_set("always_authenticate")
            && !authorized(|sessions| sessions.remove(&session))
        {
            return CKR_USER_NOT_LOGGED_IN;
        }
        let rv = real!(s, C_Sign(session, data, data_len, signature, signature_len));
        if rv == CKR_OK && s.shim.is_set("spelling") {
            spell_signature(signature, signature_len);
        }
        // SAFETY: the real module has just written a signature and its length there.
        unsafe {
            if rv == CKR_OK && s.shim.spoils("C_Sign") {
                *signature ^= 1;
            }
            if rv == CKR_OK && s.shim.shortens("C_Sign") {
                *signature_len -= 1;
            }
        }
        rv
    };
}

fn authorized<T>(use_set: impl FnOnce(&mut HashSet<CK_SESSION_HANDLE>) -> T) -> T {
    use_set(lock(&AUTHORIZED).get_or_insert_default())
}

fn token_info(shimmed: &Shimmed, slot: CK_SLOT_ID, info: *mut CK_TOKEN_INFO) -> CK_RV {
    if shimmed.is_removed() {
        return CKR_TOKEN_NOT_PRESENT;
    }
    let rv = real!(shimmed, C_GetTokenInfo(slot, info));
    if rv == CKR_OK {
        // SAFETY: the real module has just filled it in.
        unsafe { (*info).flags |= shimmed.shim.number("token_flags").unwrap_or(0) };
    }
    rv
}

fn mechanisms(
    shimmed: &Shimmed,
    slot: CK_SLOT_ID,
    list: *mut CK_MECHANISM_TYPE,
    count: *mut CK_ULONG,
) -> CK_RV {
    let rv = real!(shimmed, C_GetMechanismList(slot, list, count));
    if rv != CKR_OK || list.is_null() {
        return rv;
    }
    // SAFETY: the real module has just written `count` mechanisms to `list`.
    let listed = unsafe { slice::from_raw_parts_mut(list, usize::try_from(*count).unwrap_or(0)) };
    let mut kept = 0;
    for at in 0..listed.len() {
        if !shimmed.shim.is_set(&format!("hidden.{}", listed[at])) {
            listed[kept] = listed[at];
            kept += 1;
        }
    }
    // SAFETY: the caller's place for one number.
    unsafe { *count = kept as CK_ULONG };
    CKR_OK
}

fn login(
    shimmed: &Shimmed,
    session: CK_SESSION_HANDLE,
    user: CK_USER_TYPE,
    pin: *mut CK_UTF8CHAR,
    len: CK_ULONG,
) -> CK_RV {
    if user == CKU_CONTEXT_SPECIFIC {
        // SAFETY: the caller hands `len` bytes at `pin`.
        let pin = unsafe { slice::from_raw_parts(pin, usize::try_from(len).unwrap_or(0)) };
        let wanted = shimmed.shim.read("always_authenticate");
        if wanted.as_deref().map(str::as_bytes) != Some(pin) {
            return CKR_PIN_INCORRECT;
        }
        authorized(|sessions| sessions.insert(session));
        return CKR_OK;
    }
    if !pin.is_null() {
        return real!(shimmed, C_Login(session, user, pin, len));
    }
    let Some(mut pad) = shimmed.shim.read("pad_pin").map(String::into_bytes) else {
        return CKR_FUNCTION_CANCELED;
    };
    let len = pad.len() as CK_ULONG;
    real!(shimmed, C_Login(session, user, pad.as_mut_ptr(), len))
}

fn attributes(
    shimmed: &Shimmed,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
) -> CK_RV {
    let rv = real!(
        shimmed,
        C_GetAttributeValue(session, object, template, count)
    );
    if rv != CKR_OK {
        return rv;
    }
    let count = usize::try_from(count).unwrap_or(0);
    let spoils = shimmed.shim.spoils("C_GetAttributeValue");
    let shortens = shimmed.shim.shortens("C_GetAttributeValue");
    // SAFETY: the caller's template of `count` attributes, which the real module has filled in.
    for attribute in unsafe { slice::from_raw_parts_mut(template, count) } {
        if attribute.pValue.is_null() {
            continue;
        }
        let len = usize::try_from(attribute.ulValueLen).unwrap_or(0);
        // SAFETY: the real module has just written that many bytes there.
        let value = unsafe { slice::from_raw_parts_mut(attribute.pValue.cast::<u8>(), len) };
        if let Some(flag) = shimmed
            .shim
            .number(&format!("attribute.{}", attribute.type_))
        {
            value.fill(u8::from(flag != 0));
        } else if attribute.type_ == CKA_ALWAYS_AUTHENTICATE
            && shimmed.shim.is_set("always_authenticate")
        {
            value.fill(CK_TRUE);
        } else if attribute.type_ == CKA_EC_POINT && len == 67 && shimmed.shim.is_set("spelling") {
            value.copy_within(2.., 0);
            attribute.ulValueLen = 65;
        }
        if spoils && let Some(last) = value.last_mut() {
            *last ^= 1;
        }
        if shortens {
            attribute.ulValueLen = attribute.ulValueLen.saturating_sub(1);
        }
    }
    CKR_OK
}

fn spell_signature(signature: *mut CK_BYTE, len: *mut CK_ULONG) {
    // SAFETY: the real module has just written `len` bytes there.
    let plain = unsafe { slice::from_raw_parts(signature, usize::try_from(*len).unwrap_or(0)) };
    if plain.len() != 64 {
        return;
    }
    let der = answers::der_signature(plain);
    // SAFETY: the crate under test hands 512 bytes, more than any such signature has.
    unsafe {
        ptr::copy_nonoverlapping(der.as_ptr(), signature, der.len());
        *len = der.len() as CK_ULONG;
    }
}
