//! The calls themselves: one function for each that this crate makes, and nothing else.
//!
//! Every pointer handed to the module points to a live local or to a borrowed slice and is used by
//! the module during the call alone, as PKCS#11 prescribes; every length that comes back is
//! checked before it is used. What stays unchecked is the module's own code: who names a module in
//! the configuration lets it run in this process.
#![allow(unsafe_code)]

use std::{mem, path::Path, ptr};

use cryptoki_sys::*;
use tokenbinding_backend::ErrorKind;

use super::{Attribute, Attributes, Module, Session};
use crate::{
    ckr::Ckr,
    fault::{Fault, Result},
};

/// Longest attribute value that is read: an RSA modulus of 4096 bits, a long label.
const VALUE_LEN: usize = 520;
/// Handles fetched by one `C_FindObjects`.
const FOUND_LEN: usize = 32;
/// More slots or mechanisms than any module has.
const LIST_LEN: CK_ULONG = 4096;

/// Loads the library at `path` and asks for its functions.
pub(super) fn load(path: &Path) -> Result<(Pkcs11, CK_FUNCTION_LIST)> {
    let unusable = |why: String| {
        Fault::new(
            ErrorKind::Unavailable,
            format!("the module {} cannot be used: {why}", path.display()),
        )
    };
    // SAFETY: loading runs the library's constructors. The path comes from the configuration,
    // which is trusted to name a PKCS#11 module.
    let library = unsafe { Pkcs11::new(path) }.map_err(|error| unusable(error.to_string()))?;
    if library.C_GetFunctionList.is_err() {
        return Err(unusable("it has no C_GetFunctionList".into()));
    }
    let mut list = ptr::null_mut();
    // SAFETY: the symbol is there, and `list` is a place for one pointer.
    let rv = unsafe { library.C_GetFunctionList(&raw mut list) };
    check("C_GetFunctionList", rv)?;
    if list.is_null() {
        return Err(unusable("its function list is empty".into()));
    }
    // SAFETY: the module has answered with its static list, whose first fields are those of
    // version 2.40 in every version since.
    let functions = unsafe { *list };
    Ok((library, functions))
}

fn check(function: &'static str, rv: CK_RV) -> Result<()> {
    match rv {
        CKR_OK => Ok(()),
        rv => Err(Fault::Call {
            function,
            ckr: Ckr(rv),
        }),
    }
}

/// Calls a function of the module's table, in turn, and checks its return value. The arguments
/// must be what the function's declaration in PKCS#11 wants. One that lists the token's objects or
/// changes which they are is called as `objects session => …`.
macro_rules! call {
    ($module:expr, $function:ident($($argument:expr),* $(,)?)) => {
        $module.turn(|| call!(alone $module, $function($($argument),*)))
    };
    ($module:expr, objects $session:ident => $($call:tt)*) => {
        $module.alone_with_objects($session, || call!($module, $session => $($call)*))
    };
    ($module:expr, $session:ident => $function:ident($($argument:expr),* $(,)?)) => {
        $module.turn_of($session, || call!(alone $module, $function($($argument),*)))
    };
    (alone $module:expr, $function:ident($($argument:expr),*)) => {{
        const NAME: &str = stringify!($function);
        let function = $module
            .functions
            .$function
            .ok_or_else(|| Module::missing(NAME))?;
        // SAFETY: the pointer comes from the module's own table; see the head of this file for
        // what the arguments point to.
        let rv = unsafe { function($($argument),*) };
        check(NAME, rv)
    }};
}

/// All zeros.
fn zeroed<T: Plain>() -> T {
    // SAFETY: `Plain` types consist of integers and arrays of integers.
    unsafe { mem::zeroed() }
}

/// C structures made of integers alone.
trait Plain: Copy {}
impl Plain for CK_INFO {}
impl Plain for CK_SLOT_INFO {}
impl Plain for CK_TOKEN_INFO {}
impl Plain for CK_MECHANISM_INFO {}
impl Plain for CK_SESSION_INFO {}

fn raw(template: &[Attribute]) -> Vec<CK_ATTRIBUTE> {
    template.iter().map(Attribute::raw).collect()
}

/// A length that a module returned. One that no memory holds is cut by whoever uses it.
fn size(length: CK_ULONG) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

fn length<T>(items: &[T]) -> CK_ULONG {
    items.len() as CK_ULONG
}

impl Module {
    /// With `flags`, or with none of the arguments: for one thread at a time.
    pub(super) fn c_initialize(&self, flags: Option<CK_FLAGS>) -> Result<()> {
        let mut arguments = CK_C_INITIALIZE_ARGS {
            CreateMutex: None,
            DestroyMutex: None,
            LockMutex: None,
            UnlockMutex: None,
            flags: flags.unwrap_or_default(),
            pReserved: ptr::null_mut(),
        };
        let pointer = match flags {
            Some(_) => (&raw mut arguments).cast(),
            None => ptr::null_mut(),
        };
        call!(alone self, C_Initialize(pointer))
    }

    /// Ends every session of this process with the module, whosever it is.
    pub(super) fn c_finalize(&self) -> Result<()> {
        call!(alone self, C_Finalize(ptr::null_mut()))
    }

    pub(crate) fn c_get_info(&self) -> Result<CK_INFO> {
        let mut info = zeroed();
        call!(self, C_GetInfo(&raw mut info))?;
        Ok(info)
    }

    /// The slots with a token.
    pub(crate) fn c_get_slot_list(&self) -> Result<Vec<CK_SLOT_ID>> {
        let mut count = 0;
        call!(
            self,
            C_GetSlotList(CK_TRUE, ptr::null_mut(), &raw mut count)
        )?;
        // Room for tokens that are inserted between the two calls.
        count = count.min(LIST_LEN) + 8;
        let mut slots = vec![0; size(count)];
        call!(
            self,
            C_GetSlotList(CK_TRUE, slots.as_mut_ptr(), &raw mut count)
        )?;
        slots.truncate(size(count));
        Ok(slots)
    }

    pub(crate) fn c_get_slot_info(&self, slot: CK_SLOT_ID) -> Result<CK_SLOT_INFO> {
        let mut info = zeroed();
        call!(self, C_GetSlotInfo(slot, &raw mut info))?;
        Ok(info)
    }

    pub(crate) fn c_get_token_info(&self, slot: CK_SLOT_ID) -> Result<CK_TOKEN_INFO> {
        let mut info = zeroed();
        call!(self, C_GetTokenInfo(slot, &raw mut info))?;
        Ok(info)
    }

    pub(crate) fn c_get_mechanism_list(&self, slot: CK_SLOT_ID) -> Result<Vec<CK_MECHANISM_TYPE>> {
        let mut count = 0;
        call!(
            self,
            C_GetMechanismList(slot, ptr::null_mut(), &raw mut count)
        )?;
        count = count.min(LIST_LEN);
        let mut mechanisms = vec![0; size(count)];
        call!(
            self,
            C_GetMechanismList(slot, mechanisms.as_mut_ptr(), &raw mut count)
        )?;
        mechanisms.truncate(size(count));
        Ok(mechanisms)
    }

    pub(crate) fn c_get_mechanism_info(
        &self,
        slot: CK_SLOT_ID,
        mechanism: CK_MECHANISM_TYPE,
    ) -> Result<CK_MECHANISM_INFO> {
        let mut info = zeroed();
        call!(self, C_GetMechanismInfo(slot, mechanism, &raw mut info))?;
        Ok(info)
    }

    pub(crate) fn c_open_session(&self, slot: CK_SLOT_ID, writable: bool) -> Result<Session> {
        let flags = CKF_SERIAL_SESSION | if writable { CKF_RW_SESSION } else { 0 };
        // Before the call: a session that a new start overtakes is then known to be of no use.
        let start = self.start();
        let mut handle = 0;
        call!(
            self,
            C_OpenSession(slot, flags, ptr::null_mut(), None, &raw mut handle)
        )?;
        Ok(Session {
            handle,
            slot,
            start,
        })
    }

    pub(crate) fn c_close_session(&self, session: Session) -> Result<()> {
        call!(self, session => C_CloseSession(session.handle))
    }

    pub(crate) fn c_get_session_info(&self, session: Session) -> Result<CK_SESSION_INFO> {
        let mut info = zeroed();
        call!(self, session => C_GetSessionInfo(session.handle, &raw mut info))?;
        Ok(info)
    }

    /// Logs `user` in with `pin`, or at the token's own pad.
    pub(crate) fn c_login(
        &self,
        session: Session,
        user: CK_USER_TYPE,
        pin: Option<&str>,
    ) -> Result<()> {
        let (pin, len) = match pin {
            Some(pin) => (pin.as_ptr().cast_mut(), length(pin.as_bytes())),
            None => (ptr::null_mut(), 0),
        };
        call!(self, session => C_Login(session.handle, user, pin, len))
    }

    /// Every object that has the attributes of `template`.
    pub(crate) fn find_objects(
        &self,
        session: Session,
        template: &[Attribute],
    ) -> Result<Vec<CK_OBJECT_HANDLE>> {
        let mut template = raw(template);
        let len = length(&template);
        call!(self, objects session => C_FindObjectsInit(session.handle, template.as_mut_ptr(), len))?;
        let found = self.found_objects(session);
        let ended = call!(self, session => C_FindObjectsFinal(session.handle));
        let found = found?;
        ended.map(|()| found)
    }

    fn found_objects(&self, session: Session) -> Result<Vec<CK_OBJECT_HANDLE>> {
        let mut all = Vec::new();
        loop {
            let mut some = [0; FOUND_LEN];
            let mut count = 0;
            call!(
                self,
                session => C_FindObjects(session.handle, some.as_mut_ptr(), length(&some), &raw mut count)
            )?;
            let some = &some[..some.len().min(size(count))];
            all.extend(some);
            // Not "fewer than asked for": some modules hand out less than there is.
            if some.is_empty() {
                return Ok(all);
            }
        }
    }

    /// The attributes of `object` that the token tells; one that it does not know is left out.
    pub(crate) fn attributes(
        &self,
        session: Session,
        object: CK_OBJECT_HANDLE,
        kinds: &[CK_ATTRIBUTE_TYPE],
    ) -> Result<Attributes> {
        let mut buffers = vec![[0_u8; VALUE_LEN]; kinds.len()];
        let mut template: Vec<CK_ATTRIBUTE> = kinds
            .iter()
            .zip(&mut buffers)
            .map(|(kind, buffer)| CK_ATTRIBUTE {
                type_: *kind,
                pValue: buffer.as_mut_ptr().cast(),
                ulValueLen: length(buffer),
            })
            .collect();
        let len = length(&template);
        let called = call!(
            self,
            session => C_GetAttributeValue(session.handle, object, template.as_mut_ptr(), len)
        );
        let mut told = Attributes::default();
        match called {
            Ok(()) => {}
            Err(fault) if !is_partial(&fault) => return Err(fault),
            Err(_) if kinds.len() == 1 => return Ok(told),
            // Not every module goes on after the first attribute that it does not know.
            Err(_) => {
                for kind in kinds {
                    let one = self.attributes(session, object, &[*kind])?;
                    told.extend(one);
                }
                return Ok(told);
            }
        }
        for ((kind, buffer), answer) in kinds.iter().zip(&buffers).zip(&template) {
            if let Some(value) = buffer.get(..size(answer.ulValueLen)) {
                told.push(*kind, value);
            }
        }
        Ok(told)
    }

    /// Makes a key pair: the handles of its public and its private half.
    pub(crate) fn c_generate_key_pair(
        &self,
        session: Session,
        mechanism: CK_MECHANISM_TYPE,
        public: &[Attribute],
        private: &[Attribute],
    ) -> Result<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
        let mut mechanism = CK_MECHANISM {
            mechanism,
            pParameter: ptr::null_mut(),
            ulParameterLen: 0,
        };
        let (mut public, mut private) = (raw(public), raw(private));
        let (public_len, private_len) = (length(&public), length(&private));
        let (mut public_key, mut private_key) = (0, 0);
        call!(
            self,
            objects session => C_GenerateKeyPair(
                session.handle,
                &raw mut mechanism,
                public.as_mut_ptr(),
                public_len,
                private.as_mut_ptr(),
                private_len,
                &raw mut public_key,
                &raw mut private_key,
            )
        )?;
        Ok((public_key, private_key))
    }

    pub(crate) fn c_destroy_object(
        &self,
        session: Session,
        object: CK_OBJECT_HANDLE,
    ) -> Result<()> {
        call!(self, objects session => C_DestroyObject(session.handle, object))
    }

    /// Begins a signature with `key`. `pss` holds the parameters of an RSASSA-PSS mechanism.
    pub(crate) fn c_sign_init(
        &self,
        session: Session,
        mechanism: CK_MECHANISM_TYPE,
        mut pss: Option<CK_RSA_PKCS_PSS_PARAMS>,
        key: CK_OBJECT_HANDLE,
    ) -> Result<()> {
        let (parameter, len) = match &mut pss {
            Some(pss) => (ptr::from_mut(pss).cast(), size_of_val(pss) as CK_ULONG),
            None => (ptr::null_mut(), 0),
        };
        let mut mechanism = CK_MECHANISM {
            mechanism,
            pParameter: parameter,
            ulParameterLen: len,
        };
        call!(self, session => C_SignInit(session.handle, &raw mut mechanism, key))
    }

    /// Signs `data` by one call, without asking for the length first. Returns how many bytes of
    /// `signature` were written.
    pub(crate) fn c_sign(
        &self,
        session: Session,
        data: &[u8],
        signature: &mut [u8],
    ) -> Result<usize> {
        let mut len = length(signature);
        call!(
            self,
            session => C_Sign(
                session.handle,
                data.as_ptr().cast_mut(),
                length(data),
                signature.as_mut_ptr(),
                &raw mut len,
            )
        )?;
        Ok(signature.len().min(size(len)))
    }
}

/// Whether some attributes were told and others not.
fn is_partial(fault: &Fault) -> bool {
    let partial = [
        CKR_ATTRIBUTE_SENSITIVE,
        CKR_ATTRIBUTE_TYPE_INVALID,
        CKR_BUFFER_TOO_SMALL,
    ];
    fault.ckr().is_some_and(|ckr| partial.contains(&ckr.0))
}
