//! The providers that a binder may use, and which of them holds new keys.
//!
//! A provider is opened when it is first needed, so that looking at the key map needs no device.

#[cfg(feature = "pkcs11")]
mod pkcs11;
#[cfg(feature = "software")]
pub(crate) mod software;
#[cfg(feature = "tpm")]
mod tpm;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use tokenbinding_backend::{Backend, Callbacks, ErrorKind};

use crate::{Config, Error, ProviderChoice, key_map::KeyMap};

/// Opens a provider's device.
pub(crate) type Open = Box<dyn Fn() -> Result<Arc<dyn Backend>, Error> + Send + Sync>;

/// What a provider is opened with.
#[derive(Clone)]
#[allow(
    dead_code,
    reason = "each provider takes what it needs, and a build may lack any"
)]
pub(crate) struct Opening {
    pub(crate) config: Config,
    /// Who is asked for PINs.
    pub(crate) callbacks: Arc<dyn Callbacks>,
    /// The key map, where there is one already.
    pub(crate) map: Option<Arc<KeyMap>>,
}

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

/// The providers of a binder, in the order in which a device for new keys is looked for.
pub(crate) struct Providers {
    providers: Vec<Provider>,
    /// Whether nobody named one of them.
    automatic: bool,
    /// The one that makes new keys, once it was looked for.
    main: Mutex<Option<Arc<dyn Backend>>>,
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.providers.iter().map(|provider| provider.name);
        f.debug_list().entries(names).finish()
    }
}

impl Providers {
    /// One device and no other.
    pub(crate) fn only(main: Arc<dyn Backend>) -> Self {
        let again = Arc::clone(&main);
        let open: Open = Box::new(move || Ok(Arc::clone(&again)));
        Self {
            providers: vec![Provider::new(main.info().name, open)],
            automatic: false,
            main: Mutex::new(Some(main)),
        }
    }

    /// The providers that a configuration asks for. A named one never gives way to another.
    pub(crate) fn of(opening: &Opening) -> Result<Self, Error> {
        let choice = opening.config.provider.unwrap_or_default();
        let token = opening.config.pkcs11.uri.is_some();
        let choices = match choice {
            ProviderChoice::Auto if token => &AUTOMATIC[..],
            ProviderChoice::Auto => &AUTOMATIC_WITHOUT_TOKEN,
            ref named => std::slice::from_ref(named),
        };
        let mut providers = Vec::new();
        for &provider in choices {
            match opener(provider, opening) {
                Some(open) => providers.push(Provider::new(provider.name(), open)),
                // Whoever named it, or configured a token, wants its keys and no others.
                None if provider == choice || provider == ProviderChoice::Pkcs11 => {
                    return Err(Error::NotBuiltIn { provider });
                }
                None => (),
            }
        }
        Ok(Self {
            providers,
            automatic: choice == ProviderChoice::Auto,
            main: Mutex::default(),
        })
    }

    /// The device that makes new keys: the first that can be used.
    pub(crate) fn main(&self) -> Result<Arc<dyn Backend>, Error> {
        let mut main = self.main.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(backend) = &*main {
            return Ok(Arc::clone(backend));
        }
        let backend = self.choose()?;
        *main = Some(Arc::clone(&backend));
        Ok(backend)
    }

    /// Lets go of every open device, because one of them turned out to be another than it was. Keys
    /// that are open keep theirs.
    pub(crate) fn reopen(&self) {
        *self.main.lock().unwrap_or_else(PoisonError::into_inner) = None;
        for provider in &self.providers {
            *provider
                .opened
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    fn choose(&self) -> Result<Arc<dyn Backend>, Error> {
        for provider in &self.providers {
            match provider.backend() {
                Ok(backend) => {
                    if self.automatic && provider.name == ProviderChoice::Software.name() {
                        tracing::warn!(
                            "keys are kept in software: no TPM can be used and no PKCS#11 token is \
                             configured (--provider software says that this is meant)"
                        );
                    }
                    return Ok(backend);
                }
                Err(error) if self.automatic && is_absent_tpm(provider, &error) => {
                    tracing::info!(%error, "no TPM is used");
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::NoProvider)
    }

    /// The device of the provider `name`; `None` when it is not one of these.
    pub(crate) fn named(&self, name: &str) -> Option<Result<Arc<dyn Backend>, Error>> {
        let provider = self
            .providers
            .iter()
            .find(|provider| provider.name == name)?;
        Some(provider.backend())
    }

    /// The device of each provider whose name is `wanted`, or why it cannot be used.
    pub(crate) fn each(
        &self,
        wanted: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = (&'static str, Result<Arc<dyn Backend>, Error>)> {
        self.providers
            .iter()
            .filter(move |provider| wanted(provider.name))
            .map(|provider| (provider.name, provider.backend()))
    }
}

/// The order in which `auto` looks for a device.
const AUTOMATIC: [ProviderChoice; 3] = [
    ProviderChoice::Tpm,
    ProviderChoice::Pkcs11,
    ProviderChoice::Software,
];
const AUTOMATIC_WITHOUT_TOKEN: [ProviderChoice; 2] =
    [ProviderChoice::Tpm, ProviderChoice::Software];

/// Whether there is no TPM for this user. A TPM that is busy or locked is there: whoever can make it
/// so must not be able to move new keys into software.
fn is_absent_tpm(provider: &Provider, error: &Error) -> bool {
    provider.name == ProviderChoice::Tpm.name() && is_absent(error)
}

/// Whether a device is out of reach for this user, as opposed to failing.
pub(crate) fn is_absent(error: &Error) -> bool {
    let Error::Backend(error) = error else {
        return false;
    };
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Denied)
}

/// What opens a provider; `None` when this build has not got it.
pub(crate) fn opener(choice: ProviderChoice, opening: &Opening) -> Option<Open> {
    match choice {
        #[cfg(feature = "software")]
        ProviderChoice::Software => Some(software::opener(opening.clone())),
        #[cfg(feature = "tpm")]
        ProviderChoice::Tpm => Some(tpm::opener(opening.clone())),
        #[cfg(feature = "pkcs11")]
        ProviderChoice::Pkcs11 => Some(pkcs11::opener(opening.clone())),
        _ => {
            // Not used by a build without providers.
            let _ = opening;
            None
        }
    }
}
