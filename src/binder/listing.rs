//! What keys there are.

use std::str::FromStr as _;

use tokenbinding_backend::KeyType;

use super::Binder;
use crate::{
    Error, Scope, TokenBindingId,
    key_map::{Contents, KeyRow, SetAsideRow},
};

/// A key of the map, seen without asking its device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedKey {
    /// What it belongs to.
    pub scope: Scope,
    /// Its type; `None` when its row does not tell.
    pub key_type: Option<KeyType>,
    /// The provider that holds it.
    pub provider: String,
    /// The device that holds it.
    pub device: String,
    /// When it was made, in seconds since 1970 by this machine's clock.
    pub created: i64,
    /// Its name on the wire; `None` when its row is damaged.
    pub id: Option<TokenBindingId>,
    /// What is wrong with its row, if something is.
    pub damage: Option<String>,
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
        Ok(listed(self.map.contents(&self.profile)?))
    }

    /// The keys of `target`, like [`list`](Self::list).
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none; [`Error::Target`]; [`Error::Store`].
    pub fn list_of(&self, target: &str) -> Result<Vec<ListedKey>, Error> {
        let scope = self.scope(target)?;
        let keys = listed(self.map.contents_of(&self.key_id(&scope))?);
        if keys.is_empty() {
            return Err(Error::NotFound { scope });
        }
        Ok(keys)
    }
}

fn listed(contents: Contents) -> Vec<ListedKey> {
    let Contents {
        in_use,
        set_aside,
        unreadable,
    } = contents;
    let in_use = in_use.into_iter().map(|row| of_row(row, None));
    let aside = set_aside
        .into_iter()
        .map(|SetAsideRow { row, reason, since }| of_row(row, Some(SetAside { reason, since })));
    let unreadable = unreadable.into_iter().map(|row| ListedKey {
        scope: scope(&row.scope),
        key_type: None,
        provider: row.provider,
        device: row.device,
        created: row.created,
        id: None,
        damage: Some(row.reason),
        set_aside: None,
    });
    in_use.chain(aside).chain(unreadable).collect()
}

fn of_row(row: KeyRow, set_aside: Option<SetAside>) -> ListedKey {
    let stored = row.stored_key();
    let damage = stored.as_ref().err().map(ToString::to_string);
    ListedKey {
        scope: scope(row.id.scope()),
        key_type: Some(row.kind),
        id: stored
            .ok()
            .map(|stored| TokenBindingId::new(row.kind, stored.public_key())),
        damage,
        provider: row.provider,
        device: row.device,
        created: row.created,
        set_aside,
    }
}

/// A scope that we did not write is shown as the text that it is.
fn scope(text: &str) -> Scope {
    Scope::from_str(text).unwrap_or_else(|_| Scope::text(text))
}
