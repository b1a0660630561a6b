//! The authorizations that commands are sent with.
//!
//! Without a secret a command goes with an empty password: an HMAC session costs milliseconds and
//! protects nothing then. With one it goes over an HMAC session, so that the secret itself never
//! crosses the bus. A secret that the TPM refused is not sent again while the backend is open,
//! whichever key it was for: each wrong one may bring the whole TPM nearer to lockout.

use tokenbinding_backend::ErrorKind;
use tss_esapi::{
    Context,
    attributes::SessionAttributesBuilder,
    constants::SessionType,
    handles::{KeyHandle, ObjectHandle, SessionHandle},
    interface_types::{algorithm::HashingAlgorithm, session_handles::AuthSession},
    structures::{Auth, SymmetricDefinition},
};
use zeroize::Zeroizing;

use crate::{
    config::TpmConfig,
    connection::Connection,
    failure::{Failure, Result},
};

/// Whose authorization a command needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The owner hierarchy.
    Owner,
    /// The persistent storage root.
    StorageRoot,
    /// A token binding key.
    Key,
    /// Objects of our own that never have an authorization: the NULL hierarchy and what is below.
    Nobody,
}

impl Role {
    pub(crate) const fn what(self) -> &'static str {
        match self {
            Self::Owner => "the owner hierarchy",
            Self::StorageRoot => "the storage root 0x81000001",
            Self::Key => "the key",
            Self::Nobody => "an object without one",
        }
    }

    /// The field of [`TpmConfig`] that holds it.
    pub(crate) const fn option(self) -> &'static str {
        match self {
            Self::Owner => "owner_auth",
            Self::StorageRoot => "storage_auth",
            Self::Key => "key_auth",
            Self::Nobody => "nothing",
        }
    }
}

/// One secret and whether the TPM refused it.
#[derive(Default)]
struct Secret {
    value: Option<Zeroizing<Vec<u8>>>,
    refused: bool,
}

impl Secret {
    fn new(value: Option<&Zeroizing<Vec<u8>>>) -> Self {
        let value = value.filter(|value| !value.is_empty()).cloned();
        Self {
            value,
            refused: false,
        }
    }
}

/// The secrets of one backend.
pub(crate) struct Authorization {
    owner: Secret,
    storage_root: Secret,
    key: Secret,
    nobody: Secret,
}

impl Authorization {
    pub(crate) fn new(config: &TpmConfig) -> Self {
        Self {
            owner: Secret::new(config.owner_auth.as_ref()),
            storage_root: Secret::new(config.storage_auth.as_ref()),
            key: Secret::new(config.key_auth.as_ref()),
            nobody: Secret::default(),
        }
    }

    const fn secret(&self, role: Role) -> &Secret {
        match role {
            Role::Owner => &self.owner,
            Role::StorageRoot => &self.storage_root,
            Role::Key => &self.key,
            Role::Nobody => &self.nobody,
        }
    }

    fn refuse(&mut self, role: Role) {
        match role {
            Role::Owner => self.owner.refused = true,
            Role::StorageRoot => self.storage_root.refused = true,
            Role::Key => self.key.refused = true,
            Role::Nobody => {}
        }
    }

    /// Whether there is any secret.
    pub(crate) const fn has_any(&self) -> bool {
        self.has(Role::Owner) || self.has(Role::StorageRoot) || self.has(Role::Key)
    }

    /// Whether there is a secret for `role`.
    pub(crate) const fn has(&self, role: Role) -> bool {
        self.secret(role).value.is_some()
    }

    /// The secret of `role` as the TPM takes it, or `None` for the empty one.
    pub(crate) fn auth(&self, role: Role) -> Result<Option<Auth>> {
        self.secret(role)
            .value
            .as_ref()
            .map(|value| Auth::try_from(value.as_slice()))
            .transpose()
            .map_err(|_| {
                let text = format!("{} is longer than {} bytes", role.option(), Auth::MAX_SIZE);
                Failure::stated(ErrorKind::PinIncorrect, text)
            })
    }
}

/// What protects a command. HMAC sessions are salted with a storage key where there is one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Session {
    /// An HMAC session of its own where there is a secret, else the empty password.
    IfSecret(Option<KeyHandle>),
    /// An HMAC session of its own, because a parameter is secret.
    Always(Option<KeyHandle>),
    /// A session that is open already and stays so.
    Kept(AuthSession),
}

impl Connection {
    /// Tells ESYS the secret of `role` for `handle`, so that sessions can prove it.
    pub(crate) fn set_auth(&mut self, handle: ObjectHandle, role: Role) -> Result<()> {
        let Some(auth) = self.authorization.auth(role)? else {
            return Ok(());
        };
        self.run("Esys_TR_SetAuth", |context| {
            context.tr_set_auth(handle, auth.clone())
        })
    }

    /// Makes ESYS forget the secret of `handle`, which it would free unwiped.
    pub(crate) fn forget_auth(&mut self, handle: ObjectHandle) {
        if let Some(context) = self.context_if_secret() {
            // A session has none to forget, and says so.
            let _ = context.tr_set_auth(handle, Auth::default());
        }
    }

    /// Runs a command that `role` has to authorize.
    pub(crate) fn authorized<T>(
        &mut self,
        role: Role,
        session: Session,
        command: &'static str,
        mut f: impl FnMut(&mut Context) -> tss_esapi::Result<T>,
    ) -> Result<T> {
        let given = self.authorization.has(role);
        if self.authorization.secret(role).refused {
            let code = None;
            return Err(Failure::Refused { role, given, code });
        }
        let result = match session {
            Session::Kept(session) => self.run(command, |context| {
                context.execute_with_session(Some(session), &mut f)
            }),
            Session::IfSecret(_) if !given => self.run(command, |context| {
                context.execute_with_session(Some(AuthSession::Password), &mut f)
            }),
            Session::IfSecret(salt) | Session::Always(salt) => {
                self.in_own_session(salt, command, &mut f)
            }
        };
        result.map_err(|failure| match failure.code() {
            Some(code) if code.is_auth() => {
                if given {
                    self.authorization.refuse(role);
                }
                let code = Some(code);
                Failure::Refused { role, given, code }
            }
            _ => failure,
        })
    }

    fn in_own_session<T>(
        &mut self,
        salt: Option<KeyHandle>,
        command: &'static str,
        mut f: impl FnMut(&mut Context) -> tss_esapi::Result<T>,
    ) -> Result<T> {
        let session = self.start_session(salt)?;
        let result = self.run(command, |context| {
            context.execute_with_session(Some(session), &mut f)
        });
        self.flush(SessionHandle::from(session).into());
        result
    }

    /// Starts an HMAC session that encrypts the first parameter of each command. Its key is
    /// salted with `salt`, whose Name the caller has checked.
    pub(crate) fn start_session(&mut self, salt: Option<KeyHandle>) -> Result<AuthSession> {
        let session = self.run("TPM2_StartAuthSession", |context| {
            context.start_auth_session(
                salt,
                None,
                None,
                SessionType::Hmac,
                SymmetricDefinition::AES_128_CFB,
                HashingAlgorithm::Sha256,
            )
        })?;
        let session = session.ok_or(Failure::senseless("TPM2_StartAuthSession"))?;
        let (attributes, mask) = SessionAttributesBuilder::new()
            .with_continue_session(true)
            .with_decrypt(true)
            .build();
        self.run("Esys_TRSess_SetAttributes", |context| {
            context.tr_sess_set_attributes(session, attributes, mask)
        })?;
        Ok(session)
    }
}
