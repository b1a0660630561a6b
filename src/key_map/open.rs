//! Opening the key map, and making it the first time: whole or not at all.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{self, Path},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags};
use rustix::fs::OFlags;
use tokenbinding_backend::private::{self, PrivateError};

use super::{
    KeyMap, StoreError, StoreErrorKind,
    error::{Attempt as _, kind_of},
    file::OpenFile,
    schema::{self, APPLICATION_ID},
    serial::log_of,
};

/// The key map's file in the folder of the store.
const FILE: &str = "keys.db";
/// Where it is made before it takes its name.
const NEW_FILE: &str = "keys.db.new";
/// Held while it is made. In the folder, so that nobody else can hold it.
const LOCK_FILE: &str = "keys.db.lock";
/// How long to wait for another process' write.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait before another look at a lock.
const PAUSE: Duration = Duration::from_millis(5);

pub(super) const OPEN: &str = "open the key map";
const MAKE: &str = "make the key map";

impl KeyMap {
    /// Opens the key map in the folder `dir` and makes both when they are not there.
    ///
    /// # Errors
    /// [`StoreError`] when others may write to the folder or use the file, when the file is damaged,
    /// no key map, or of a later version, and when the system refuses. Nothing that was there is
    /// changed or replaced then.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        // SQLite would take `file:…` for a URI.
        let absolute = path::absolute(dir).map_err(io_error(dir));
        let dir = &*absolute.attempt(OPEN, Some(dir))?;
        let path = dir.join(FILE);
        private::ensure_dir(dir).attempt(OPEN, Some(&path))?;
        if !is_there(&path)? {
            make(dir, &path)?;
        }
        Ok(Self::new(OpenFile::open(&path)?))
    }

    /// A key map in memory, gone when it is dropped.
    ///
    /// # Errors
    /// [`StoreError`] when there is no memory for it.
    pub fn in_memory() -> Result<Self, StoreError> {
        let mut connection = Connection::open_in_memory().attempt(MAKE, None)?;
        schema::migrate(&mut connection, schema::STEPS).attempt(MAKE, None)?;
        Ok(Self::new(OpenFile::in_memory(connection)))
    }
}

pub(super) fn connect(path: &Path) -> Result<Connection, StoreErrorKind> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    configure(&connection).map_err(|error| kind_of(error, &connection))?;
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "secure_delete", true)?;
    // What SQLite puts aside would go to a directory that the environment names.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // A key is shown only after it has reached the disk.
    connection.pragma_update(None, "synchronous", "FULL")
}

/// Whether there is anything of this name: a link counts even where it leads nowhere, since the map
/// behind it may only be out of reach.
fn is_there(path: &Path) -> Result<bool, StoreError> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(io_error(path)(error)).attempt(OPEN, Some(path)),
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> PrivateError {
    let path = path.to_owned();
    |source| PrivateError::Io { path, source }
}

/// Takes the lock `path` for as long as the file stays open, and waits for it no longer than
/// `patience`.
fn lock(path: &Path, patience: Duration) -> Result<File, StoreErrorKind> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
        .map_err(io_error(path))?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(io_error(path)(error).into()),
            Err(TryLockError::WouldBlock) if start.elapsed() >= patience => {
                return Err(StoreErrorKind::Busy);
            }
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
        }
    }
}

/// Makes the key map under another name and lets it take its own when it is whole. One process at
/// a time does so; the others find it made.
fn make(dir: &Path, path: &Path) -> Result<(), StoreError> {
    let _lock = lock(&dir.join(LOCK_FILE), PATIENCE).attempt(MAKE, Some(path))?;
    if is_there(path)? {
        return Ok(());
    }
    let wal = log_of(path);
    if is_there(&wal)? {
        return Err(StoreError::new(
            Some(path),
            MAKE,
            StoreErrorKind::Missing(wal),
        ));
    }
    let new = dir.join(NEW_FILE);
    // Left behind by a process that died here: it never held a key.
    remove_if_there(&new)
        .map_err(io_error(&new))
        .attempt(MAKE, Some(path))?;
    fill(&new).attempt(MAKE, Some(path))?;
    fs::rename(&new, path)
        .map_err(io_error(path))
        .attempt(MAKE, Some(path))?;
    private::sync_dir(dir).attempt(MAKE, Some(path))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes an empty key map for this user alone. SQLite gives its other files the same mode.
fn fill(path: &Path) -> Result<(), StoreErrorKind> {
    let options = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    drop(options.map_err(io_error(path))?);
    let mut connection = connect(path)?;
    let written = write_tables(&mut connection);
    written.map_err(|error| kind_of(error, &connection))?;
    connection
        .close()
        .map_err(|(connection, error)| kind_of(error, &connection))
}

fn write_tables(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    schema::migrate(connection, schema::STEPS)?;
    // The last change: it stays with the file, and closing leaves no log beside it.
    connection.pragma_update(None, "journal_mode", "WAL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_held_is_not_waited_for_without_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOCK_FILE);
        let held = lock(&path, Duration::ZERO).unwrap();
        let error = lock(&path, Duration::ZERO).unwrap_err();
        assert!(matches!(error, StoreErrorKind::Busy), "{error}");
        drop(held);
        assert!(lock(&path, Duration::ZERO).is_ok());
    }

    /// Rows neither stay in freed pages nor get into files elsewhere, and wait for the disk.
    #[test]
    fn every_connection_keeps_rows_in_their_place() {
        let connection = Connection::open_in_memory().unwrap();
        configure(&connection).unwrap();
        for (setting, value) in [("secure_delete", 1), ("temp_store", 2), ("synchronous", 2)] {
            let held = connection.pragma_query_value(None, setting, |row| row.get::<_, i64>(0));
            assert_eq!(held.unwrap(), value, "{setting}");
        }
    }
}
