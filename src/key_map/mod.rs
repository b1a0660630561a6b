//! The key map: which stored key belongs to which profile, scope, type and device.
//!
//! It is one SQLite database in a folder that nobody else may write to, shared by every process of
//! its user. A key is in it before it is first used, so that no key that was ever shown is lost,
//! and nothing damaged is ever replaced in silence.

mod contents;
mod errno;
mod error;
mod file;
mod open;
mod row;
mod schema;
mod serial;

use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use tokenbinding_backend::{KeyId, KeyType, Profile};

pub use self::{
    contents::{Contents, UnreadableRow},
    error::{StoreError, StoreErrorKind},
    row::{DamagedRow, KeyRow, SetAsideRow},
};
use self::{error::kind_of, file::OpenFile, row::COLUMNS};

/// What became of a row that was to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is in the map.
    New,
    /// Another row was there first and stays.
    Existing(KeyRow),
}

/// The state of a map as far as others changed it: equal as long as they did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataVersion {
    file: u64,
    changes: i64,
}

/// An open key map. Threads may share it; processes open it each for itself.
pub struct KeyMap {
    file: Mutex<OpenFile>,
    /// Whether changes are still in the write-ahead log.
    log_holds_changes: AtomicBool,
    /// Whether deleted rows are among them.
    log_holds_deleted: AtomicBool,
}

impl fmt::Debug for KeyMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_tuple("KeyMap").field(&file.path()).finish()
    }
}

impl KeyMap {
    fn new(file: OpenFile) -> Self {
        Self {
            file: Mutex::new(file),
            log_holds_changes: AtomicBool::new(false),
            log_holds_deleted: AtomicBool::new(false),
        }
    }

    /// Runs `work` on the connection; what fails becomes an error that names the file.
    fn run<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.run_on_file(operation, |file| work(&mut file.connection))
    }

    fn run_on_file<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut OpenFile) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.follow()?;
        work(&mut file).map_err(|error| {
            let kind = kind_of(error, &file.connection);
            StoreError::new(file.path(), operation, kind)
        })
    }

    /// The row of a key on one device.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn get(
        &self,
        id: &KeyId,
        kind: KeyType,
        device: &str,
    ) -> Result<Option<KeyRow>, StoreError> {
        self.run("look up a key", |connection| {
            get(connection, id, kind, device)
        })
    }

    /// Whether any profile has a key of `provider` in use.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn has_keys_of(&self, provider: &str) -> Result<bool, StoreError> {
        self.run("look for keys of a provider", |connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM keys WHERE provider = ?1)";
            connection.query_row(sql, [provider], |row| row.get(0))
        })
    }

    /// Adds a row unless the key has one on that device already; once this returns, it is safe on
    /// disk.
    ///
    /// # Errors
    /// [`StoreError`]; the row is not in the map then.
    pub fn add(&self, row: &KeyRow) -> Result<Added, StoreError> {
        self.change("store a key", |transaction| {
            let sql = format!(
                "INSERT INTO keys ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
                 ON CONFLICT DO NOTHING"
            );
            let values = params![
                row.id.profile().name(),
                row.id.scope(),
                row.kind.octet(),
                row.device,
                row.provider,
                row.stored,
                row.created,
            ];
            let added = transaction.prepare_cached(&sql)?.execute(values)?;
            if added == 1 {
                return Ok(Added::New);
            }
            let existing = get(transaction, &row.id, row.kind, &row.device)?;
            existing
                .map(Added::Existing)
                .ok_or(rusqlite::Error::QueryReturnedNoRows)
        })
    }

    /// Takes a row out of use and keeps it apart with the `reason`. Does nothing when the map does
    /// not hold this very row any more.
    ///
    /// # Errors
    /// [`StoreError`]; the row is still in use then.
    pub fn set_aside(&self, row: &KeyRow, reason: &str) -> Result<(), StoreError> {
        self.change("set a key aside", |transaction| {
            let sql = format!(
                "INSERT INTO set_aside ({COLUMNS}, reason, since) \
                 SELECT {COLUMNS}, ?6, unixepoch() FROM keys WHERE {THIS_ROW}"
            );
            let [profile, scope, device] = [row.id.profile().name(), row.id.scope(), &row.device];
            let values = params![profile, scope, row.kind.octet(), device, row.stored, reason];
            transaction.execute(&sql, values)?;
            remove(transaction, "keys", row)
        })
    }

    /// Removes the rows of a profile that were set aside and tells how many there were.
    ///
    /// # Errors
    /// [`StoreError`]; no row is removed then.
    pub fn prune(&self, profile: &Profile) -> Result<usize, StoreError> {
        self.delete("prune the keys that were set aside", |transaction| {
            let sql = "DELETE FROM set_aside WHERE profile = ?1";
            transaction.execute(sql, [profile.name()])
        })
    }

    /// Removes exactly these rows for good, in use or set aside: they are overwritten on disk. A row
    /// that the map does not hold any more is passed over.
    ///
    /// # Errors
    /// [`StoreError`]; no row is removed then.
    pub fn remove(&self, rows: &[KeyRow]) -> Result<(), StoreError> {
        self.delete("delete keys", |transaction| {
            for row in rows {
                remove(transaction, "keys", row)?;
                remove(transaction, "set_aside", row)?;
            }
            Ok(())
        })
    }

    /// Changes whenever another connection has changed the map, or another file took its place.
    ///
    /// # Errors
    /// [`StoreError`], also when a later version of this program has changed the tables meanwhile.
    pub fn data_version(&self) -> Result<DataVersion, StoreError> {
        let operation = "look for changes";
        let ask = |connection: &Connection, pragma: &str| -> rusqlite::Result<i64> {
            let mut statement = connection.prepare_cached(pragma)?;
            statement.query_row([], |row| row.get(0))
        };
        self.run_on_file(operation, |file| {
            let changes = ask(&file.connection, "PRAGMA data_version")?;
            let version = ask(&file.connection, "PRAGMA user_version")?;
            if version != schema::NEWEST {
                let kind = StoreErrorKind::Newer { version };
                return Ok(Err(StoreError::new(file.path(), operation, kind)));
            }
            Ok(Ok(DataVersion {
                file: file.number,
                changes,
            }))
        })?
    }

    /// Like [`change`](Self::change), for a change whose traces are to go from the log as well.
    fn delete<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let done = self.change(operation, work)?;
        if self.log_holds_changes.load(Ordering::Relaxed) {
            self.log_holds_deleted.store(true, Ordering::Relaxed);
        }
        Ok(done)
    }

    /// Changes the map in one transaction, which is safe on disk once this returns.
    fn change<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.run_on_file(operation, |file| {
            let OpenFile {
                connection, place, ..
            } = file;
            let before = connection.total_changes();
            // Takes the write lock at once, so that it cannot fail half-way for another's.
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            if transaction.total_changes() == before {
                return Ok(done);
            }
            serial::count(&transaction, place.as_ref().map(|(path, _)| &**path))?;
            transaction.commit()?;
            self.empty_log(connection);
            Ok(done)
        })
    }

    /// Moves what was changed out of the write-ahead log: what was deleted is nowhere then, and the
    /// file is the whole of the map for whoever copies or replaces it. Nobody is waited for: when a
    /// reader is in the way, the next change or the end of this map does it. The change itself is
    /// done.
    fn empty_log(&self, connection: &Connection) {
        let left = truncate_log(connection).unwrap_or_else(|error| {
            tracing::debug!(%error, "the write-ahead log cannot be emptied");
            true
        });
        self.log_holds_changes.store(left, Ordering::Relaxed);
        if !left {
            self.log_holds_deleted.store(false, Ordering::Relaxed);
        }
    }
}

impl Drop for KeyMap {
    fn drop(&mut self) {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.was_replaced() {
            return;
        }
        if self.log_holds_deleted.load(Ordering::Relaxed) {
            self.empty_log(&file.connection);
        }
        if self.log_holds_deleted.load(Ordering::Relaxed) {
            tracing::warn!(
                "deleted rows stay in the log of the key map for now: another process reads it, or \
                 its disk fails"
            );
        }
    }
}

fn get(
    connection: &Connection,
    id: &KeyId,
    kind: KeyType,
    device: &str,
) -> rusqlite::Result<Option<KeyRow>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM keys \
         WHERE profile = ?1 AND scope = ?2 AND key_type = ?3 AND device = ?4"
    );
    let key = params![id.profile().name(), id.scope(), kind.octet(), device];
    let row = connection
        .prepare_cached(&sql)?
        .query_row(key, |row| KeyRow::read(row, id.profile()))
        .optional()?;
    let unreadable = |reason: String| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, reason.into())
    };
    row.transpose().map_err(unreadable)
}

/// This very row, and none that has taken its place.
const THIS_ROW: &str =
    "profile = ?1 AND scope = ?2 AND key_type = ?3 AND device = ?4 AND stored = ?5";

fn remove(connection: &Connection, table: &str, row: &KeyRow) -> rusqlite::Result<()> {
    let [profile, scope, device] = [row.id.profile().name(), row.id.scope(), &row.device];
    let values = params![profile, scope, row.kind.octet(), device, row.stored];
    let sql = format!("DELETE FROM {table} WHERE {THIS_ROW}");
    connection.prepare_cached(&sql)?.execute(values)?;
    Ok(())
}

/// Empties the write-ahead log; true when somebody is in the way, which is no error to SQLite.
fn truncate_log(connection: &Connection) -> rusqlite::Result<bool> {
    connection.busy_timeout(Duration::ZERO)?;
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    connection.busy_timeout(open::PATIENCE)?;
    busy
}
