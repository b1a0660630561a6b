//! What keys there are.

use std::str::FromStr as _;

use tokenbinding_backend::KeyType;

use super::Binder;
use crate::{
    Error, Scope, TokenBindingId,
    key_map::{KeyRow, SetAsideRow},
};

/// A key of the map, seen without asking its device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedKey {
    /// What it belongs to.
    pub scope: Scope,
    /// Its type.
    pub key_type: KeyType,
    /// The provider that holds it.
    pub provider: String,
    /// The device that holds it.
    pub device: String,
    /// When it was made, in seconds since 1970 by this machine's clock.
    pub created: i64,
    /// Its name on the wire; `None` when its row is damaged.
    pub id: Option<TokenBindingId>,
    /// Why it is not used any more, if it is not.
    pub set_aside: Option<SetAside>,
}

/// Why and since when a key is not used any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Why.
    pub reason: String,
    /// When that was found out, in seconds since 1970.
    pub since: i64,
}

impl Binder {
    /// The keys of the profile on all devices, those in use first, by scope.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn list(&self) -> Result<Vec<ListedKey>, Error> {
        let in_use = self
            .map
            .rows(&self.profile)?
            .into_iter()
            .map(|row| listed(row, None));
        let aside = self.map.set_aside_rows(&self.profile)?;
        let aside = aside.into_iter().map(|SetAsideRow { row, reason, since }| {
            listed(row, Some(SetAside { reason, since }))
        });
        Ok(in_use.chain(aside).collect())
    }
}

fn listed(row: KeyRow, set_aside: Option<SetAside>) -> ListedKey {
    let stored = row.stored_key().ok();
    let scope = row.id.scope();
    ListedKey {
        // A scope that we did not write is shown as the text that it is.
        scope: Scope::from_str(scope).unwrap_or_else(|_| Scope::text(scope)),
        key_type: row.kind,
        id: stored.map(|stored| TokenBindingId::new(row.kind, stored.public_key())),
        provider: row.provider,
        device: row.device,
        created: row.created,
        set_aside,
    }
}
