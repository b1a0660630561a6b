//! The user's login: one owner, one try for each PIN.
//!
//! Login state belongs to the application and the token, not to a session (PKCS#11 v2.40,
//! `C_Login`), so one thread logs in and the others take its outcome. A PIN that the token refused
//! is remembered and never sent again, whatever asks for it. No lock is held while a person is
//! asked.

use std::{
    fmt,
    sync::{Condvar, Mutex, PoisonError},
};

use cryptoki_sys::*;
use tokenbinding_backend::ErrorKind;

use crate::{
    Callbacks, Pkcs11Config,
    ckr::Ckr,
    fault::{Fault, Result},
    link::Link,
    module::Session,
    pin::{self, Pin},
    sync::lock,
    token::TokenInfo,
};

/// The login of one backend in one process.
#[derive(Default)]
pub(crate) struct Login {
    state: Mutex<State>,
    settled: Condvar,
}

#[derive(Default)]
struct State {
    /// A thread is logging in.
    busy: bool,
    /// How many have had their turn, and how the last one failed.
    turns: u64,
    failure: Option<Fault>,
    pins: Pins,
}

/// What is known of PINs.
#[derive(Clone, Default)]
struct Pins {
    accepted: Option<Pin>,
    refused: Option<Pin>,
}

/// Who a login asks, and how.
#[derive(Clone, Copy)]
pub(crate) struct Unlocking<'a> {
    pub(crate) config: &'a Pkcs11Config,
    pub(crate) callbacks: &'a dyn Callbacks,
}

impl Login {
    /// A login that knows what this one knows of PINs, unless a thread holds them just now.
    pub(crate) fn fork(&self) -> Self {
        let pins = match self.state.try_lock() {
            Ok(state) => state.pins.clone(),
            Err(_) => Pins::default(),
        };
        Self {
            state: Mutex::new(State {
                pins,
                ..State::default()
            }),
            settled: Condvar::new(),
        }
    }

    /// Makes sure that the user is logged in to `link`'s token, by `session`.
    pub(crate) fn ensure(
        &self,
        link: &Link,
        session: Session,
        unlocking: Unlocking<'_>,
    ) -> Result<()> {
        while !link.is_logged_in() {
            match self.turn() {
                Ok(turn) => return turn.log_in(link, session, unlocking),
                Err(Some(failure)) => return Err(failure),
                Err(None) => {}
            }
        }
        Ok(())
    }

    /// Logs in for the operation that `session` has begun, with a key that wants it for each
    /// signature (`CKA_ALWAYS_AUTHENTICATE`).
    pub(crate) fn authorize(
        &self,
        link: &Link,
        session: Session,
        unlocking: Unlocking<'_>,
    ) -> Result<()> {
        loop {
            // One at a time: a wrong PIN is not sent by each of several threads.
            if let Ok(_turn) = self.turn() {
                return self.send(link, session, CKU_CONTEXT_SPECIFIC, unlocking);
            }
        }
    }

    /// This thread's turn, or how another thread's turn ended while this one waited for it.
    fn turn(&self) -> Result<Turn<'_>, Option<Fault>> {
        let mut state = lock(&self.state);
        if !state.busy {
            state.busy = true;
            state.failure = None;
            return Ok(Turn(self));
        }
        let turns = state.turns;
        while state.turns == turns {
            let settled = self.settled.wait(state);
            state = settled.unwrap_or_else(PoisonError::into_inner);
        }
        Err(state.failure.clone())
    }

    /// Obtains the PIN and sends it, once.
    fn send(
        &self,
        link: &Link,
        session: Session,
        user: CK_USER_TYPE,
        unlocking: Unlocking<'_>,
    ) -> Result<()> {
        let Unlocking { config, callbacks } = unlocking;
        let token = TokenInfo::read(link.module(), link.slot())?;
        refuse_dangerous(&token, config)?;
        if token.flags.protected_authentication_path() {
            callbacks.pin_pad(&token.name());
            return accept_logged_in(link.module().c_login(session, user, None));
        }
        let Pins { accepted, refused } = lock(&self.state).pins.clone();
        let pin = match accepted {
            Some(pin) => pin,
            None => pin::obtain(config, callbacks, &token.name(), token.flags.pin_tries())?,
        };
        if refused.as_ref() == Some(&pin) {
            return Err(Fault::new(
                ErrorKind::PinIncorrect,
                "the token has refused this PIN before; it is not sent again: give the right one",
            ));
        }
        let result = link.module().c_login(session, user, Some(&pin));
        self.remember(pin, &result);
        accept_logged_in(result)
    }

    fn remember(&self, pin: Pin, result: &Result<()>) {
        let pins = &mut lock(&self.state).pins;
        match result {
            Ok(()) => pins.accepted = Some(pin),
            Err(fault) if fault.ckr().is_some_and(Ckr::is_refused_pin) => {
                pins.accepted = None;
                pins.refused = Some(pin);
            }
            Err(_) => {}
        }
    }
}

/// A thread's turn to log in. However it ends, the others go on.
struct Turn<'a>(&'a Login);

impl Turn<'_> {
    fn log_in(self, link: &Link, session: Session, unlocking: Unlocking<'_>) -> Result<()> {
        let result = if link.sees_login(session)? {
            Ok(())
        } else {
            self.0.send(link, session, CKU_USER, unlocking)
        };
        if result.is_ok() {
            link.set_logged_in(true);
        }
        lock(&self.0.state).failure = result.as_ref().err().cloned();
        result
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.busy = false;
        state.turns += 1;
        drop(state);
        self.0.settled.notify_all();
    }
}

/// Keeps a token from being locked by us.
fn refuse_dangerous(token: &TokenInfo, config: &Pkcs11Config) -> Result<()> {
    if token.flags.user_pin_locked() {
        return Err(Fault::new(
            ErrorKind::PinLocked,
            "CKF_USER_PIN_LOCKED: too many wrong PINs; unblock the token with its PUK or SO PIN",
        ));
    }
    if token.flags.pin_tries() == crate::PinTries::Final && !config.try_final_pin {
        return Err(Fault::new(
            ErrorKind::PinFinalTry,
            "CKF_USER_PIN_FINAL_TRY: log in once with the token's own tool, or allow the final try",
        ));
    }
    Ok(())
}

/// Somebody else in this process may have logged in meanwhile.
fn accept_logged_in(result: Result<()>) -> Result<()> {
    match result {
        Err(fault) if fault.ckr() == Some(Ckr(CKR_USER_ALREADY_LOGGED_IN)) => Ok(()),
        result => result,
    }
}

/// Without the PINs.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(…)")
    }
}
