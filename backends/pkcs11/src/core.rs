//! A token that stays usable: it is found again when it was taken out, logged in to when the login
//! is gone, and reached anew in a child of `fork`.
//!
//! An operation that fails for such a reason is tried a second time, and only once. A login is
//! never tried a second time by itself: the token may have counted the first.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use cryptoki_sys::*;
use tokenbinding_backend::{BackendInfo, Result as BackendResult};

use crate::{
    Callbacks, Pkcs11Config,
    callbacks::TokenName,
    ckr::Recovery,
    fault::{Fault, Result},
    link::Link,
    login::{Login, Unlocking},
    mechanism::KeyTypeSupport,
    module::Module,
    signing::ProvenSchemes,
    sync::{PerProcess, lock},
    token::{self, TokenInfo},
};

/// What a backend and its keys share.
pub(crate) struct Core {
    pub(crate) info: BackendInfo,
    pub(crate) token: TokenName,
    pub(crate) support: Vec<KeyTypeSupport>,
    pub(crate) proven: ProvenSchemes,
    pub(crate) config: Pkcs11Config,
    pub(crate) callbacks: Arc<dyn Callbacks>,
    module: Arc<Module>,
    attachments: PerProcess<Attachment>,
}

/// How one process is attached to the token.
#[derive(Debug, Default)]
struct Attachment {
    link: Mutex<Option<Arc<Link>>>,
    login: Login,
}

impl Core {
    /// The core of `token`, which `module` sees now.
    pub(crate) fn new(
        module: Arc<Module>,
        token: &TokenInfo,
        info: BackendInfo,
        support: Vec<KeyTypeSupport>,
        config: Pkcs11Config,
        callbacks: Arc<dyn Callbacks>,
    ) -> Self {
        let link = Link::new(&module, token);
        Self {
            info,
            token: token.name(),
            support,
            proven: ProvenSchemes::default(),
            config,
            callbacks,
            module,
            attachments: PerProcess::new(Attachment {
                link: Mutex::new(Some(Arc::new(link))),
                login: Login::default(),
            }),
        }
    }

    /// Runs `step` with a session of a user who is logged in, and once more when the token, the
    /// login, the session or a handle was lost and has been found again.
    pub(crate) fn run<T>(
        &self,
        operation: &'static str,
        step: impl Fn(&Link, CK_SESSION_HANDLE) -> Result<T>,
    ) -> BackendResult<T> {
        self.look(operation, |link| self.with_session(link, &step))
    }

    /// Runs `step` with the token in its slot, and once more as [`run`](Self::run) does. Nobody
    /// logs in for it.
    pub(crate) fn look<T>(
        &self,
        operation: &'static str,
        step: impl Fn(&Link) -> Result<T>,
    ) -> BackendResult<T> {
        let result = match self.attempt(&step) {
            Err(fault) if is_worth_another_try(&fault) => {
                tracing::debug!(operation, %fault, "trying once more");
                self.attempt(&step)
            }
            result => result,
        };
        result.map_err(|fault| fault.into_error(operation))
    }

    fn attempt<T>(&self, step: impl Fn(&Link) -> Result<T>) -> Result<T> {
        let link = self.link()?;
        let result = step(&link);
        match result.as_ref().err().and_then(Fault::recovery) {
            Some(Recovery::Relink) => self.give_up(&link),
            Some(Recovery::Login) => link.set_logged_in(false),
            Some(Recovery::Find | Recovery::Session) | None => {}
        }
        result
    }

    fn with_session<T>(
        &self,
        link: &Link,
        step: impl Fn(&Link, CK_SESSION_HANDLE) -> Result<T>,
    ) -> Result<T> {
        let mut lease = link.lease()?;
        let session = lease.session();
        let result = self
            .login()
            .ensure(link, session, self.unlocking())
            .and_then(|()| step(link, session));
        if result.is_err() {
            lease.spoil();
        }
        result
    }

    /// Logs in for the operation that `session` has begun.
    pub(crate) fn authorize(&self, link: &Link, session: CK_SESSION_HANDLE) -> Result<()> {
        self.login().authorize(link, session, self.unlocking())
    }

    fn unlocking(&self) -> Unlocking<'_> {
        Unlocking {
            config: &self.config,
            callbacks: &*self.callbacks,
        }
    }

    fn attachment(&self) -> &Attachment {
        self.attachments.get(|parent| Attachment {
            link: Mutex::default(),
            login: parent.login.fork(),
        })
    }

    fn login(&self) -> &Login {
        &self.attachment().login
    }

    /// The link to the token, made anew where there is none.
    fn link(&self) -> Result<Arc<Link>> {
        let mut current = lock(&self.attachment().link);
        if let Some(link) = &*current {
            return Ok(Arc::clone(link));
        }
        // In a child of fork, and after other code's C_Finalize, the module starts again.
        self.module.initialize()?;
        let token = token::find_again(&self.module, &self.info.device)?;
        let link = Arc::new(Link::new(&self.module, &token));
        tracing::debug!(device = self.info.device, slot = token.slot, "found the token again");
        *current = Some(Arc::clone(&link));
        Ok(link)
    }

    /// Has the next operation look for the token again.
    fn give_up(&self, link: &Arc<Link>) {
        link.give_up();
        let mut current = lock(&self.attachment().link);
        if current.as_ref().is_some_and(|held| Arc::ptr_eq(held, link)) {
            *current = None;
        }
    }
}

fn is_worth_another_try(fault: &Fault) -> bool {
    let is_login = matches!(fault, Fault::Call { function, .. } if *function == "C_Login");
    fault.recovery().is_some() && !is_login
}

/// The device alone: neither the configuration nor the login, which may hold a PIN.
impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkcs11")
            .field("device", &self.info.device)
            .field("module", &self.module.path())
            .finish_non_exhaustive()
    }
}
