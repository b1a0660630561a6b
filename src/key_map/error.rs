//! Why the key map cannot be used.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, ErrorCode};
use tokenbinding_backend::private::PrivateError;

use super::errno::last_error;

/// A failed use of the key map: which file, what was being done, and why it failed. The text ends
/// in what to do next.
#[derive(Debug)]
pub struct StoreError {
    path: Option<PathBuf>,
    operation: &'static str,
    kind: StoreErrorKind,
}

/// Why a use of the key map failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The folder or file cannot be used as it is.
    #[error(transparent)]
    Private(#[from] PrivateError),
    /// The file is no key map, or a damaged one. It is left as it is.
    #[error(
        "it is damaged or no key map ({0}): restore it from a backup, or move it away to start \
         anew; the keys in it are lost then"
    )]
    Corrupt(String),
    /// Parts of the map are there without the map itself.
    #[error(
        "{0:?} is there without it: put the key map back beside it, or move that away to start \
         anew; the keys in it are lost then"
    )]
    Missing(PathBuf),
    /// The changes beside it are those of another map, or of another state of it.
    #[error(
        "the log {0:?} beside it does not belong to it: put both back from one backup, or move the \
         log away to use the map without it"
    )]
    ForeignLog(PathBuf),
    /// It was there when it was opened.
    #[error(
        "it was moved away or deleted while it was in use: put it back, or start this program \
         again to start anew; the keys in it are lost then"
    )]
    Gone,
    /// A later version of this program made it.
    #[error("a later version of this program made it (version {version}): use that or a later one")]
    Newer {
        /// The version of its tables.
        version: i64,
    },
    /// Another process did not let go of it.
    #[error("another process holds it: try again")]
    Busy,
    /// There is no space left.
    #[error("there is no space left for it: free some and try again")]
    Full,
    /// It may not be written to.
    #[error("it cannot be written to: make its folder writable, or name another with --store")]
    ReadOnly,
    /// Anything else.
    #[error("{0}: see that its folder is there and its file system is sound and has space")]
    Sqlite(rusqlite::Error),
}

impl StoreError {
    pub(super) fn new(
        path: Option<&Path>,
        operation: &'static str,
        kind: impl Into<StoreErrorKind>,
    ) -> Self {
        Self {
            path: path.map(Path::to_owned),
            operation,
            kind: kind.into(),
        }
    }

    /// Why it failed.
    #[must_use]
    pub const fn kind(&self) -> &StoreErrorKind {
        &self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.operation)?;
        if let Some(path) = &self.path {
            write!(f, " in {path:?}")?;
        }
        write!(f, ": {}", self.kind)
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            StoreErrorKind::Private(error) => Some(error),
            StoreErrorKind::Sqlite(error) => Some(error),
            _ => None,
        }
    }
}

impl From<rusqlite::Error> for StoreErrorKind {
    fn from(error: rusqlite::Error) -> Self {
        // The shared index of the write-ahead log finds no room before the log does.
        let code = error.sqlite_error().map(|error| error.extended_code);
        if code == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE) {
            return Self::Full;
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt(error.to_string())
            }
            _ => match error {
                // A row or a column that our own tables cannot hold.
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::Utf8Error(..) => Self::Corrupt(error.to_string()),
                error => Self::Sqlite(error),
            },
        }
    }
}

/// Made and removed to learn why SQLite cannot make a file.
const PROBE_FILE: &str = "keys.db.probe";

/// The disk's own error.
const EIO: i32 = rustix::io::Errno::IO.raw_os_error();

/// Why a use of `connection` failed. SQLite tells some causes by the system's error alone.
pub(super) fn kind_of(error: rusqlite::Error, connection: &Connection) -> StoreErrorKind {
    let by_system = matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen)
    );
    let mut system = last_error(connection);
    if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) {
        // SQLite tried another way in the meantime, and that one's error is what is left.
        system = try_to_make_a_file(connection).err().unwrap_or(system);
    }
    match system.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded if by_system => StoreErrorKind::Full,
        ErrorKind::ReadOnlyFilesystem if by_system => StoreErrorKind::ReadOnly,
        _ if by_system && system.raw_os_error() == Some(EIO) => StoreErrorKind::Sqlite(error),
        _ => error.into(),
    }
}

/// Makes a file beside the key map and removes it again.
fn try_to_make_a_file(connection: &Connection) -> io::Result<()> {
    let Some(path) = connection.path().filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let path = Path::new(path).with_file_name(PROBE_FILE);
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)?;
    fs::remove_file(path)
}

/// Turns a failure into a [`StoreError`].
pub(super) trait Attempt<T> {
    fn attempt(self, operation: &'static str, path: Option<&Path>) -> Result<T, StoreError>;
}

impl<T, E: Into<StoreErrorKind>> Attempt<T> for Result<T, E> {
    fn attempt(self, operation: &'static str, path: Option<&Path>) -> Result<T, StoreError> {
        self.map_err(|error| StoreError::new(path, operation, error))
    }
}
