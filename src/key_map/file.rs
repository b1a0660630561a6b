//! The open file of a key map, and whether it still is the one of its name.
//!
//! A backup may be put in the place of the map while programs use it. SQLite would go on with the
//! file that has no name any more, and keys that are made would be lost with it: so each use looks
//! whether another file took the name, and turns to that. To write into the file itself while
//! programs use it is beyond what can be noticed.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, config::DbConfig};
use tokenbinding_backend::private::{self, PrivateError};

use super::{
    StoreError, StoreErrorKind,
    error::{Attempt as _, kind_of},
    open::{OPEN, connect},
    schema::{self, APPLICATION_ID, Migrated},
    serial,
};

/// Bytes of SQLite's own header: a shorter file is no database.
const SQLITE_HEADER_LEN: u64 = 100;

/// Device and inode: what stays the same as long as the file does.
type Identity = (u64, u64);

pub(super) struct OpenFile {
    pub(super) connection: Connection,
    /// Where it is, and which file that was; `None` in memory.
    pub(super) place: Option<(PathBuf, Identity)>,
    /// How many files this map had before.
    pub(super) number: u64,
}

impl OpenFile {
    pub(super) const fn in_memory(connection: Connection) -> Self {
        Self {
            connection,
            place: None,
            number: 0,
        }
    }

    /// Opens the key map `path` and brings it up to date. A file that is refused is left as it is,
    /// byte for byte.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        loop {
            let before = identity(path).attempt(OPEN, Some(path))?;
            private::check_file(path).attempt(OPEN, Some(path))?;
            let connection = open_checked(path)?;
            // Not another file since it was looked at.
            if identity(path).attempt(OPEN, Some(path))? == before {
                return Ok(Self {
                    connection,
                    place: Some((path.to_owned(), before)),
                    number: 0,
                });
            }
            abandon(&connection);
        }
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.place.as_ref().map(|(path, _)| &**path)
    }

    /// Turns to the file that took the place of this one, if one did.
    pub(super) fn follow(&mut self) -> Result<(), StoreError> {
        let Some((path, own)) = &self.place else {
            return Ok(());
        };
        match identity(path) {
            Ok(present) if present == *own => return Ok(()),
            Ok(_) => (),
            Err(error) if error.is_not_found() => {
                return Err(StoreError::new(Some(path), OPEN, StoreErrorKind::Gone));
            }
            Err(error) => return Err(error).attempt(OPEN, Some(path)),
        }
        tracing::warn!(
            ?path,
            "another key map took the place of this one: using it"
        );
        let mut present = Self::open(path)?;
        present.number = self.number + 1;
        *self = present;
        Ok(())
    }

    /// Whether another file has the name of this one.
    pub(super) fn was_replaced(&self) -> bool {
        let place = self.place.as_ref();
        place.is_some_and(|(path, own)| identity(path).is_ok_and(|present| present != *own))
    }
}

fn identity(path: &Path) -> Result<Identity, PrivateError> {
    let metadata = path.metadata().map_err(|source| PrivateError::Io {
        path: path.to_owned(),
        source,
    })?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Lets the end of the connection change nothing: neither the file nor the log of that name.
fn abandon(connection: &Connection) {
    let option = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    if let Err(error) = connection.set_db_config(option, true) {
        tracing::debug!(%error, "the write-ahead log is written back at the end");
    }
}

fn open_checked(path: &Path) -> Result<Connection, StoreError> {
    let refuse = |kind| StoreError::new(Some(path), OPEN, kind);
    let length = path.metadata().map_or(0, |metadata| metadata.len());
    if length < SQLITE_HEADER_LEN {
        return Err(refuse(StoreErrorKind::Corrupt(format!(
            "it has {length} bytes"
        ))));
    }
    let log = serial::has_log(path).map_err(|source| {
        let path = serial::log_of(path);
        refuse(PrivateError::Io { path, source }.into())
    })?;
    let mut connection = connect(path).attempt(OPEN, Some(path))?;
    abandon(&connection);
    check(&mut connection, path, log).map_err(refuse)?;
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
        .attempt(OPEN, Some(path))?;
    Ok(connection)
}

/// Checks that it is a key map of a version that this program knows, with the log of its own.
fn check(connection: &mut Connection, path: &Path, log: bool) -> Result<(), StoreErrorKind> {
    let work = |connection: &mut Connection| {
        let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        if id != APPLICATION_ID {
            let cause = format!("its application id is {id:#x}");
            return Ok(Err(StoreErrorKind::Corrupt(cause)));
        }
        if log && !serial::log_belongs(connection, path)? {
            return Ok(Err(StoreErrorKind::ForeignLog(serial::log_of(path))));
        }
        if let Migrated::Newer { version } = schema::migrate(connection, schema::STEPS)? {
            return Ok(Err(StoreErrorKind::Newer { version }));
        }
        Ok(Ok(()))
    };
    work(connection).map_err(|error| kind_of(error, connection))?
}
