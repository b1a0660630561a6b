//! Which write-ahead log belongs to which state of the map.
//!
//! SQLite takes any log beside the file for the file's own. A backup that is put in the place of the
//! map after a crash would be mixed with the changes of the map that it replaced. So each change
//! counts up a number, which starts at random, and notes the number at which its log was empty: a
//! log belongs to a file whose own number lies between these two.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

/// SQLite's write-ahead log of the key map `path`.
pub(super) fn log_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push("-wal");
    path.with_file_name(name)
}

/// Whether there is something in the log of `path`: a program is writing, or died.
pub(super) fn has_log(path: &Path) -> io::Result<bool> {
    match fs::metadata(log_of(path)) {
        Ok(metadata) => Ok(metadata.len() > 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Counts a change, in its transaction and so under the write lock.
pub(super) fn count(transaction: &Transaction<'_>, path: Option<&Path>) -> rusqlite::Result<()> {
    // A log that cannot be looked at is taken for one that holds more.
    let starts = path.is_some_and(|path| matches!(has_log(path), Ok(false)));
    let sql = "UPDATE changes SET first = CASE WHEN ?1 THEN last ELSE first END, last = last + 1";
    transaction.prepare_cached(sql)?.execute([starts])?;
    Ok(())
}

/// Whether the log beside the map `path` goes on from what is in the file. `true` also where neither
/// tells: an earlier version counted nothing.
pub(super) fn log_belongs(connection: &mut Connection, path: &Path) -> rusqlite::Result<bool> {
    // Nobody begins the log anew meanwhile.
    let held = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let Ok((first, _)) = numbers(&held) else {
        return Ok(true);
    };
    let Ok((_, in_file)) = numbers(&without_log(path)?) else {
        return Ok(true);
    };
    // Read last: a checkpoint may move the file on.
    let (_, last) = numbers(&held)?;
    Ok((first..=last).contains(&in_file))
}

fn numbers(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    let sql = "SELECT first, last FROM changes";
    connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// The file as it is, without its log.
fn without_log(path: &Path) -> rusqlite::Result<Connection> {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                uri.push(char::from(*byte));
            }
            other => uri.push_str(&format!("%{other:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(uri, flags)
}
