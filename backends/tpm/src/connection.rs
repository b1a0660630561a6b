//! The one connection to the TPM: made when first needed, made again after it broke.
//!
//! Every command passes through [`Connection::run`], which repeats what the TPM asks to repeat,
//! for a bounded time, and drops the connection when the TPM and the TSS have lost each other.
//! Nothing else is repeated here; above all no authorization.

use std::{
    thread,
    time::{Duration, Instant},
};

use tokenbinding_backend::ErrorKind;
use tss_esapi::{
    Context,
    handles::{ObjectHandle, SessionHandle},
    interface_types::session_handles::AuthSession,
};
use zeroize::Zeroizing;

use crate::{
    authorization::{Authorization, Role},
    config::TpmConfig,
    failure::{Failure, Result},
    identity::DeviceId,
    response_code::ResponseCode,
    slots::Slots,
    status,
    storage_root::PersistentRoot,
    tcti::Tcti,
};

/// How long the TPM may ask for patience. Its self-test takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// More of the stack than ESYS uses: its structures of parameters are kilobytes.
const STACK: usize = 64 * 1024;

/// The connection, and everything that dies with it.
pub(crate) struct Connection {
    tcti: Tcti,
    context: Option<Context>,
    /// Whether the last connection broke, so that objects of ours may have stayed behind.
    broke: bool,
    /// The TPM that the backend was opened on; `None` until it is known.
    device: Option<DeviceId>,
    pub(crate) authorization: Authorization,
    /// Keys that are loaded, and the saved contexts of others.
    pub(crate) slots: Slots,
    /// What stands at 0x81000001, once it was looked up.
    pub(crate) persistent_root: Option<PersistentRoot>,
    /// The session in which keys with an authorization sign.
    pub(crate) key_session: Option<AuthSession>,
    /// What ephemeral keys are derived from besides the NULL seed, so that they die with us.
    pub(crate) ephemeral: Zeroizing<[u8; 32]>,
}

impl Connection {
    /// Connects, and learns which TPM this is.
    pub(crate) fn open(config: &TpmConfig, ephemeral: Zeroizing<[u8; 32]>) -> Result<Self> {
        let mut connection = Self {
            tcti: Tcti::choose(config.tcti.as_deref())?,
            context: None,
            broke: false,
            device: None,
            authorization: Authorization::new(config),
            slots: Slots::default(),
            persistent_root: None,
            key_session: None,
            ephemeral,
        };
        connection.ensure()?;
        Ok(connection)
    }

    /// The connection, where a secret may have been sent on it.
    pub(crate) const fn context_if_secret(&mut self) -> Option<&mut Context> {
        if self.authorization.has_any() {
            self.context.as_mut()
        } else {
            None
        }
    }

    pub(crate) const fn tcti(&self) -> &Tcti {
        &self.tcti
    }

    pub(crate) const fn device(&self) -> Option<&DeviceId> {
        self.device.as_ref()
    }

    /// Makes sure that there is a connection, and that the same TPM answers on a new one.
    pub(crate) fn ensure(&mut self) -> Result<()> {
        if self.context.is_some() {
            return Ok(());
        }
        self.connect()
    }

    /// Makes sure that the TPM still is the one that the backend was opened on.
    pub(crate) fn ensure_same_tpm(&mut self) -> Result<()> {
        if self.context.is_some() {
            return self.identify();
        }
        self.connect()
    }

    /// Connects. A connection on which anything went wrong is not kept.
    fn connect(&mut self) -> Result<()> {
        self.tcti.check()?;
        let context = Context::new(self.tcti.name_conf().clone()).map_err(|error| {
            let (tcti, advice) = (self.tcti.as_str(), self.tcti.advice());
            Failure::stated(ErrorKind::Unavailable, format!("{tcti}: {error}: {advice}"))
        })?;
        self.context = Some(context);
        let begun = self.begin();
        if begun.is_err() {
            self.disconnect();
        }
        begun
    }

    fn begin(&mut self) -> Result<()> {
        self.set_auth(ObjectHandle::Owner, Role::Owner)?;
        self.identify()?;
        if self.broke && !self.tcti.has_resource_manager() {
            self.flush_left_behind()?;
        }
        self.broke = false;
        Ok(())
    }

    fn identify(&mut self) -> Result<()> {
        let device = DeviceId::read(self)?;
        if self.device.get_or_insert(device) == &device {
            return Ok(());
        }
        self.disconnect();
        Err(Failure::AnotherTpm)
    }

    /// Unloads everything, because the TPM was reset, or a resource manager restarted, and some of
    /// it is gone. Saved contexts are tried nevertheless: they survive a resume.
    pub(crate) fn unload(&mut self) {
        for key in self.slots.forget_loaded() {
            self.flush(key.into());
        }
        if let Some(session) = self.key_session.take() {
            self.flush(SessionHandle::from(session).into());
        }
        self.persistent_root = None;
    }

    /// Drops the connection. What is still loaded is flushed as far as the TPM can be reached.
    #[inline(never)]
    pub(crate) fn disconnect(&mut self) {
        self.forget_auth(ObjectHandle::Owner);
        for key in self.slots.forget_loaded() {
            self.forget_auth(key.into());
        }
        if let Some(PersistentRoot::Present(root)) = self.persistent_root.take() {
            self.forget_auth(root.handle.into());
        }
        self.key_session = None;
        self.context = None;
    }

    /// Runs `f`, which sends the one command that `command` names.
    pub(crate) fn run<T>(
        &mut self,
        command: &'static str,
        mut f: impl FnMut(&mut Context) -> tss_esapi::Result<T>,
    ) -> Result<T> {
        let start = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let context = self.context.as_mut().ok_or_else(broken)?;
            let failure = match f(context) {
                Ok(value) => return Ok(value),
                Err(error) => Failure::of(command, error),
            };
            let patient = start.elapsed() + pause < PATIENCE;
            if failure.code().is_some_and(ResponseCode::is_retry) && patient {
                thread::sleep(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            }
            return Err(self.recover(failure));
        }
    }

    /// Does what a failure asks for before it is passed on.
    fn recover(&mut self, failure: Failure) -> Failure {
        if failure.breaks_connection() {
            tracing::debug!(?failure, "dropping the connection to the TPM");
            self.broke = true;
            self.disconnect();
        }
        match failure {
            Failure::Response { command, code } if code.is(ResponseCode::LOCKOUT) => {
                // A TPM that does not even answer this would be asked for ever.
                let asked = command == status::GET_CAPABILITY;
                let retry_after = (!asked).then(|| status::lockout_recovery(self)).flatten();
                Failure::Lockout {
                    command,
                    code,
                    retry_after,
                }
            }
            failure => failure,
        }
    }

    /// Flushes an object or a session. That it is gone already is as good; whatever else the TPM
    /// says, it is asked once more, for what stays loaded takes a slot from everybody.
    pub(crate) fn flush(&mut self, handle: ObjectHandle) {
        self.forget_auth(handle);
        for _ in 0..2 {
            match self.run("TPM2_FlushContext", |context| context.flush_context(handle)) {
                Ok(()) => return,
                Err(failure) => tracing::debug!(?failure, "a handle could not be flushed"),
            }
        }
        self.abandon(handle);
    }

    /// Makes ESYS forget an object that the TPM does not have any more.
    pub(crate) fn abandon(&mut self, mut handle: ObjectHandle) {
        if let Some(context) = &mut self.context {
            // An error says that the object should have been flushed. It is closed nevertheless.
            let _ = context.tr_close(&mut handle);
        }
    }
}

/// An earlier command of the same work broke the connection.
fn broken() -> Failure {
    let text = "the connection to the TPM broke; the next call connects again";
    Failure::stated(ErrorKind::Unavailable, text)
}

/// Closes the connection in a frame of its own, and wipes what the TSS has left of authorizations on
/// the stack.
impl Drop for Connection {
    fn drop(&mut self) {
        self.disconnect();
        zeroize::zeroize_stack::<STACK>();
    }
}
