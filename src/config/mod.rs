//! The configuration: TOML files, environment and options, each over the ones before.

mod paths;

use std::{ffi::OsString, fmt, io, path::PathBuf, str::FromStr};

use serde::{Deserialize, Deserializer, de};
use tokenbinding_backend::{
    Profile,
    environment::variable,
    private::{self, PrivateError},
};
use zeroize::Zeroizing;

use crate::ScopeRule;

pub use self::paths::{NoHome, default_store};

/// The most bytes of a configuration file.
const MAX_CONFIG_LEN: usize = 64 * 1024;
/// The environment variable of the PIN or passphrase.
const PIN: &str = "TOKENBINDING_PIN";

/// What a [`Binder`](crate::Binder) is opened with. Whatever is `None` has its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Which provider holds the keys. Default: `auto`.
    pub provider: Option<ProviderChoice>,
    /// The folder of the key map and the software keystore. Default: `tokenbinding` in the user's
    /// data folder (`$XDG_DATA_HOME`).
    pub store: Option<PathBuf>,
    /// Whose keys. Default: `default`.
    #[serde(deserialize_with = "profile")]
    pub profile: Option<Profile>,
    /// How far a key reaches. Default: `site`.
    pub scope: Option<ScopeRule>,
    /// Whether each signature is checked before it leaves the library. Default: on, except for the
    /// software keystore.
    pub verify_after_sign: Option<bool>,
    /// A file that holds the PIN or passphrase and that only its owner may read. Without it the
    /// environment variable `TOKENBINDING_PIN` is taken, which goes over configuration files
    /// ([`load`](Self::load)).
    pub pin_file: Option<PathBuf>,
    /// The software keystore.
    pub software: SoftwareConfig,
    /// The TPM.
    pub tpm: TpmConfig,
    /// The PKCS#11 token.
    pub pkcs11: Pkcs11Config,
}

/// What the software keystore is opened with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SoftwareConfig {
    /// Where the master comes from. Default: `file`.
    pub master: Option<MasterKind>,
    /// The file of the master or of what belongs to its passphrase. Default: in the store; for a
    /// credential, `tokenbinding-master` in `$CREDENTIALS_DIRECTORY`.
    pub file: Option<PathBuf>,
}

/// Where the master of the software keystore comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MasterKind {
    /// A file of random bytes, made at first use.
    #[default]
    File,
    /// A passphrase.
    Passphrase,
    /// A file that the service manager hands over.
    Credential,
}

/// What the TPM is opened with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TpmConfig {
    /// How it is reached, as tpm2-tools spells it: `device:/dev/tpmrm0`.
    pub tcti: Option<String>,
    /// How P-256 keys are made. Default: `derived`.
    pub p256: Option<P256KeysChoice>,
    /// A file with the authorization of the owner hierarchy. Default: the empty one.
    pub owner_auth_file: Option<PathBuf>,
    /// A file with the authorization of the storage root at 0x81000001. Default: the empty one.
    pub storage_auth_file: Option<PathBuf>,
    /// A file with the authorization that keys get and are used with. Default: the empty one.
    pub key_auth_file: Option<PathBuf>,
}

/// How a TPM makes P-256 keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum P256KeysChoice {
    /// Derived from the owner hierarchy's seed and a stored salt.
    #[default]
    Derived,
    /// Made at random and stored wrapped by the storage root.
    Wrapped,
}

/// What the PKCS#11 token is opened with.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pkcs11Config {
    /// Which token of which module, by RFC 7512. It may hold the PIN, so it is wiped.
    pub uri: Option<Zeroizing<String>>,
    /// Whether the PIN is sent even when one wrong PIN more locks the token. Default: no.
    pub try_final_pin: Option<bool>,
    /// Whether the person is told to touch the token before each signature. Default: no.
    pub touch: Option<bool>,
}

/// Without the URI's query, which may hold the PIN (`pin-value`).
impl fmt::Debug for Pkcs11Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let without_query = |uri: &String| uri.split('?').next().unwrap_or_default().to_owned();
        f.debug_struct("Pkcs11Config")
            .field("uri", &self.uri.as_deref().map(without_query))
            .field("try_final_pin", &self.try_final_pin)
            .field("touch", &self.touch)
            .finish()
    }
}

/// Which provider holds the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ProviderChoice {
    /// A TPM if one is reachable, else a PKCS#11 token if one is configured, else software.
    #[default]
    Auto,
    /// The software keystore.
    Software,
    /// The TPM 2.0.
    Tpm,
    /// The PKCS#11 token.
    Pkcs11,
}

impl ProviderChoice {
    /// Every choice.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Software, Self::Tpm, Self::Pkcs11];

    /// `auto`, `software`, `tpm` or `pkcs11`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Software => "software",
            Self::Tpm => "tpm",
            Self::Pkcs11 => "pkcs11",
        }
    }
}

impl fmt::Display for ProviderChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no provider's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown provider {0:?}: use auto, software, tpm or pkcs11")]
pub struct UnknownProvider(pub String);

impl FromStr for ProviderChoice {
    type Err = UnknownProvider;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|choice| choice.name() == name)
            .ok_or_else(|| UnknownProvider(name.to_owned()))
    }
}

impl<'de> Deserialize<'de> for ProviderChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

fn profile<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Profile>, D::Error> {
    let name = String::deserialize(deserializer)?;
    name.parse().map(Some).map_err(de::Error::custom)
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file cannot be read, or others may change it.
    #[error("configuration: {0}")]
    File(#[from] PrivateError),
    /// A file is not what a configuration is.
    #[error("configuration {path:?}: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong and where, on one line.
        message: String,
    },
    /// An environment variable has no value that it may have.
    #[error("{variable}: {message}")]
    Variable {
        /// The variable.
        variable: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// There is no place for the store.
    #[error(transparent)]
    NoHome(#[from] NoHome),
}

impl Config {
    /// Reads the configuration of this machine, user and process: `/etc/tokenbinding/config.toml`,
    /// then `tokenbinding/config.toml` in the user's configuration folder (`$XDG_CONFIG_HOME`),
    /// then the file that `TOKENBINDING_CONFIG` names, then `TOKENBINDING_PROVIDER`,
    /// `TOKENBINDING_STORE` and `TOKENBINDING_PKCS11_URI` (→ `pkcs11.uri`). Each goes over the ones
    /// before; the first two files need not exist, and an empty variable counts for none. A process
    /// with more rights than whoever started it (`AT_SECURE`) takes nothing from the environment.
    /// `TOKENBINDING_PIN` goes over the `pin_file` of the files.
    ///
    /// # Errors
    /// [`ConfigError`] for a file that others may change or that is not understood to the last key.
    pub fn load() -> Result<Self, ConfigError> {
        Self::load_with(variable("TOKENBINDING_CONFIG").map(PathBuf::from))
    }

    /// Like [`load`](Self::load), with `file` in place of the one that `TOKENBINDING_CONFIG` names.
    ///
    /// # Errors
    /// As for [`load`](Self::load).
    pub fn load_with(file: Option<PathBuf>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        for path in paths::config_files() {
            match Self::read(path) {
                Err(ConfigError::File(error)) if is_missing(&error) => (),
                read => config = config.overlaid_with(read?),
            }
        }
        if let Some(path) = file {
            config = config.overlaid_with(Self::read(path)?);
        }
        if variable(PIN).is_some() {
            config.pin_file = None;
        }
        Ok(config.overlaid_with(Self::from_environment()?))
    }

    /// Reads one file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: PathBuf) -> Result<Self, ConfigError> {
        let bytes = private::read_trusted(&path, MAX_CONFIG_LEN)?;
        match Self::parse(&bytes) {
            Ok(config) => Ok(config),
            Err(message) => Err(ConfigError::Syntax { path, message }),
        }
    }

    /// Understands the bytes of a configuration file; the error says what is wrong on one line.
    ///
    /// # Errors
    /// What is wrong with the bytes and where.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = str::from_utf8(bytes).map_err(|error| error.to_string())?;
        toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = 1 + text.as_bytes()[..start]
                .iter()
                .filter(|b| **b == b'\n')
                .count();
            let message = error.message().replace('\n', " ");
            format!("line {line}: {message}")
        })
    }

    fn from_environment() -> Result<Self, ConfigError> {
        const PROVIDER: &str = "TOKENBINDING_PROVIDER";
        let provider = text_variable(PROVIDER)?.map(|name| {
            let choice = name.parse();
            choice.map_err(|error: UnknownProvider| ConfigError::Variable {
                variable: PROVIDER,
                message: error.to_string(),
            })
        });
        Ok(Self {
            provider: provider.transpose()?,
            store: variable("TOKENBINDING_STORE").map(PathBuf::from),
            pkcs11: Pkcs11Config {
                uri: text_variable("TOKENBINDING_PKCS11_URI")?.map(Zeroizing::new),
                ..Pkcs11Config::default()
            },
            ..Self::default()
        })
    }

    /// This configuration with everything that `over` sets in its place.
    #[must_use]
    pub fn overlaid_with(self, over: Self) -> Self {
        Self {
            provider: over.provider.or(self.provider),
            store: over.store.or(self.store),
            profile: over.profile.or(self.profile),
            scope: over.scope.or(self.scope),
            verify_after_sign: over.verify_after_sign.or(self.verify_after_sign),
            pin_file: over.pin_file.or(self.pin_file),
            software: SoftwareConfig {
                master: over.software.master.or(self.software.master),
                file: over.software.file.or(self.software.file),
            },
            tpm: TpmConfig {
                tcti: over.tpm.tcti.or(self.tpm.tcti),
                p256: over.tpm.p256.or(self.tpm.p256),
                owner_auth_file: over.tpm.owner_auth_file.or(self.tpm.owner_auth_file),
                storage_auth_file: over.tpm.storage_auth_file.or(self.tpm.storage_auth_file),
                key_auth_file: over.tpm.key_auth_file.or(self.tpm.key_auth_file),
            },
            pkcs11: Pkcs11Config {
                uri: over.pkcs11.uri.or(self.pkcs11.uri),
                try_final_pin: over.pkcs11.try_final_pin.or(self.pkcs11.try_final_pin),
                touch: over.pkcs11.touch.or(self.pkcs11.touch),
            },
        }
    }

    /// The folder of the store.
    ///
    /// # Errors
    /// [`NoHome`] when neither the configuration nor the environment names one.
    pub fn store_dir(&self) -> Result<PathBuf, NoHome> {
        self.store.clone().map_or_else(default_store, Ok)
    }

    /// The PIN or passphrase, if one is configured: the first line of [`pin_file`](Self::pin_file),
    /// or `TOKENBINDING_PIN`.
    ///
    /// # Errors
    /// [`ConfigError`] when the file cannot be read, others may read it, or it is no text.
    pub fn pin(&self) -> Result<Option<Zeroizing<String>>, ConfigError> {
        let Some(path) = &self.pin_file else {
            return Ok(text_variable(PIN)?.map(Zeroizing::new));
        };
        Ok(Some(private::read_pin(path)?))
    }
}

/// An environment variable that is text. The error does not show it: it may be a PIN.
fn text_variable(name: &'static str) -> Result<Option<String>, ConfigError> {
    let text = variable(name).map(OsString::into_string).transpose();
    text.map_err(|_| ConfigError::Variable {
        variable: name,
        message: "it is not UTF-8".to_owned(),
    })
}

/// Whether there is no such file, also because there is no such folder (`HOME=/dev/null`).
fn is_missing(error: &PrivateError) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    matches!(error, PrivateError::Io { source, .. } if matches!(source.kind(), NotFound | NotADirectory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pin_of_a_uri_is_shown() {
        let config = Config::parse(
            b"[pkcs11]\nuri = 'pkcs11:token=work?module-path=/m.so&pin-value=123456'",
        );
        let shown = format!("{:?}", config.unwrap());
        assert!(
            shown.contains("token=work") && !shown.contains("123456"),
            "{shown}"
        );
    }

    #[test]
    fn a_whole_configuration_is_understood() {
        let config = Config::parse(
            br#"
            provider = "tpm"
            store = "/var/lib/x"
            profile = "work"
            scope = "host"
            verify_after_sign = false
            pin_file = "/run/pin"
            [software]
            master = "passphrase"
            file = "/var/lib/y"
            [tpm]
            tcti = "device:/dev/tpmrm0"
            [pkcs11]
            uri = "pkcs11:token=x"
            "#,
        )
        .unwrap();
        assert_eq!(config.provider, Some(ProviderChoice::Tpm));
        assert_eq!(config.profile, Some("work".parse().unwrap()));
        assert_eq!(config.software.master, Some(MasterKind::Passphrase));
        assert_eq!(config.pkcs11.uri, Some("pkcs11:token=x".to_owned().into()));
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_line() {
        for (text, says) in [
            ("\nprovidr = 'tpm'", "line 2: unknown field `providr`"),
            ("provider = 'usb'", "use auto, software, tpm or pkcs11"),
            ("profile = 'a b'", "is not a name"),
            ("[tpm]\nx = 1", "line 2: unknown field `x`"),
            ("scope = 'world'", "unknown variant `world`"),
            ("store = ", "line 1"),
            ("\u{0}", "line 1"),
        ] {
            let message = Config::parse(text.as_bytes()).unwrap_err();
            assert!(message.contains(says), "{text:?}: {message}");
            assert!(!message.contains('\n'));
        }
        assert!(Config::parse(b"\xff").is_err());
    }

    #[test]
    fn a_later_layer_wins_where_it_says_something() {
        let base = Config::parse(b"provider = 'tpm'\nprofile = 'a'\n[tpm]\ntcti = 'x'").unwrap();
        let over = Config::parse(b"profile = 'b'\n[pkcs11]\nuri = 'pkcs11:'").unwrap();
        let both = base.overlaid_with(over);
        assert_eq!(both.provider, Some(ProviderChoice::Tpm));
        assert_eq!(both.profile, Some("b".parse().unwrap()));
        assert_eq!(both.tpm.tcti.as_deref(), Some("x"));
        assert_eq!(both.pkcs11.uri, Some("pkcs11:".to_owned().into()));
    }
}
