//! Which keys are loaded in the TPM, and the saved contexts of those that were.
//!
//! A TPM without a resource manager has three object slots. Two keys may stay loaded, so that
//! signing with one or two targets in turn is one command each; one makes room for the other work,
//! which needs two slots. A saved context is a cache in memory, never storage: it dies with the
//! TPM's next reset and is simply tried.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};
use tokenbinding_backend::StoredKey;
use tss_esapi::{handles::KeyHandle, utils::TpmsContext};

use crate::{connection::Connection, failure::Result, template};

/// The contexts that are kept, of some 1.5 kB each. Beyond them the oldest goes.
const MAX_SAVED: usize = 1024;

/// Which key: a hash over all that is stored of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tag([u8; 32]);

impl Tag {
    pub(crate) fn of(stored: &StoredKey) -> Self {
        Self(Sha256::digest(stored.encode()).into())
    }
}

/// Loaded keys, the one used last at the end, and saved contexts.
#[derive(Default)]
pub(crate) struct Slots {
    loaded: Vec<Loaded>,
    saved: HashMap<Tag, Saved>,
    clock: u64,
}

struct Loaded {
    tag: Tag,
    handle: KeyHandle,
    /// Whether the handle is known to be this key's. After a reset the TPM gives out its handles
    /// anew, so whenever something is loaded, an older handle may have become another key's.
    proven: bool,
}

struct Saved {
    used: u64,
    context: TpmsContext,
}

impl Slots {
    fn position(&self, tag: Tag) -> Option<usize> {
        self.loaded.iter().position(|key| key.tag == tag)
    }

    /// The handle of a loaded key, which counts as used now.
    pub(crate) fn loaded(&mut self, tag: Tag) -> Option<KeyHandle> {
        let key = self.loaded.remove(self.position(tag)?);
        let handle = key.handle;
        self.loaded.push(key);
        Some(handle)
    }

    /// Takes up a key that was loaded just now. It is `proven` if its public key was compared.
    pub(crate) fn insert(&mut self, tag: Tag, handle: KeyHandle, proven: bool) {
        self.loaded.iter_mut().for_each(|key| key.proven = false);
        self.loaded.push(Loaded {
            tag,
            handle,
            proven,
        });
    }

    pub(crate) fn is_proven(&self, tag: Tag) -> bool {
        let mut keys = self.loaded.iter();
        keys.any(|key| key.tag == tag && key.proven)
    }

    /// A signature of the key verified.
    pub(crate) fn prove(&mut self, tag: Tag) {
        let mut keys = self.loaded.iter_mut();
        if let Some(key) = keys.find(|key| key.tag == tag) {
            key.proven = true;
        }
    }

    pub(crate) fn saved(&mut self, tag: Tag) -> Option<TpmsContext> {
        self.clock += 1;
        let saved = self.saved.get_mut(&tag)?;
        saved.used = self.clock;
        Some(saved.context.clone())
    }

    /// Forgets a context that the TPM does not take any more.
    pub(crate) fn unsave(&mut self, tag: Tag) {
        self.saved.remove(&tag);
    }

    fn save(&mut self, tag: Tag, context: TpmsContext) {
        self.clock += 1;
        let used = self.clock;
        self.saved.insert(tag, Saved { used, context });
        if self.saved.len() > MAX_SAVED {
            let oldest = self.saved.iter().min_by_key(|(_, saved)| saved.used);
            if let Some(tag) = oldest.map(|(tag, _)| *tag) {
                self.saved.remove(&tag);
            }
        }
    }

    /// Forgets what was loaded, and says which handles those were.
    pub(crate) fn forget_loaded(&mut self) -> Vec<KeyHandle> {
        self.loaded.drain(..).map(|key| key.handle).collect()
    }
}

impl Connection {
    /// Leaves at most `keep` keys loaded. The others are saved first, so that they come back by
    /// one command.
    pub(crate) fn make_room(&mut self, keep: usize) -> Result<()> {
        while self.slots.loaded.len() > keep {
            let Loaded { tag, handle, .. } = self.slots.loaded.remove(0);
            if !self.slots.saved.contains_key(&tag) {
                let saved = self.run("TPM2_ContextSave", |c| c.context_save(handle.into()));
                match saved {
                    Ok(context) => self.slots.save(tag, context),
                    Err(failure) if failure.breaks_connection() => return Err(failure),
                    // A key that cannot be saved is derived or loaded anew.
                    Err(failure) => tracing::debug!(?failure, "a key could not be saved"),
                }
            }
            self.flush(handle.into());
        }
        Ok(())
    }

    /// Flushes the objects that a broken connection left in a TPM without a resource manager. They
    /// are told by their templates: what other programs have loaded stays.
    pub(crate) fn flush_left_behind(&mut self) -> Result<()> {
        /// TPM 2.0 Library, Part 2, §7.4: the first handle of type `TPM_HT_TRANSIENT`.
        const TRANSIENT_FIRST: u32 = 0x8000_0000;
        for handle in self.handles(TRANSIENT_FIRST)? {
            let object = self.run("TPM2_ReadPublic", |c| c.tr_from_tpm_public(handle))?;
            let public = self.read_public(object)?;
            if public.is_some_and(|(public, _)| template::is_ours(&public)) {
                self.flush(object);
            } else {
                self.abandon(object);
            }
        }
        Ok(())
    }

    /// Forgets a key for good.
    pub(crate) fn forget_key(&mut self, tag: Tag) {
        self.slots.unsave(tag);
        if let Some(at) = self.slots.position(tag) {
            let key = self.slots.loaded.remove(at);
            self.flush(key.handle.into());
        }
    }
}
