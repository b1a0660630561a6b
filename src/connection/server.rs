//! The server's end: each header value is checked once.

use std::sync::{Arc, PoisonError, RwLock};

use tokenbinding_backend::KeyType;

use crate::{Ekm, Policy, Rejection, VerifiedBindings, Verifier};

/// The most header values that a connection remembers: one for each site it is shared by.
const CAPACITY: usize = 8;
/// The longest header value that is remembered, in characters. Those with two RSA bindings have
/// 1,408; a client cannot make a server remember much more.
const LONGEST: usize = 4096;

/// The server's end of a connection on which Token Binding was negotiated. Threads may share it.
///
/// What was verified is remembered beside the EKM that it was verified against, and nothing that
/// was rejected is.
#[derive(Debug)]
pub struct ServerConnection {
    verifier: Verifier,
    ekm: Ekm,
    verified: RwLock<Vec<(Box<str>, Arc<VerifiedBindings>)>>,
}

impl ServerConnection {
    /// The end of a connection that negotiated `key_type` and exports `ekm`.
    #[must_use]
    pub fn new(key_type: KeyType, ekm: Ekm) -> Self {
        Self {
            verifier: Verifier::new(key_type),
            ekm,
            verified: RwLock::default(),
        }
    }

    /// Verifies by another policy.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.verifier = self.verifier.with_policy(policy);
        self
    }

    /// The key parameters that were negotiated.
    #[must_use]
    pub const fn key_type(&self) -> KeyType {
        self.verifier.negotiated
    }

    /// Verifies the value of a request's `Sec-Token-Binding`.
    ///
    /// # Errors
    /// As for [`Verifier::verify_header`].
    pub fn verify_header(&self, header: &str) -> Result<Arc<VerifiedBindings>, Rejection> {
        if let Some(bindings) = self.remembered(header) {
            return Ok(bindings);
        }
        let bindings = Arc::new(self.verifier.verify_header(header, &self.ekm)?);
        if header.len() <= LONGEST {
            let mut verified = self
                .verified
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            if verified.len() >= CAPACITY {
                verified.remove(0);
            }
            verified.push((header.into(), Arc::clone(&bindings)));
        }
        Ok(bindings)
    }

    fn remembered(&self, header: &str) -> Option<Arc<VerifiedBindings>> {
        let verified = self.verified.read().unwrap_or_else(PoisonError::into_inner);
        let (_, bindings) = verified.iter().find(|(known, _)| **known == *header)?;
        Some(Arc::clone(bindings))
    }
}
