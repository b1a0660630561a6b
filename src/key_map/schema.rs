//! The tables, and the way from each version of them to the next.

use rusqlite::{Connection, TransactionBehavior};

/// Marks the file as a key map: "TBKM" (SQLite's `application_id`).
pub(super) const APPLICATION_ID: i32 = 0x5442_4b4d;

/// Step N leads from version N to version N + 1. Steps are only ever appended.
pub(super) const STEPS: &[&str] = &["
    CREATE TABLE keys (
        profile  TEXT NOT NULL,
        scope    TEXT NOT NULL,
        key_type INTEGER NOT NULL,
        device   TEXT NOT NULL,
        provider TEXT NOT NULL,
        stored   BLOB NOT NULL,
        created  INTEGER NOT NULL,
        PRIMARY KEY (profile, scope, key_type, device)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE set_aside (
        id       INTEGER PRIMARY KEY,
        profile  TEXT NOT NULL,
        scope    TEXT NOT NULL,
        key_type INTEGER NOT NULL,
        device   TEXT NOT NULL,
        provider TEXT NOT NULL,
        stored   BLOB NOT NULL,
        created  INTEGER NOT NULL,
        reason   TEXT NOT NULL,
        since    INTEGER NOT NULL
    ) STRICT;
",
// Numbers of one width in SQLite's encoding, whatever is added to them: half of a page that was
// being written when the power went still reads as one of its two states.
"
    CREATE TABLE changes (
        first INTEGER NOT NULL,
        last  INTEGER NOT NULL
    ) STRICT;
    INSERT INTO changes SELECT start, start FROM (SELECT (1 << 41) + abs(random() % (1 << 41)) AS start);
"];

/// The version to which the steps lead.
pub(super) const NEWEST: i64 = 2;

/// What became of a database that was to be brought up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Migrated {
    /// It has the newest version now.
    UpToDate,
    /// A later program made it.
    Newer {
        /// Its version.
        version: i64,
    },
}

/// Brings a database from whatever version it has to the newest, in one transaction.
pub(super) fn migrate(connection: &mut Connection, steps: &[&str]) -> rusqlite::Result<Migrated> {
    let newest = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    if version(connection)? == newest {
        return Ok(Migrated::UpToDate);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have done it while this one waited for the lock.
    let version = version(&transaction)?;
    let Some(missing) = usize::try_from(version)
        .ok()
        .and_then(|done| steps.get(done..))
    else {
        return Ok(Migrated::Newer { version });
    };
    for step in missing {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", newest)?;
    transaction.commit()?;
    Ok(Migrated::UpToDate)
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_an_earlier_version_is_brought_up_to_date_with_its_rows() {
        let mut database = Connection::open_in_memory().unwrap();
        let first = "CREATE TABLE a (x); INSERT INTO a VALUES (7)";
        let second = "ALTER TABLE a ADD COLUMN y DEFAULT 8";
        assert_eq!(
            migrate(&mut database, &[first]).unwrap(),
            Migrated::UpToDate
        );
        assert_eq!(
            migrate(&mut database, &[first, second]).unwrap(),
            Migrated::UpToDate
        );
        let row: (i64, i64) = database
            .query_row("SELECT x, y FROM a", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!(row, (7, 8));
        let newer = migrate(&mut database, &[first]).unwrap();
        assert_eq!(newer, Migrated::Newer { version: 2 });
    }

    #[test]
    fn the_newest_version_is_that_of_the_last_step() {
        let mut database = Connection::open_in_memory().unwrap();
        migrate(&mut database, STEPS).unwrap();
        assert_eq!(version(&database).unwrap(), NEWEST);
    }

    #[test]
    fn a_step_that_fails_changes_nothing() {
        let mut database = Connection::open_in_memory().unwrap();
        let steps = ["CREATE TABLE a (x)", "no SQL"];
        assert!(migrate(&mut database, &steps).is_err());
        assert_eq!(version(&database).unwrap(), 0);
        assert!(database.prepare("SELECT * FROM a").is_err());
    }
}
