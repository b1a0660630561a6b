//! How a command fails: one line on standard error, and an exit status.

use std::{io, process::ExitCode};

use clap::error::{ContextKind, ErrorKind};

/// A failed command.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command was called wrongly, or with a value that cannot be: status 2.
    Usage(String),
    /// The operation failed, or the message is invalid: status 1.
    Operation(String),
    /// The person pressed Ctrl-C: the status that shells give.
    Interrupted,
    /// The reader of standard output went away: nobody is left to tell.
    OutputClosed,
}

impl Failure {
    /// The exit status after Ctrl-C.
    pub(crate) const INTERRUPTED: u8 = 130;

    /// What clap found wrong, folded into one line; help and version are no failures.
    pub(crate) fn of_usage(error: clap::Error) -> Result<(), Self> {
        if matches!(
            error.kind(),
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
        ) {
            return error.print().map_err(Self::from);
        }
        if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            return Err(Self::Usage(
                "no command was given: see tokenbinding --help".to_owned(),
            ));
        }
        Err(Self::Usage(one_line(error)))
    }

    /// Tells the person and gives the exit status.
    pub(crate) fn report(self) -> ExitCode {
        let (message, status) = match self {
            Self::Usage(message) => (message, 2),
            Self::Operation(message) => (message, 1),
            Self::Interrupted => ("interrupted".to_owned(), Self::INTERRUPTED),
            Self::OutputClosed => return ExitCode::SUCCESS,
        };
        crate::output::tell(&message);
        ExitCode::from(status)
    }
}

/// What is wrong, without usage and the hint at `--help`. Arguments that look like either are kept.
fn one_line(mut error: clap::Error) -> String {
    error.remove(ContextKind::Usage);
    let text = error.to_string();
    let told = text
        .rsplit_once("\n\nFor more information")
        .map_or(&*text, |(told, _)| told);
    let told = told.strip_prefix("error: ").unwrap_or(told);
    let lines = told.lines().map(str::trim).filter(|line| !line.is_empty());
    let told = lines.collect::<Vec<_>>().join(" ");
    format!("{told}: see tokenbinding --help")
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::OutputClosed;
        }
        Self::Operation(format!("cannot write the result: {error}"))
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        io::Error::from(error).into()
    }
}

impl From<tokenbinding::Error> for Failure {
    fn from(error: tokenbinding::Error) -> Self {
        match error {
            tokenbinding::Error::Target(_) | tokenbinding::Error::NotBuiltIn { .. } => {
                Self::Usage(error.to_string())
            }
            error => Self::Operation(error.to_string()),
        }
    }
}

impl From<tokenbinding::config::ConfigError> for Failure {
    fn from(error: tokenbinding::config::ConfigError) -> Self {
        tokenbinding::Error::from(error).into()
    }
}
