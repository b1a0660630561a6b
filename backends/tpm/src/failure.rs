//! How work on the TPM fails inside this crate, and the errors that become of it.
//!
//! A [`Failure`] keeps the command and its response code, so that the code above can recover; the
//! error that leaves the crate says both in words. Neither ever holds an authorization.

use std::{borrow::Cow, time::Duration};

use tokenbinding_backend::{Error, ErrorKind};
use tss_esapi::WrapperErrorKind;

use crate::{authorization::Role, response_code::ResponseCode};

/// The provider's name.
pub(crate) const NAME: &str = "tpm";

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Why some work on the TPM did not succeed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A command was answered with a response code, or not at all.
    Response {
        command: &'static str,
        code: ResponseCode,
    },
    /// The TPM is in lockout.
    Lockout {
        command: &'static str,
        code: ResponseCode,
        retry_after: Option<Duration>,
    },
    /// An authorization was refused, now or before.
    Refused {
        role: Role,
        given: bool,
        code: Option<ResponseCode>,
    },
    /// tss-esapi could not make sense of an argument or of the TPM's answer.
    Library {
        command: &'static str,
        kind: WrapperErrorKind,
    },
    /// The TPM that answers is not the one that the backend was opened on.
    AnotherTpm,
    /// Anything else, in words.
    Stated {
        kind: ErrorKind,
        text: Cow<'static, str>,
    },
}

impl Failure {
    pub(crate) fn stated(kind: ErrorKind, text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        Self::Stated { kind, text }
    }

    /// The TPM's answer to `command` is not what the command answers.
    pub(crate) const fn senseless(command: &'static str) -> Self {
        let kind = WrapperErrorKind::WrongValueFromTpm;
        Self::Library { command, kind }
    }

    pub(crate) fn of(command: &'static str, error: tss_esapi::Error) -> Self {
        match error {
            tss_esapi::Error::Tss2Error(code) => Self::Response {
                command,
                code: code.into(),
            },
            tss_esapi::Error::WrapperError(kind) => Self::Library { command, kind },
        }
    }

    /// The TPM's response code, where it gave one.
    pub(crate) fn code(&self) -> Option<ResponseCode> {
        match self {
            Self::Response { code, .. } | Self::Lockout { code, .. } => Some(*code),
            Self::Refused { code, .. } => *code,
            _ => None,
        }
    }

    /// Whether the TPM answered with `code`.
    pub(crate) fn is(&self, code: u32) -> bool {
        self.code().is_some_and(|answer| answer.is(code))
    }

    /// Whether something that was loaded is not there any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.code().is_some_and(ResponseCode::is_gone)
    }

    /// Whether the TPM and this library do not understand each other any more, so that only a new
    /// connection helps.
    pub(crate) fn breaks_connection(&self) -> bool {
        match self {
            Self::Response { code, .. } => code.of_tpm().is_none(),
            Self::Library { .. } => true,
            _ => false,
        }
    }

    /// Whether the TPM cannot do what was asked for.
    pub(crate) fn is_unsupported(&self) -> bool {
        self.kind() == ErrorKind::Unsupported
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Response { code, .. } => code.kind(),
            Self::Lockout { retry_after, .. } => ErrorKind::DeviceLocked {
                retry_after: *retry_after,
            },
            Self::Refused { given: false, .. } => ErrorKind::PinRequired,
            Self::Refused { given: true, .. } => ErrorKind::PinIncorrect,
            Self::Library { .. } => ErrorKind::Internal,
            Self::AnotherTpm => ErrorKind::KeyLost,
            Self::Stated { kind, .. } => *kind,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Response { command, code } | Self::Lockout { command, code, .. } => {
                format!("{command}: {code}")
            }
            Self::Refused { role, given, code } => refusal(role, given, code),
            Self::Library { command, kind } => {
                format!("{command}: {kind}; the next call connects again")
            }
            Self::AnotherTpm => {
                "the TPM was cleared or replaced since it was opened; open it again".to_owned()
            }
            Self::Stated { text, .. } => text.into_owned(),
        }
    }

    /// The error for whoever asked for `operation`.
    pub(crate) fn during(self, operation: &'static str) -> Error {
        Error::new(self.kind(), NAME, operation, self.text())
    }
}

fn refusal(role: Role, given: bool, code: Option<ResponseCode>) -> String {
    let code = code.map(|code| format!("{code}: ")).unwrap_or_default();
    let what = role.what();
    let option = role.option();
    if given {
        format!("{code}the authorization of {what} was refused; correct {option} and start again")
    } else {
        format!("{code}{what} wants an authorization; give it as {option}")
    }
}
