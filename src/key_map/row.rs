//! Rows as the map keeps them.

use std::{
    str::FromStr as _,
    time::{SystemTime, UNIX_EPOCH},
};

use rusqlite::{Row, types::Type};
use tokenbinding_backend::{DamagedStoredKey, KeyId, KeyType, Profile, StoredKey};

/// The columns of a row, in the order in which [`KeyRow::read`] reads them.
pub(super) const COLUMNS: &str = "profile, scope, key_type, device, provider, stored, created";

/// One key of the map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Profile and scope.
    pub id: KeyId,
    /// The type of the key.
    pub kind: KeyType,
    /// The device that holds it.
    pub device: String,
    /// The provider of that device.
    pub provider: String,
    /// The encoded [`StoredKey`].
    pub stored: Vec<u8>,
    /// When it was made, in seconds since 1970 by this machine's clock.
    pub created: i64,
}

/// Why a row is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DamagedRow {
    /// Its bytes are no stored key.
    #[error(transparent)]
    Bytes(#[from] DamagedStoredKey),
    /// Its bytes are those of another row's key.
    #[error("the stored key belongs to another row")]
    OtherKey,
}

impl KeyRow {
    /// A row for a key that was made now.
    #[must_use]
    pub fn new(id: KeyId, stored: &StoredKey, device: &str, provider: &str) -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            id,
            kind: stored.kind(),
            device: device.to_owned(),
            provider: provider.to_owned(),
            stored: stored.encode(),
            created: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
        }
    }

    /// The stored key.
    ///
    /// # Errors
    /// [`DamagedRow`].
    pub fn stored_key(&self) -> Result<StoredKey, DamagedRow> {
        let stored = StoredKey::decode(&self.stored)?;
        if stored.kind() != self.kind || *stored.name() != self.id.name(self.kind) {
            return Err(DamagedRow::OtherKey);
        }
        Ok(stored)
    }

    /// Whether it is a row for this very key pair, even if its device stores it in other words.
    pub(crate) fn holds(&self, stored: &StoredKey) -> bool {
        self.stored_key()
            .is_ok_and(|own| own.public_key() == stored.public_key())
    }

    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let profile: String = row.get(0)?;
        let profile = Profile::from_str(&profile).map_err(|error| unreadable(0, error))?;
        let scope: String = row.get(1)?;
        let octet: u8 = row.get(2)?;
        let unknown = || unreadable(2, format!("there is no key type {octet}"));
        Ok(Self {
            id: KeyId::new(profile, scope),
            kind: KeyType::from_octet(octet).ok_or_else(unknown)?,
            device: row.get(3)?,
            provider: row.get(4)?,
            stored: row.get(5)?,
            created: row.get(6)?,
        })
    }
}

fn unreadable(
    column: usize,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, cause.into())
}

/// A key that was taken out of use because its device did not hold it any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAsideRow {
    /// The row as it was.
    pub row: KeyRow,
    /// Why it was taken out of use.
    pub reason: String,
    /// When, in seconds since 1970.
    pub since: i64,
}

impl SetAsideRow {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            row: KeyRow::read(row)?,
            reason: row.get(7)?,
            since: row.get(8)?,
        })
    }
}
