//! The providers that a binder may use, and which of them holds new keys.

#[cfg(feature = "software")]
pub(crate) mod software;
#[cfg(feature = "tpm")]
mod tpm;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use tokenbinding_backend::Backend;

use crate::{Config, Error, ProviderChoice};

/// Opens a provider's device.
pub(crate) type Open = Box<dyn Fn() -> Result<Arc<dyn Backend>, Error> + Send + Sync>;

/// A provider that is opened when it is first needed.
struct Provider {
    name: &'static str,
    open: Open,
    opened: Mutex<Option<Arc<dyn Backend>>>,
}

impl Provider {
    fn new(name: &'static str, open: Open) -> Self {
        Self {
            name,
            open,
            opened: Mutex::default(),
        }
    }

    /// The open device. A failure is not remembered: the device may come.
    fn backend(&self) -> Result<Arc<dyn Backend>, Error> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(backend) = &*opened {
            return Ok(Arc::clone(backend));
        }
        let backend = (self.open)()?;
        *opened = Some(Arc::clone(&backend));
        Ok(backend)
    }
}

/// The providers of a binder: one that makes new keys, and others whose keys may be used.
pub(crate) struct Providers {
    main: Arc<dyn Backend>,
    others: Vec<Provider>,
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others: Vec<_> = self.others.iter().map(|provider| provider.name).collect();
        f.debug_struct("Providers")
            .field("main", &self.main.info().name)
            .field("others", &others)
            .finish()
    }
}

impl Providers {
    /// One device and no other.
    pub(crate) const fn only(main: Arc<dyn Backend>) -> Self {
        Self {
            main,
            others: Vec::new(),
        }
    }

    /// The providers that a configuration asks for. A named one never gives way to another.
    pub(crate) fn open(config: &Config) -> Result<Self, Error> {
        let choice = config.provider.unwrap_or_default();
        if choice != ProviderChoice::Auto {
            let open = opener(choice, config).ok_or(Error::NotBuiltIn { provider: choice })?;
            return Ok(Self::only(open()?));
        }
        let mut others = Vec::new();
        let mut main = None;
        for choice in automatic(config) {
            let Some(open) = opener(choice, config) else {
                continue;
            };
            let provider = Provider::new(choice.name(), open);
            if main.is_none() {
                match provider.backend() {
                    Ok(backend) => {
                        main = Some(backend);
                        continue;
                    }
                    // Whoever configured a token wants its keys, not others in their place.
                    Err(error) if choice != ProviderChoice::Tpm => return Err(error),
                    Err(error) => tracing::info!(%error, "no TPM is used"),
                }
            }
            others.push(provider);
        }
        let main = main.ok_or(Error::NoProvider)?;
        if main.info().name == ProviderChoice::Software.name() {
            tracing::warn!(
                "keys are kept in software: no TPM is reachable and no PKCS#11 token is configured \
                 (--provider software says that this is meant)"
            );
        }
        Ok(Self { main, others })
    }

    /// The device that makes new keys.
    pub(crate) fn main(&self) -> &Arc<dyn Backend> {
        &self.main
    }

    /// The device of the provider `name`; `None` when it is not one of these.
    pub(crate) fn named(&self, name: &str) -> Option<Result<Arc<dyn Backend>, Error>> {
        if self.main.info().name == name {
            return Some(Ok(Arc::clone(&self.main)));
        }
        let provider = self.others.iter().find(|provider| provider.name == name)?;
        Some(provider.backend())
    }
}

/// The order in which `auto` looks for a device.
fn automatic(config: &Config) -> impl Iterator<Item = ProviderChoice> {
    let token = config
        .pkcs11
        .uri
        .is_some()
        .then_some(ProviderChoice::Pkcs11);
    [
        Some(ProviderChoice::Tpm),
        token,
        Some(ProviderChoice::Software),
    ]
    .into_iter()
    .flatten()
}

/// What opens a provider by its configuration; `None` when this build has not got it.
pub(crate) fn opener(choice: ProviderChoice, config: &Config) -> Option<Open> {
    match choice {
        #[cfg(feature = "software")]
        ProviderChoice::Software => Some(software::opener(config.clone())),
        #[cfg(feature = "tpm")]
        ProviderChoice::Tpm => Some(tpm::opener(config.clone())),
        _ => {
            // Not used by a build without providers.
            let _ = config;
            None
        }
    }
}
