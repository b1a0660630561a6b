//! What goes wrong inside this crate, before it is told to the caller.
//!
//! A fault keeps the module's own code so that recovery can decide by it. It never holds a PIN.

use std::fmt;

use cryptoki_sys::{CKR_FUNCTION_FAILED, CKR_GENERAL_ERROR};
use tokenbinding_backend::{Error, ErrorKind};

use crate::ckr::{Ckr, Recovery};

/// The backend's name in errors and in `BackendInfo`.
pub(crate) const BACKEND: &str = "pkcs11";

/// The result of a step towards a device call.
pub(crate) type Result<T, E = Fault> = std::result::Result<T, E>;

/// Why a step failed.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The module answered a call with something other than `CKR_OK`.
    Call {
        /// The function's name, such as `C_Sign`.
        function: &'static str,
        /// Its answer.
        ckr: Ckr,
    },
    /// What this crate itself found.
    Found {
        /// What it is to the caller.
        kind: ErrorKind,
        /// What it is, and what to do next.
        text: String,
    },
}

impl Fault {
    /// A fault of this crate's own finding.
    pub(crate) fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self::Found {
            kind,
            text: text.into(),
        }
    }

    /// What it is to the caller.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            // Whatever a module says then, it cannot be used: its daemon or device is not there.
            Self::Call { function, .. } if *function == "C_Initialize" => ErrorKind::Unavailable,
            Self::Call { ckr, .. } => ckr.kind(),
            Self::Found { kind, .. } => *kind,
        }
    }

    /// The module's code, when a call failed.
    pub(crate) const fn ckr(&self) -> Option<Ckr> {
        match self {
            Self::Call { ckr, .. } => Some(*ckr),
            Self::Found { .. } => None,
        }
    }

    /// What may make the same step succeed, once.
    pub(crate) fn recovery(&self) -> Option<Recovery> {
        match self {
            // SoftHSM 2.6.1 loses tokens and objects that another process writes to while it reads
            // them, and does not look at them again.
            Self::Call {
                function: "C_GetTokenInfo" | "C_OpenSession",
                ckr: Ckr(CKR_GENERAL_ERROR | CKR_FUNCTION_FAILED),
            }
            | Self::Found {
                kind: ErrorKind::KeyLost,
                ..
            } => Some(Recovery::Restart),
            Self::Call { ckr, .. } => ckr.recovery(),
            Self::Found { .. } => None,
        }
    }

    /// The error of the public interface.
    pub(crate) fn into_error(self, operation: &'static str) -> Error {
        Error::new(self.kind(), BACKEND, operation, self)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call { function, ckr } => write!(f, "{function}: {ckr}"),
            Self::Found { text, .. } => f.write_str(text),
        }
    }
}

impl std::error::Error for Fault {}
