//! The storage root that wraps keys: what stands at 0x81000001 if it is a storage key, else one
//! made for the moment.
//!
//! A key is only ever loaded under the root whose Name was recorded with it. The handle is the
//! one that the TCG's Provisioning Guidance reserves; nothing is put there or taken away.

use tokenbinding_backend::ErrorKind;
use tss_esapi::{
    constants::CapabilityType,
    handles::{KeyHandle, ObjectHandle, TpmHandle},
    interface_types::resource_handles::Hierarchy,
    structures::{CapabilityData, CreatePrimaryKeyResult, Name, Public},
};

use crate::{
    authorization::{Role, Session},
    connection::Connection,
    failure::{Failure, Result},
    recipe::{Root, Wrapped},
    status::GET_CAPABILITY,
    template,
};

const PERSISTENT: u32 = 0x8100_0001;

/// What stands at 0x81000001.
#[derive(Clone, Debug)]
pub(crate) enum PersistentRoot {
    /// Nothing, or something that can wrap no key.
    Absent,
    /// A storage key.
    Present(StorageRoot),
}

/// A storage root that is ready to wrap and load keys.
#[derive(Clone, Debug)]
pub(crate) struct StorageRoot {
    pub(crate) root: Root,
    pub(crate) handle: KeyHandle,
    /// The Name of its public area.
    pub(crate) name: Vec<u8>,
}

impl StorageRoot {
    /// Whose authorization its use needs.
    pub(crate) const fn role(&self) -> Role {
        match self.root {
            Root::Persistent => Role::StorageRoot,
            Root::Owner | Root::Null => Role::Nobody,
        }
    }
}

impl Connection {
    /// Runs `f` with the storage root at `root`, and flushes it on every path if it was made for
    /// the moment. `None` when there is no such root.
    fn with_root<T>(
        &mut self,
        root: Root,
        f: impl FnOnce(&mut Self, &StorageRoot) -> Result<T>,
    ) -> Result<Option<T>> {
        let hierarchy = match root {
            Root::Persistent => {
                return match self.persistent_root()? {
                    PersistentRoot::Present(root) => f(self, &root).map(Some),
                    PersistentRoot::Absent => Ok(None),
                };
            }
            Root::Owner => Hierarchy::Owner,
            Root::Null => Hierarchy::Null,
        };
        let root = self.make_root(root, hierarchy)?;
        let result = f(self, &root);
        self.flush(root.handle.into());
        result.map(Some)
    }

    /// Runs `f` with the storage root that wrapped a key, told by its Name.
    ///
    /// What stands at 0x81000001 may have come or gone since, and still be the same root.
    pub(crate) fn with_root_of<T>(
        &mut self,
        wrapped: &Wrapped,
        mut f: impl FnMut(&mut Self, &StorageRoot) -> Result<T>,
    ) -> Result<T> {
        let roots: &[Root] = match wrapped.root {
            Root::Persistent => &[Root::Persistent, Root::Owner],
            Root::Owner => &[Root::Owner, Root::Persistent],
            Root::Null => &[Root::Null],
        };
        for root in roots {
            let found = self.with_root(*root, |connection, root| {
                let same = root.name == wrapped.root_name;
                same.then(|| f(connection, root)).transpose()
            })?;
            if let Some(Some(value)) = found {
                return Ok(value);
            }
        }
        Err(Failure::stated(
            ErrorKind::KeyLost,
            "the storage root that wrapped the key is gone: the TPM was cleared or replaced",
        ))
    }

    /// Runs `f` with the root that new keys are wrapped by.
    pub(crate) fn with_new_root<T>(
        &mut self,
        ephemeral: bool,
        f: impl FnOnce(&mut Self, &StorageRoot) -> Result<T>,
    ) -> Result<T> {
        let root = if ephemeral {
            Root::Null
        } else if matches!(self.persistent_root()?, PersistentRoot::Present(_)) {
            Root::Persistent
        } else {
            Root::Owner
        };
        let result = self.with_root(root, f)?;
        result.ok_or_else(|| Failure::stated(ErrorKind::Internal, "the storage root went away"))
    }

    /// What stands at 0x81000001, looked up once per connection.
    pub(crate) fn persistent_root(&mut self) -> Result<PersistentRoot> {
        if let Some(root) = &self.persistent_root {
            return Ok(root.clone());
        }
        let root = self.look_up_persistent_root()?;
        self.persistent_root = Some(root.clone());
        Ok(root)
    }

    fn look_up_persistent_root(&mut self) -> Result<PersistentRoot> {
        // Asking for an object that is not there would make the TSS complain on standard error.
        let mut handles = self.handles(PERSISTENT)?.into_iter();
        let Some(handle) = handles.find(|handle| u32::from(*handle) == PERSISTENT) else {
            return Ok(PersistentRoot::Absent);
        };
        let object = self.run("TPM2_ReadPublic", |c| c.tr_from_tpm_public(handle))?;
        let read = self.read_public(object)?;
        let Some((_, name)) = read.filter(|(public, _)| template::is_storage_key(public)) else {
            self.abandon(object);
            tracing::info!("0x81000001 is no storage key; a storage root is made when needed");
            return Ok(PersistentRoot::Absent);
        };
        self.set_auth(object, Role::StorageRoot)?;
        Ok(PersistentRoot::Present(StorageRoot {
            root: Root::Persistent,
            handle: object.into(),
            name: name.value().to_vec(),
        }))
    }

    /// The handles from `first` on, 16 at most.
    pub(crate) fn handles(&mut self, first: u32) -> Result<Vec<TpmHandle>> {
        let (data, _) = self.run(GET_CAPABILITY, |context| {
            context.get_capability(CapabilityType::Handles, first, 16)
        })?;
        match data {
            CapabilityData::Handles(handles) => Ok(handles.into_inner()),
            _ => Err(Failure::senseless(GET_CAPABILITY)),
        }
    }

    /// The public area and Name of an object, or `None` of one that tss-esapi cannot read: no key
    /// that we could have made or could use.
    pub(crate) fn read_public(&mut self, object: ObjectHandle) -> Result<Option<(Public, Name)>> {
        self.run("TPM2_ReadPublic", |context| {
            match context.read_public(object.into()) {
                Err(tss_esapi::Error::WrapperError(_)) => Ok(None),
                read => read.map(|(public, name, _)| Some((public, name))),
            }
        })
    }

    /// Makes a primary key of the owner or the NULL hierarchy.
    pub(crate) fn create_primary(
        &mut self,
        hierarchy: Hierarchy,
        template: &Public,
    ) -> Result<CreatePrimaryKeyResult> {
        let (role, salt) = match hierarchy {
            Hierarchy::Owner => (Role::Owner, self.owner_salt()?),
            _ => (Role::Nobody, None),
        };
        let session = Session::IfSecret(salt);
        self.authorized(role, session, "TPM2_CreatePrimary", |context| {
            context.create_primary(hierarchy, template.clone(), None, None, None, None)
        })
    }

    /// What salts the session that carries the owner's authorization. Without a persistent root
    /// there is no key for it: making one would need the authorization already.
    fn owner_salt(&mut self) -> Result<Option<KeyHandle>> {
        if !self.authorization.has(Role::Owner) {
            return Ok(None);
        }
        Ok(match self.persistent_root()? {
            PersistentRoot::Present(root) => Some(root.handle),
            PersistentRoot::Absent => None,
        })
    }

    fn make_root(&mut self, root: Root, hierarchy: Hierarchy) -> Result<StorageRoot> {
        let y = match root {
            Root::Null => *self.ephemeral,
            _ => [0; 32],
        };
        let made = self.create_primary(hierarchy, &template::storage_root(&y)?)?;
        let name = self.run("Esys_TR_GetName", |context| {
            context.tr_get_name(made.key_handle.into())
        })?;
        Ok(StorageRoot {
            root,
            handle: made.key_handle,
            name: name.value().to_vec(),
        })
    }
}
