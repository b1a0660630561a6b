//! How a command fails: one line on standard error, and an exit status.

use std::{io, process::ExitCode};

use clap::error::ErrorKind;

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
    pub(crate) fn of_usage(error: &clap::Error) -> Result<(), Self> {
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
        let text = error.to_string();
        let lines = text.lines().map(str::trim);
        let told: Vec<_> = lines
            .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
            .filter(|line| !line.is_empty())
            .collect();
        let told = told.join(" ");
        let told = told.strip_prefix("error: ").unwrap_or(&told);
        Err(Self::Usage(format!("{told}: see tokenbinding --help")))
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
