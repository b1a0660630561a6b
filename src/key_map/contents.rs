//! What is in the map, row by row: a row that cannot be read spoils no other.

use rusqlite::{Connection, Row, params};
use tokenbinding_backend::{KeyId, KeyType, Profile};

use super::{KeyMap, KeyRow, SetAsideRow, StoreError, row::COLUMNS};

/// The rows of a profile, or of one scope in it, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Those in use, by scope.
    pub in_use: Vec<KeyRow>,
    /// Those that were set aside, the oldest first.
    pub set_aside: Vec<SetAsideRow>,
    /// Those of either kind that no version of this program wrote, or a later one.
    pub unreadable: Vec<UnreadableRow>,
}

/// A row whose key cannot be told: it can be listed and removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableRow {
    /// Its scope, as far as it is text.
    pub scope: String,
    /// Its device, as far as it is text.
    pub device: String,
    /// Its provider, as far as it is text.
    pub provider: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Why it cannot be read.
    pub reason: String,
}

impl Contents {
    /// The rows in use and set aside, each key once: one that was set aside and taken up again is
    /// there twice.
    #[must_use]
    pub fn keys(self) -> Vec<KeyRow> {
        let mut rows = self.in_use;
        let aside = self.set_aside.into_iter().map(|aside| aside.row);
        let mut seen: std::collections::HashSet<_> = rows.iter().map(key_of).collect();
        let aside: Vec<_> = aside.filter(|row| seen.insert(key_of(row))).collect();
        rows.extend(aside);
        rows
    }
}

fn key_of(row: &KeyRow) -> (KeyId, KeyType, String, Vec<u8>) {
    (
        row.id.clone(),
        row.kind,
        row.device.clone(),
        row.stored.clone(),
    )
}

impl KeyMap {
    /// The rows in use of `id`, in all key types and on all devices; those that cannot be read are
    /// passed over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn rows_of(&self, id: &KeyId) -> Result<Vec<KeyRow>, StoreError> {
        self.run("look up keys", |connection| {
            let (profile, scope) = (id.profile(), Some(id.scope()));
            let mut rows = Vec::new();
            each(connection, "keys", COLUMNS, profile, scope, "", |row| {
                rows.extend(KeyRow::read(row, profile)?);
                Ok(())
            })?;
            Ok(rows)
        })
    }

    /// Everything of a profile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn contents(&self, profile: &Profile) -> Result<Contents, StoreError> {
        self.run("list keys", |connection| read(connection, profile, None))
    }

    /// Everything of `id`, in all key types and on all devices.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn contents_of(&self, id: &KeyId) -> Result<Contents, StoreError> {
        self.run("look up keys", |connection| {
            read(connection, id.profile(), Some(id.scope()))
        })
    }

    /// Removes the rows of a profile that cannot be read, or those of one scope, and tells how many
    /// there were.
    ///
    /// # Errors
    /// [`StoreError`]; no row is removed then.
    pub fn remove_unreadable(
        &self,
        profile: &Profile,
        scope: Option<&str>,
    ) -> Result<usize, StoreError> {
        self.delete("remove rows that cannot be read", |transaction| {
            let mut removed = 0;
            for table in ["keys", "set_aside"] {
                for row in unreadable(transaction, table, profile, scope)? {
                    let sql = format!(
                        "DELETE FROM {table} WHERE profile = ?1 AND CAST(scope AS BLOB) = ?2 \
                         AND key_type = ?3 AND CAST(device AS BLOB) = ?4"
                    );
                    let values = params![profile.name(), row.scope, row.kind, row.device];
                    removed += transaction.execute(&sql, values)?;
                }
            }
            Ok(removed)
        })
    }
}

/// What tells an unreadable row from others, as it is in the map.
struct Unreadable {
    scope: Vec<u8>,
    kind: i64,
    device: Vec<u8>,
}

fn read(
    connection: &Connection,
    profile: &Profile,
    scope: Option<&str>,
) -> rusqlite::Result<Contents> {
    // Both tables at one moment.
    let moment = connection.unchecked_transaction()?;
    let mut contents = Contents::default();
    let in_use = "ORDER BY scope, key_type DESC, device";
    each(&moment, "keys", COLUMNS, profile, scope, in_use, |row| {
        match KeyRow::read(row, profile)? {
            Ok(row) => contents.in_use.push(row),
            Err(reason) => contents.unreadable.push(describe(row, reason)?),
        }
        Ok(())
    })?;
    let columns = format!("{COLUMNS}, reason, since");
    each(
        &moment,
        "set_aside",
        &columns,
        profile,
        scope,
        "ORDER BY id",
        |row| {
            match SetAsideRow::read(row, profile)? {
                Ok(row) => contents.set_aside.push(row),
                Err(reason) => contents.unreadable.push(describe(row, reason)?),
            }
            Ok(())
        },
    )?;
    Ok(contents)
}

fn unreadable(
    connection: &Connection,
    table: &str,
    profile: &Profile,
    scope: Option<&str>,
) -> rusqlite::Result<Vec<Unreadable>> {
    let mut rows = Vec::new();
    each(connection, table, COLUMNS, profile, scope, "", |row| {
        if KeyRow::read(row, profile)?.is_err() {
            rows.push(Unreadable {
                scope: bytes(row, 1)?.to_vec(),
                kind: row.get(2)?,
                device: bytes(row, 3)?.to_vec(),
            });
        }
        Ok(())
    })?;
    Ok(rows)
}

fn each(
    connection: &Connection,
    table: &str,
    columns: &str,
    profile: &Profile,
    scope: Option<&str>,
    order: &str,
    mut with: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let this_scope = scope.map_or("", |_| "AND scope = ?2");
    let sql = format!("SELECT {columns} FROM {table} WHERE profile = ?1 {this_scope} {order}");
    let mut statement = connection.prepare_cached(&sql)?;
    let values = [Some(profile.name()), scope];
    let values = rusqlite::params_from_iter(values.into_iter().flatten());
    let mut rows = statement.query(values)?;
    while let Some(row) = rows.next()? {
        with(row)?;
    }
    Ok(())
}

fn describe(row: &Row<'_>, reason: String) -> rusqlite::Result<UnreadableRow> {
    let text = |column| -> rusqlite::Result<String> {
        Ok(String::from_utf8_lossy(bytes(row, column)?).into_owned())
    };
    Ok(UnreadableRow {
        scope: text(1)?,
        device: text(3)?,
        provider: text(4)?,
        created: row.get(6)?,
        reason,
    })
}

/// The bytes of a text, even of one that is no UTF-8.
fn bytes<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a [u8]> {
    Ok(row.get_ref(column)?.as_bytes()?)
}
