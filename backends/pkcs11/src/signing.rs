//! Signatures: two calls when warm, `C_SignInit` and `C_Sign`.
//!
//! Which of a token's mechanisms really does what RFC 8471 §3.3 wants is learned from the first
//! signature of each key type: it is checked, and the mechanism that made a good one is kept. That
//! also settles whether RSASSA-PSS comes with a salt of 32 bytes.

use std::sync::OnceLock;

use tokenbinding_backend::{ErrorKind, KeyType, PublicKey, Signature, SignedData};

use crate::{
    ckr::Ckr,
    core::Core,
    fault::{Fault, Result},
    link::Link,
    mechanism::Scheme,
    module::Session,
    objects::{Halves, PrivateKey},
    public_key,
};

/// More bytes than any signature has.
const MAX_SIGNATURE: usize = 512;

/// For each key type, by its octet, the mechanism that has made a good signature.
#[derive(Debug, Default)]
pub(crate) struct ProvenSchemes([OnceLock<Scheme>; 3]);

impl ProvenSchemes {
    pub(crate) fn get(&self, kind: KeyType) -> Option<Scheme> {
        self.0[usize::from(kind.octet())].get().copied()
    }

    fn set(&self, kind: KeyType, scheme: Scheme) {
        self.0[usize::from(kind.octet())].get_or_init(|| scheme);
    }
}

impl Core {
    /// Signs `data` with the private half of `public`.
    pub(crate) fn sign(
        &self,
        link: &Link,
        session: Session,
        private: PrivateKey,
        (kind, public): (KeyType, &PublicKey),
        data: &SignedData,
    ) -> Result<Signature> {
        if let Some(scheme) = self.proven.get(kind) {
            return self.sign_with(link, session, private, (kind, scheme), data);
        }
        let good = self.first_good_signature(link, session, private, (kind, public), data)?;
        good.ok_or_else(|| bad_signatures(kind))
    }

    /// A signature that verifies, by the first of the token's mechanisms that makes one.
    fn first_good_signature(
        &self,
        link: &Link,
        session: Session,
        private: PrivateKey,
        (kind, public): (KeyType, &PublicKey),
        data: &SignedData,
    ) -> Result<Option<Signature>> {
        let mut refused = None;
        for scheme in self.schemes(kind) {
            match self.sign_with(link, session, private, (kind, *scheme), data) {
                Ok(signature) if public.verify(kind, data, signature.as_bytes()).is_ok() => {
                    self.proven.set(kind, *scheme);
                    return Ok(Some(signature));
                }
                Ok(_) => tracing::debug!(%kind, scheme.name, "a signature that does not verify"),
                Err(fault) if fault.ckr().is_some_and(Ckr::is_no_mechanism) => {
                    refused = Some(fault);
                }
                Err(fault) => return Err(fault),
            }
        }
        refused.map_or(Ok(None), Err)
    }

    /// The token's mechanisms for `kind`: the proven one alone, where there is one.
    fn schemes(&self, kind: KeyType) -> &[Scheme] {
        let support = self.support.iter().find(|support| support.kind == kind);
        let schemes = support.map_or(&[][..], |support| &support.schemes);
        let Some(proven) = self.proven.get(kind) else {
            return schemes;
        };
        let at = schemes.iter().position(|scheme| *scheme == proven);
        at.map_or(schemes, |at| &schemes[at..=at])
    }

    fn sign_with(
        &self,
        link: &Link,
        session: Session,
        private: PrivateKey,
        (kind, scheme): (KeyType, Scheme),
        data: &SignedData,
    ) -> Result<Signature> {
        let module = link.module();
        let (mechanism, pss) = (scheme.mechanism(), scheme.pss_parameters());
        module.c_sign_init(session, mechanism, pss, private.handle)?;
        if private.always_authenticate {
            self.authorize(link, session)?;
        }
        if self.config.touch {
            self.callbacks.touch(&self.token);
        }
        let mut bytes = [0; MAX_SIGNATURE];
        let len = module.c_sign(session, scheme.input(data).as_bytes(), &mut bytes)?;
        public_key::signature(kind, &bytes[..len]).ok_or_else(|| {
            let name = scheme.name;
            Fault::new(
                ErrorKind::Internal,
                format!("the token's answer to {name}, {len} bytes, is no {kind} signature"),
            )
        })
    }

    /// Has a new pair make a good signature.
    pub(crate) fn prove_scheme(
        &self,
        link: &Link,
        session: Session,
        private: PrivateKey,
        (kind, public): (KeyType, &PublicKey),
    ) -> Result<()> {
        if self.are_halves(link, session, private, (kind, public))? {
            return Ok(());
        }
        Err(bad_signatures(kind))
    }

    /// Whether `private` is the private half of `public`: by a signature over bytes that are no
    /// token binding, for there is no type 255.
    pub(crate) fn are_halves(
        &self,
        link: &Link,
        session: Session,
        private: PrivateKey,
        (kind, public): (KeyType, &PublicKey),
    ) -> Result<bool> {
        let mut bytes = [0; SignedData::LEN];
        bytes[..2].copy_from_slice(&[255, kind.octet()]);
        bytes[2..].copy_from_slice(b"tokenbinding: proof of two halve");
        let data = SignedData::new(bytes);
        let good = self.first_good_signature(link, session, private, (kind, public), &data)?;
        Ok(good.is_some())
    }

    /// The private half of `public` among `halves`.
    pub(crate) fn private_half(
        &self,
        link: &Link,
        session: Session,
        halves: &Halves,
        (kind, public): (KeyType, &PublicKey),
    ) -> Result<Option<PrivateKey>> {
        if halves.are_only(public) {
            return Ok(halves.private.first().copied());
        }
        for private in &halves.private {
            if self.are_halves(link, session, *private, (kind, public))? {
                return Ok(Some(*private));
            }
        }
        Ok(None)
    }
}

fn bad_signatures(kind: KeyType) -> Fault {
    if kind == KeyType::Rsa2048Pss {
        return Fault::new(
            ErrorKind::Unsupported,
            "the token's RSASSA-PSS signatures do not have a salt of 32 bytes; use another key type",
        );
    }
    let text = format!("none of the token's mechanisms makes a {kind} signature that verifies");
    Fault::new(ErrorKind::Internal, text)
}
