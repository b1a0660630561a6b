//! Rows as the map keeps them.

use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::Row;
use tokenbinding_backend::{InvalidStoredKey, KeyId, KeyType, Profile, StoredKey};

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
    Bytes(#[from] InvalidStoredKey),
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

    /// A row of `profile`, or why it cannot be one of ours.
    pub(super) fn read(row: &Row<'_>, profile: &Profile) -> rusqlite::Result<Result<Self, String>> {
        let number: i64 = row.get(2)?;
        let kind = u8::try_from(number).ok().and_then(KeyType::from_octet);
        let Some(kind) = kind else {
            return Ok(Err(format!("there is no key type {number}")));
        };
        let texts = (row.get(1), row.get(3), row.get(4));
        let (scope, device, provider): (String, _, _) = match texts {
            (Ok(scope), Ok(device), Ok(provider)) => (scope, device, provider),
            _ => return Ok(Err("its text is no text".to_owned())),
        };
        Ok(Ok(Self {
            id: KeyId::new(profile.clone(), scope),
            kind,
            device,
            provider,
            stored: row.get(5)?,
            created: row.get(6)?,
        }))
    }
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
    pub(super) fn read(row: &Row<'_>, profile: &Profile) -> rusqlite::Result<Result<Self, String>> {
        let reason = row.get(7).unwrap_or_else(|_| "unknown".to_owned());
        let since = row.get(8)?;
        let read = KeyRow::read(row, profile)?;
        Ok(read.map(|row| Self { row, reason, since }))
    }
}
