//! A token that stays usable: it is found again when it was taken out, logged in to when the login
//! is gone, and reached anew in a child of `fork`.
//!
//! An operation that fails for such a reason is tried again, once for each kind of reason: a lost
//! login may first show as a lost handle. A failed login is never tried again by itself: the token
//! may have counted it.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use tokenbinding_backend::{BackendInfo, ErrorKind, Result as BackendResult};

use crate::{
    Callbacks, Pkcs11Config, TokenName,
    ckr::Recovery,
    fault::{Fault, Result},
    link::Link,
    login::{Login, Unlocking},
    mechanism::KeyTypeSupport,
    module::{Module, Session},
    signing::ProvenSchemes,
    sync::{PerProcess, lock},
    token::{self, TokenInfo},
};

/// How often a module is started again for one operation.
pub(crate) const RESTARTS: u32 = 4;

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

    /// Runs `step` with a session of a user who is logged in, and again when the token, the login,
    /// the session or a handle was lost and has been found again.
    pub(crate) fn run<T>(
        &self,
        operation: &'static str,
        step: impl Fn(&Link, Session) -> Result<T>,
    ) -> BackendResult<T> {
        self.look(operation, |link| self.with_session(link, &step))
    }

    /// Runs `step` with the token in its slot, and again as [`run`](Self::run) does. Nobody logs
    /// in for it.
    pub(crate) fn look<T>(
        &self,
        operation: &'static str,
        step: impl Fn(&Link) -> Result<T>,
    ) -> BackendResult<T> {
        let mut recovered = Vec::new();
        let mut starts = 0;
        let mut seen = self.module.start();
        loop {
            let (fault, recovery) = match self.link() {
                Err(fault) => (fault.clone(), worth_trying(&fault)),
                Ok(link) => match step(&link) {
                    Ok(done) => return Ok(done),
                    Err(fault) => (fault.clone(), recover(&link, &fault)),
                },
            };
            tracing::debug!(operation, %fault, ?recovery, "failed");
            match recovery {
                // That a key is lost is made sure of once.
                Some(Recovery::Restart)
                    if starts < RESTARTS && !(is_lost(&fault) && starts > 0) =>
                {
                    let restarted = self.module.restart(starts);
                    if !restarted.map_err(|fault| fault.into_error(operation))? {
                        return Err(fault.into_error(operation));
                    }
                    starts += 1;
                }
                // Another thread has started the module again: that is no fault of the token's.
                Some(Recovery::Relink) if seen != self.module.start() => {
                    seen = self.module.start();
                }
                Some(recovery) if !recovered.contains(&recovery) => recovered.push(recovery),
                _ => return Err(fault.into_error(operation)),
            }
        }
    }

    fn with_session<T>(
        &self,
        link: &Link,
        step: impl Fn(&Link, Session) -> Result<T>,
    ) -> Result<T> {
        let mut lease = link.lease()?;
        let session = lease.session();
        let result = self
            .login()
            .ensure(link, session, self.unlocking())
            .and_then(|()| step(link, session));
        if let Err(fault) = &result {
            // Before the session is given back, which must know that the link is of no use.
            recover(link, fault);
            lease.spoil();
        }
        result
    }

    /// Logs in for the operation that `session` has begun.
    pub(crate) fn authorize(&self, link: &Link, session: Session) -> Result<()> {
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

    /// The link to the token, made anew where there is none that can be used.
    fn link(&self) -> Result<Arc<Link>> {
        let mut current = lock(&self.attachment().link);
        if let Some(link) = current.as_ref().filter(|link| !link.is_given_up()) {
            return Ok(Arc::clone(link));
        }
        *current = None;
        // In a child of fork, and after other code's C_Finalize, the module starts again.
        self.module.initialize()?;
        let token = token::find_again(&self.module, &self.info.device)?;
        let link = Arc::new(Link::new(&self.module, &token));
        tracing::debug!(
            device = self.info.device,
            slot = token.slot,
            "found the token again"
        );
        *current = Some(Arc::clone(&link));
        Ok(link)
    }
}

/// Marks what `fault` says is lost, so that the next try finds it again. What that is, when a next
/// try is allowed.
fn recover(link: &Link, fault: &Fault) -> Option<Recovery> {
    match fault.recovery()? {
        Recovery::Relink => link.give_up(),
        Recovery::Login => link.set_logged_in(false),
        Recovery::Find | Recovery::Session | Recovery::Restart => {}
    }
    worth_trying(fault)
}

fn is_lost(fault: &Fault) -> bool {
    fault.kind() == ErrorKind::KeyLost
}

fn worth_trying(fault: &Fault) -> Option<Recovery> {
    let is_login = matches!(fault, Fault::Call { function, .. } if *function == "C_Login");
    fault.recovery().filter(|_| !is_login)
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
