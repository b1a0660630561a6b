//! A PKCS#11 module in this process: loaded once, initialised, never unloaded.
//!
//! A module is one for the whole process: other code may have initialised it before us, and its
//! sessions would end with `C_Finalize`. So that is called for one reason alone, to start a module
//! again which has lost sight of its token, and only when it was initialised by us and holds no
//! ephemeral key. Unloading would pull the code from under a module's own threads: it stays until
//! the process ends. PKCS#11 v2.40, "General-purpose functions".

mod attribute;
mod calls;

use std::{
    collections::BTreeMap,
    fmt,
    mem::ManuallyDrop,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
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

/// A session, by its handle. After the module was started again, the handle may be that of another
/// session, so it is good for one start alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    handle: CK_SESSION_HANDLE,
    slot: CK_SLOT_ID,
    start: u64,
}

/// How calls share the module.
#[derive(Debug, Default)]
struct Turns {
    /// Set for a module that cannot lock by itself: one call at a time.
    serial: OnceLock<Mutex<()>>,
    /// Shared by the calls; held alone while the module is initialised or finalised.
    running: RwLock<()>,
    /// Whether the module was initialised by us, and not by other code.
    ours: AtomicBool,
    /// How many times the module was started again.
    start: AtomicU64,
    /// How many sessions hold ephemeral keys.
    ephemeral: AtomicUsize,
    /// For each slot, held by the one call that lists the token's objects or changes which they are.
    objects: Mutex<BTreeMap<CK_SLOT_ID, Arc<Mutex<()>>>>,
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
        let turns = self.turns();
        let _alone = turns
            .running
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        self.initialize_alone(turns)
    }

    fn initialize_alone(&self, turns: &Turns) -> Result<()> {
        let result = match self.c_initialize(Some(CKF_OS_LOCKING_OK)) {
            Err(fault) if fault.ckr() == Some(Ckr(CKR_CANT_LOCK)) => {
                turns.serial.get_or_init(Mutex::default);
                self.c_initialize(None)
            }
            result => result,
        };
        match result {
            Err(fault) if fault.ckr() == Some(Ckr(CKR_CRYPTOKI_ALREADY_INITIALIZED)) => Ok(()),
            result => {
                turns.ours.store(result.is_ok(), Ordering::Relaxed);
                result
            }
        }
    }

    /// Finalises the module and initialises it again, after a pause that grows with `starts`.
    /// `false` when that would harm others: other code has initialised it, or it holds ephemeral
    /// keys. All sessions of this process end.
    pub(crate) fn restart(&self, starts: u32) -> Result<bool> {
        let turns = self.turns();
        let may_restart =
            || turns.ours.load(Ordering::Relaxed) && turns.ephemeral.load(Ordering::Relaxed) == 0;
        if !may_restart() {
            return Ok(false);
        }
        // Processes that got in each other's way would do so again at the same pace.
        let pace = 5 + u64::from(process::id() % 7);
        thread::sleep(Duration::from_millis(pace << starts));
        let _alone = turns
            .running
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if !may_restart() {
            return Ok(false);
        }
        tracing::debug!(module = %self.path.display(), "starting the module again");
        turns.start.fetch_add(1, Ordering::Relaxed);
        self.c_finalize()?;
        self.initialize_alone(turns)?;
        Ok(true)
    }

    /// Says that a session with ephemeral keys was opened, or is gone.
    pub(crate) fn holds_ephemeral(&self, held: bool) {
        let count = &self.turns().ephemeral;
        if held {
            count.fetch_add(1, Ordering::Relaxed);
        } else {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn turns(&self) -> &Turns {
        // A child of fork calls `initialize` again, and so learns again whether turns are needed.
        self.turns.get(|parent| Turns {
            ours: AtomicBool::new(parent.ours.load(Ordering::Relaxed)),
            ..Turns::default()
        })
    }

    /// Waits for this call's turn, where calls have to take turns.
    fn turn<R>(&self, call: impl FnOnce() -> R) -> R {
        let turns = self.turns();
        let _running = turns.running.read().unwrap_or_else(PoisonError::into_inner);
        let _turn = turns.serial.get().map(lock);
        call()
    }

    /// How many times the module was started again in this process.
    pub(crate) fn start(&self) -> u64 {
        self.turns().start.load(Ordering::Relaxed)
    }

    /// As [`turn`](Self::turn), for a call in `session`.
    fn turn_of<R>(&self, session: Session, call: impl FnOnce() -> Result<R>) -> Result<R> {
        self.turn(|| {
            if session.start == self.start() {
                return call();
            }
            Err(Fault::Call {
                function: "C_GetSessionInfo",
                ckr: Ckr(CKR_SESSION_HANDLE_INVALID),
            })
        })
    }

    /// Runs `call`, which lists the objects of the session's token or changes which they are, when
    /// no other such call runs on that token. SoftHSM 2.6.1 notes a new object in the token's
    /// directory and in its own list at different times, and what another thread lists or makes
    /// in between is lost to it: `CKR_GENERAL_ERROR`, attributes that are gone, wrong handles.
    fn alone_with_objects<R>(&self, session: Session, call: impl FnOnce() -> R) -> R {
        let token = Arc::clone(lock(&self.turns().objects).entry(session.slot).or_default());
        let _alone = lock(&token);
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
