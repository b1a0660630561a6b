//! What each provider is on this machine, without making anything.

use std::sync::Arc;

use tokenbinding_backend::{Backend, BackendInfo, KeyType, Nobody};

use crate::{
    Config, Error, ProviderChoice,
    provider::{Opening, opener},
};

/// What a provider is on this machine.
#[derive(Debug)]
pub struct ProviderStatus {
    /// Which provider.
    pub provider: ProviderChoice,
    /// How it is.
    pub state: ProviderState,
}

/// How a provider is.
#[derive(Debug)]
pub enum ProviderState {
    /// It can be used.
    Usable {
        /// What it is.
        info: BackendInfo,
        /// The key types that it can make.
        key_types: Vec<KeyType>,
        /// What else a person may want to know, by name.
        details: Vec<(&'static str, String)>,
    },
    /// It can be used, and is made when it is first used.
    MadeAtFirstUse,
    /// It is not configured.
    NotConfigured {
        /// What to do to use it.
        remedy: &'static str,
    },
    /// It cannot be used; the error says why and what to do about it.
    Unusable(Error),
}

impl ProviderState {
    /// Whether it can be used.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        matches!(self, Self::Usable { .. } | Self::MadeAtFirstUse)
    }
}

/// Tells how each provider is, in the order in which `auto` looks for one.
#[must_use]
pub fn survey(config: &Config) -> Vec<ProviderStatus> {
    [
        ProviderChoice::Tpm,
        ProviderChoice::Pkcs11,
        ProviderChoice::Software,
    ]
    .map(|provider| ProviderStatus {
        provider,
        state: state(provider, config),
    })
    .into()
}

fn state(provider: ProviderChoice, config: &Config) -> ProviderState {
    let opening = Opening {
        config: config.clone(),
        callbacks: Arc::new(Nobody),
        map: None,
    };
    let Some(open) = opener(provider, &opening) else {
        return ProviderState::Unusable(Error::NotBuiltIn { provider });
    };
    if provider == ProviderChoice::Pkcs11 && config.pkcs11.uri.is_none() {
        return ProviderState::NotConfigured {
            remedy: "name a token with --pkcs11-uri or TOKENBINDING_PKCS11_URI",
        };
    }
    #[cfg(feature = "software")]
    if provider == ProviderChoice::Software && crate::provider::software::would_be_made(config) {
        return ProviderState::MadeAtFirstUse;
    }
    open()
        .and_then(|backend| describe(&*backend))
        .unwrap_or_else(ProviderState::Unusable)
}

fn describe(backend: &dyn Backend) -> Result<ProviderState, Error> {
    Ok(ProviderState::Usable {
        info: backend.info().clone(),
        key_types: backend.key_types().to_vec(),
        details: backend.details()?,
    })
}
