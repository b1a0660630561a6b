//! Whether this TPM's RSASSA-PSS signatures have the salt of 32 bytes that RFC 8471 §3.3 asks for.
//!
//! `TPM2_Sign` has no parameter for it. The reference code takes the size of the hash, others the
//! largest that fits, which is 222 bytes for RSA-2048 with SHA-256 (TPM 2.0 Library, Part 1,
//! Annex B.7). So one signature is made and verified before `rsa2048_pss` is offered.

mod published_key;

use std::fmt;

use tokenbinding_backend::{KeyId, KeyType, Profile, PublicKey, Signature, SignedData};
use tss_esapi::{
    attributes::ObjectAttributesBuilder,
    interface_types::resource_handles::Hierarchy,
    structures::{PrivateKeyRsa, Sensitive},
};

use crate::{
    authorization::{Role, Session},
    connection::Connection,
    failure::{Failure, Result},
    loading::KnownKey,
    template,
};

/// What is known of a TPM's RSASSA-PSS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PssSupport {
    /// A signature of this TPM verified with a salt of 32 bytes.
    Proven,
    /// The TPM signs, but not with a salt of 32 bytes.
    OtherSalt,
    /// The TPM does not make such signatures.
    Refused,
}

impl fmt::Display for PssSupport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proven => "its RSASSA-PSS salt is 32 bytes, as RFC 8471 asks for",
            Self::OtherSalt => "its RSASSA-PSS salt is not the 32 bytes that RFC 8471 asks for",
            Self::Refused => "it does not make RSASSA-PSS signatures with SHA-256",
        })
    }
}

impl Connection {
    /// Signs once and looks at the signature: three commands, or one made key where the TPM does
    /// not load keys from outside.
    pub(crate) fn prove_pss(&mut self) -> Result<PssSupport> {
        self.ensure()?;
        let data = SignedData::new([0x5a; SignedData::LEN]);
        let signed = match self.sign_with_published_key(&data) {
            Err(failure) if !failure.breaks_connection() => self.sign_with_made_key(&data),
            signed => signed,
        };
        match signed {
            Ok((key, signature)) => {
                let checked = key.verify(KeyType::Rsa2048Pss, &data, signature.as_bytes());
                Ok(match checked {
                    Ok(()) => PssSupport::Proven,
                    Err(_) => PssSupport::OtherSalt,
                })
            }
            Err(failure) if failure.is_unsupported() => Ok(PssSupport::Refused),
            Err(failure) => Err(failure),
        }
    }

    fn sign_with_published_key(&mut self, data: &SignedData) -> Result<(PublicKey, Signature)> {
        const LOAD: &str = "TPM2_LoadExternal";
        let defect = |error| Failure::of(LOAD, error);
        // A key from outside cannot be fixed to the TPM.
        let attributes = ObjectAttributesBuilder::new()
            .with_user_with_auth(true)
            .with_sign_encrypt(true)
            .with_no_da(true)
            .build()
            .map_err(defect)?;
        let modulus = &published_key::MODULUS;
        let public = template::rsa2048(KeyType::Rsa2048Pss, attributes, modulus)?;
        let key = template::public_key(&public).ok_or_else(|| Failure::senseless(LOAD))?;
        let private = Sensitive::Rsa {
            auth_value: Default::default(),
            seed_value: Default::default(),
            sensitive: PrivateKeyRsa::try_from(published_key::PRIME.as_slice()).map_err(defect)?,
        };
        self.make_room(1)?;
        let handle = self.run(LOAD, |context| {
            context.load_external(private.clone(), public.clone(), Hierarchy::Null)
        })?;
        let session = Session::IfSecret(None);
        let digest = data.sha256();
        let kind = KeyType::Rsa2048Pss;
        let signature = self.sign_loaded(handle, kind, Role::Nobody, session, &digest);
        self.flush(handle.into());
        Ok((key, signature?))
    }

    fn sign_with_made_key(&mut self, data: &SignedData) -> Result<(PublicKey, Signature)> {
        let id = KeyId::new(Profile::Ephemeral, "salt length");
        let stored = self.create(&id, KeyType::Rsa2048Pss, false)?;
        let key = KnownKey::new(&stored)?;
        let signature = self.sign(&key, data);
        self.forget_key(key.tag);
        Ok((key.public_key, signature?))
    }
}
