//! Which of our keys a token carries, for people.

use cryptoki_sys::*;
use tokenbinding_backend::{KeyType, Result as BackendResult};

use crate::{
    Pkcs11Backend,
    fault::Result,
    link::Link,
    module::{Attribute, Session},
    template::{self, LABEL, PROOF},
};

/// A private key on the token that was made for Token Binding, by this machine or another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedKey {
    /// `CKA_ID`: the 32 bytes of the key's name.
    pub id: [u8; 32],
    /// `CKA_LABEL`: names the scope, as far as there was room.
    pub label: String,
    /// Whether the key is one for RSA; both RSA types look alike on a token.
    pub rsa: bool,
    /// Whether the token vouches that the key was made on it and cannot leave it.
    pub proven: bool,
}

impl ListedKey {
    /// Whether it may be a key of type `kind`.
    #[must_use]
    pub const fn may_be(&self, kind: KeyType) -> bool {
        self.rsa == kind.is_rsa()
    }
}

impl Pkcs11Backend {
    /// Lists the keys that the token carries, which takes a login. Their scopes are told by their
    /// labels alone, for their names are hashes.
    ///
    /// # Errors
    /// Whatever keeps the token from being searched.
    pub fn list(&self) -> BackendResult<Vec<ListedKey>> {
        self.core.run("list the keys", list)
    }
}

fn list(link: &Link, session: Session) -> Result<Vec<ListedKey>> {
    let module = link.module();
    let template = [Attribute::number(CKA_CLASS, CKO_PRIVATE_KEY)];
    let handles = module.find_objects(session, &template)?;
    link.require_login(session, handles.is_empty())?;
    let kinds = [&[CKA_ID, CKA_LABEL, CKA_KEY_TYPE], &PROOF[..]].concat();
    let mut keys = Vec::new();
    for handle in handles {
        let told = module.attributes(session, handle, &kinds)?;
        let label = String::from_utf8_lossy(told.get(CKA_LABEL).unwrap_or_default());
        let id = told.get(CKA_ID).and_then(|id| id.try_into().ok());
        if let Some(id) = id
            && label.starts_with(LABEL)
        {
            keys.push(ListedKey {
                id,
                label: label.into_owned(),
                rsa: told.get(CKA_KEY_TYPE) == Some(&CKK_RSA.to_ne_bytes()),
                proven: template::unproven(&told).is_none(),
            });
        }
    }
    keys.sort_by(|a, b| (&a.label, a.id).cmp(&(&b.label, b.id)));
    Ok(keys)
}
