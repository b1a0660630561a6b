//! The way to a token that is in its slot now: its sessions, and whether the user is logged in.
//!
//! A link that has failed is given up as a whole and replaced by a new one. Its sessions are then
//! not closed: the module may have handed their numbers out again, to somebody else. Nor does a
//! child of `fork` close its parent's.

use std::{
    process,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use cryptoki_sys::*;
use tokenbinding_backend::ErrorKind;

use crate::{
    ckr::Ckr,
    fault::{Fault, Result},
    module::{Module, Session},
    sync::lock,
    token::TokenInfo,
};

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(1);

/// A token in its slot.
#[derive(Debug)]
pub(crate) struct Link {
    module: Arc<Module>,
    slot: CK_SLOT_ID,
    /// Tells this link from earlier ones, whose object handles mean nothing to it.
    number: u64,
    pid: u32,
    /// The start of the module that it belongs to.
    start: u64,
    login_required: bool,
    writable: AtomicBool,
    logged_in: AtomicBool,
    given_up: AtomicBool,
    pool: Mutex<Pool>,
    returned: Condvar,
    /// Holds the session objects: they live as long as it is open.
    ephemeral: Mutex<Option<Session>>,
}

#[derive(Debug, Default)]
struct Pool {
    idle: Vec<Session>,
    leased: usize,
}

impl Link {
    /// A link to `token`, where it is now.
    pub(crate) fn new(module: &Arc<Module>, token: &TokenInfo) -> Self {
        Self {
            module: Arc::clone(module),
            slot: token.slot,
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            pid: process::id(),
            start: module.start(),
            login_required: token.flags.login_required(),
            writable: AtomicBool::new(!token.flags.write_protected()),
            logged_in: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            pool: Mutex::default(),
            returned: Condvar::new(),
            ephemeral: Mutex::default(),
        }
    }

    pub(crate) const fn module(&self) -> &Arc<Module> {
        &self.module
    }

    pub(crate) const fn slot(&self) -> CK_SLOT_ID {
        self.slot
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// Whether objects can be made on the token.
    pub(crate) fn is_writable(&self) -> bool {
        self.writable.load(Ordering::Relaxed)
    }

    /// Whether no login is needed, or one was made.
    pub(crate) fn is_logged_in(&self) -> bool {
        !self.login_required || self.logged_in.load(Ordering::Acquire)
    }

    pub(crate) fn set_logged_in(&self, logged_in: bool) {
        self.logged_in.store(logged_in, Ordering::Release);
    }

    /// Asks the token whether the user is logged in, by whomever in this process.
    pub(crate) fn sees_login(&self, session: Session) -> Result<bool> {
        let state = self.module.c_get_session_info(session)?.state;
        Ok(!self.login_required || matches!(state, CKS_RO_USER_FUNCTIONS | CKS_RW_USER_FUNCTIONS))
    }

    /// Makes sure that a search found no private key because there is none. A user who is not
    /// logged in finds none either, and other code in this process can log him out.
    pub(crate) fn require_login(&self, session: Session, found_none: bool) -> Result<()> {
        if !found_none || self.sees_login(session)? {
            return Ok(());
        }
        Err(Fault::Call {
            function: "C_FindObjects",
            ckr: Ckr(CKR_USER_NOT_LOGGED_IN),
        })
    }

    /// Marks the link as of no use any more.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
    }

    /// A session for one operation: an idle one, or a new one while the token has any left.
    pub(crate) fn lease(&self) -> Result<Lease<'_>> {
        let mut pool = lock(&self.pool);
        loop {
            let idle = pool.idle.pop();
            pool.leased += 1;
            let others = pool.leased > 1;
            drop(pool);
            match idle.map_or_else(|| self.open_session(), Ok) {
                Ok(session) => return Ok(self.leased(session)),
                Err(fault) if others && fault.ckr() == Some(Ckr(CKR_SESSION_COUNT)) => {}
                Err(fault) => {
                    self.put_back(None);
                    return Err(fault);
                }
            }
            // The token has no session left: one that another thread uses must come back first.
            pool = lock(&self.pool);
            pool.leased -= 1;
            while pool.idle.is_empty() && pool.leased > 0 {
                let returned = self.returned.wait(pool);
                pool = returned.unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    const fn leased(&self, session: Session) -> Lease<'_> {
        Lease {
            link: self,
            session,
            spoiled: false,
        }
    }

    fn put_back(&self, session: Option<Session>) {
        let mut pool = lock(&self.pool);
        pool.leased -= 1;
        pool.idle.extend(session);
        drop(pool);
        self.returned.notify_one();
    }

    /// Opens a session that can write, where the token lets it.
    fn open_session(&self) -> Result<Session> {
        if self.is_writable() {
            match self.module.c_open_session(self.slot, true) {
                Err(fault) if fault.ckr() == Some(Ckr(CKR_TOKEN_WRITE_PROTECTED)) => {
                    self.writable.store(false, Ordering::Relaxed);
                }
                result => return result,
            }
        }
        self.module.c_open_session(self.slot, false)
    }

    /// Runs `use_session` on the session that session objects belong to.
    pub(crate) fn with_ephemeral<T>(
        &self,
        use_session: impl FnOnce(Session) -> Result<T>,
    ) -> Result<T> {
        let mut session = lock(&self.ephemeral);
        let session = match *session {
            Some(session) => session,
            None => {
                let opened = self.open_session()?;
                self.module.holds_ephemeral(true);
                *session.insert(opened)
            }
        };
        use_session(session)
    }

    /// The error of a token that cannot be written.
    pub(crate) fn require_writable(&self) -> Result<()> {
        if self.is_writable() {
            return Ok(());
        }
        Err(Fault::new(
            ErrorKind::Denied,
            "CKF_WRITE_PROTECTED: the token takes no new keys and lets none be deleted",
        ))
    }

    /// Whether it was given up, or the module was started again.
    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire) || self.start != self.module.start()
    }

    fn is_ours_to_close(&self) -> bool {
        self.pid == process::id() && !self.is_given_up()
    }

    fn close(&self, session: Session) {
        if let Err(fault) = self.module.c_close_session(session) {
            tracing::debug!(%fault, "a session that does not close");
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if self.pid != process::id() {
            return;
        }
        let ephemeral = lock(&self.ephemeral).take();
        if ephemeral.is_some() {
            self.module.holds_ephemeral(false);
        }
        if self.is_given_up() {
            return;
        }
        let idle = std::mem::take(&mut lock(&self.pool).idle);
        for session in idle.into_iter().chain(ephemeral) {
            self.close(session);
        }
    }
}

/// A session in use by one operation. It goes back to the pool, or another in its place when it is
/// spoiled.
#[derive(Debug)]
pub(crate) struct Lease<'a> {
    link: &'a Link,
    session: Session,
    spoiled: bool,
}

impl Lease<'_> {
    pub(crate) const fn session(&self) -> Session {
        self.session
    }

    /// Says that an operation failed on it, which may be active still.
    pub(crate) const fn spoil(&mut self) {
        self.spoiled = true;
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let link = self.link;
        if !self.spoiled {
            return link.put_back(Some(self.session));
        }
        if !link.is_ours_to_close() {
            return link.put_back(None);
        }
        // The new one first: the last session that is closed takes the login along.
        let replacement = link.open_session().ok();
        link.close(self.session);
        if replacement.is_none() {
            link.set_logged_in(false);
        }
        link.put_back(replacement);
    }
}
