//! A PKCS#11 module in this process: loaded once, initialised, never finalised, never unloaded.
//!
//! A module is one for the whole process: other code may have initialised it before us, or may
//! rely on our having done so. `C_Finalize` would end their sessions too, so it is not called;
//! unloading would pull the code from under a module's own threads. Both stay until the process
//! ends. PKCS#11 v2.40, "General-purpose functions".

mod attribute;
mod calls;

use std::{
    collections::BTreeMap,
    fmt,
    mem::ManuallyDrop,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
};

use cryptoki_sys::*;
use tokenbinding_backend::ErrorKind;

pub(crate) use self::attribute::{Attribute, Attributes};
use crate::{
    ckr::Ckr,
    fault::{Fault, Result},
    sync::{PerProcess, lock},
};

/// Every module that this process has loaded through us, by path.
static LOADED: Mutex<BTreeMap<PathBuf, Arc<Module>>> = Mutex::new(BTreeMap::new());

/// A loaded module and its table of functions.
pub(crate) struct Module {
    path: PathBuf,
    functions: CK_FUNCTION_LIST,
    turns: PerProcess<Turns>,
    /// Keeps the code in memory that `functions` points to.
    _library: ManuallyDrop<Pkcs11>,
}

/// How calls share the module.
#[derive(Debug, Default)]
struct Turns {
    /// Set for a module that cannot lock by itself: one call at a time.
    serial: OnceLock<Mutex<()>>,
}

impl Module {
    /// The module at `path`, loaded and initialised.
    pub(crate) fn load(path: &Path) -> Result<Arc<Self>> {
        let mut loaded = lock(&LOADED);
        if let Some(module) = loaded.get(path) {
            return Ok(Arc::clone(module));
        }
        let (library, functions) = calls::load(path)?;
        let module = Arc::new(Self {
            path: path.to_owned(),
            functions,
            turns: PerProcess::new(Turns::default()),
            _library: ManuallyDrop::new(library),
        });
        loaded.insert(path.to_owned(), Arc::clone(&module));
        Ok(module)
    }

    /// Where it was loaded from.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Initialises the module for this process, unless that has been done. A module that cannot
    /// lock is called by one thread at a time from then on.
    pub(crate) fn initialize(&self) -> Result<()> {
        let result = match self.c_initialize(Some(CKF_OS_LOCKING_OK)) {
            Err(fault) if fault.ckr() == Some(Ckr(CKR_CANT_LOCK)) => {
                self.turns().serial.get_or_init(Mutex::default);
                self.c_initialize(None)
            }
            result => result,
        };
        match result {
            Err(fault) if fault.ckr() == Some(Ckr(CKR_CRYPTOKI_ALREADY_INITIALIZED)) => Ok(()),
            result => result,
        }
    }

    fn turns(&self) -> &Turns {
        // A child of fork calls `initialize` again, and so learns again whether turns are needed.
        self.turns.get(|_| Turns::default())
    }

    /// Waits for this call's turn, where calls have to take turns.
    fn turn<R>(&self, call: impl FnOnce() -> R) -> R {
        let _turn = self.turns().serial.get().map(lock);
        call()
    }

    /// The fault of a function that the module's table leaves empty.
    fn missing(function: &'static str) -> Fault {
        Fault::new(
            ErrorKind::Unsupported,
            format!("the module does not have {function}"),
        )
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").field("path", &self.path).finish()
    }
}
