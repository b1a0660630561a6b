//! The client's end: one signature for each target, whatever the number of requests.

use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokenbinding_backend::KeyType;

use crate::{
    Binder, Ekm, Error, GeneratedBinding, KeyChoice, KeyDescription, TokenBindingType,
    binder::Generation, header,
};

/// The most targets whose headers a connection remembers. A connection that serves more of them
/// signs again.
const CAPACITY: usize = 64;

/// The server that asked for its binding to be shown to the next one, by
/// `Include-Referred-Token-Binding-ID` in a redirect (RFC 8473 §5.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// The target of the request that was redirected.
    pub target: String,
    /// The key parameters that were negotiated with that server.
    pub key_type: KeyType,
}

/// The client's end of a connection on which Token Binding was negotiated. Threads may share it.
///
/// A key that is deleted meanwhile is used no more within a second, as with [`Binder`] itself.
#[derive(Debug)]
pub struct ClientConnection {
    binder: Arc<Binder>,
    key_type: KeyType,
    ekm: Ekm,
    entries: RwLock<Vec<Entry>>,
    /// Held while signing, so that requests that start together cost one signature.
    signing: Mutex<()>,
}

#[derive(Debug)]
struct Entry {
    /// The target that asked last; others of its scope share the entry.
    target: Box<str>,
    signed: Arc<Signed>,
    /// The last generation in which the key was seen in the map.
    seen: Generation,
}

#[derive(Debug)]
struct Signed {
    binding: GeneratedBinding,
    header: Arc<str>,
}

impl ClientConnection {
    /// The end of a connection that negotiated `key_type` and exports `ekm`.
    #[must_use]
    pub fn new(binder: Arc<Binder>, key_type: KeyType, ekm: Ekm) -> Self {
        Self {
            binder,
            key_type,
            ekm,
            entries: RwLock::default(),
            signing: Mutex::default(),
        }
    }

    /// The key parameters that were negotiated.
    #[must_use]
    pub const fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The value of `Sec-Token-Binding` for a request to `target`: a message with its provided
    /// binding. The first request for a scope signs; the others take no look-up and no device.
    ///
    /// # Errors
    /// As for [`Binder::generate_binding`].
    pub fn header(&self, target: &str) -> Result<Arc<str>, Error> {
        Ok(Arc::clone(&self.signed(target)?.header))
    }

    /// The value of `Sec-Token-Binding` for a request to `target` if it is known without a look-up,
    /// a device or waiting for one: for callers that must not block.
    #[must_use]
    pub fn known_header(&self, target: &str) -> Option<Arc<str>> {
        let now = self.binder.generation().ok()?;
        Some(Arc::clone(&self.known(target, now)?.header))
    }

    /// The key that signs for `target` on this connection, made and used if it was not yet.
    ///
    /// # Errors
    /// As for [`header`](Self::header).
    pub fn key(&self, target: &str) -> Result<KeyDescription, Error> {
        Ok(self.signed(target)?.binding.key().clone())
    }

    /// The value of `Sec-Token-Binding` for the one request that follows a redirect whose sender
    /// asked for its binding to be shown: provided and referred, both signed over this
    /// connection's EKM. If the referrer's key is gone, it is not made anew: the message has the
    /// provided binding alone.
    ///
    /// # Errors
    /// As for [`header`](Self::header).
    pub fn header_with_referred(
        &self,
        target: &str,
        referrer: &Referrer,
    ) -> Result<Arc<str>, Error> {
        let provided = self.signed(target)?;
        let key = KeyChoice::Existing(referrer.key_type);
        let referred = TokenBindingType::Referred;
        match self
            .binder
            .generate_binding(&referrer.target, key, referred, &self.ekm)
        {
            Ok(referred) => {
                let message = Binder::generate_message(&[&provided.binding, &referred])?;
                Ok(header::encode(&message).into())
            }
            Err(Error::NotFound { scope }) => {
                tracing::warn!(%scope, "the referring server's key is gone: nothing is referred");
                Ok(Arc::clone(&provided.header))
            }
            Err(error) => Err(error),
        }
    }

    fn signed(&self, target: &str) -> Result<Arc<Signed>, Error> {
        if let Some(signed) = self.known(target, self.binder.generation()?) {
            return Ok(signed);
        }
        let _alone = self.signing.lock().unwrap_or_else(PoisonError::into_inner);
        let scope = self.binder.scope(target)?;
        let seen = self.binder.generation()?;
        let known = self
            .read()
            .iter()
            .find(|entry| entry.signed.binding.key().scope == scope)
            .map(|entry| (Arc::clone(&entry.signed), entry.seen));
        let signed = match known {
            Some((signed, last))
                if last == seen || self.binder.still_has(signed.binding.key())? =>
            {
                signed
            }
            _ => Arc::new(self.sign(target)?),
        };
        self.keep(Entry {
            target: target.into(),
            signed: Arc::clone(&signed),
            seen,
        });
        Ok(signed)
    }

    fn known(&self, target: &str, now: Generation) -> Option<Arc<Signed>> {
        let fresh = |entry: &&Entry| entry.seen == now && *entry.target == *target;
        let entries = self.read();
        Some(Arc::clone(&entries.iter().find(fresh)?.signed))
    }

    fn sign(&self, target: &str) -> Result<Signed, Error> {
        let provided = TokenBindingType::Provided;
        let binding = self
            .binder
            .generate_binding(target, self.key_type, provided, &self.ekm)?;
        let header = header::encode(&Binder::generate_message(&[&binding])?).into();
        Ok(Signed { binding, header })
    }

    /// Puts an entry in the place of its scope's, or of the oldest where there are too many.
    fn keep(&self, entry: Entry) {
        let mut entries = self.write();
        let scope = &entry.signed.binding.key().scope;
        entries.retain(|other| other.signed.binding.key().scope != *scope);
        if entries.len() >= CAPACITY {
            entries.remove(0);
        }
        entries.push(entry);
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<Entry>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}
