//! The system's error behind one of SQLite's.
#![allow(unsafe_code, reason = "rusqlite does not have this call")]

use std::io;

use rusqlite::{Connection, ffi};

/// The system's error at the last call on `connection` that failed for the system; of no
/// kind when none did.
pub(super) fn last_error(connection: &Connection) -> io::Error {
    // SAFETY: the handle is that of an open connection, which this thread alone uses.
    let errno = unsafe { ffi::sqlite3_system_errno(connection.handle()) };
    io::Error::from_raw_os_error(errno)
}
