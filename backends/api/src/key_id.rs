//! Which key is meant: a profile, a scope, and the name a device knows the pair by.

use std::{fmt, str::FromStr};

use sha2::{Digest as _, Sha256};

use crate::KeyType;

/// Separates our hashes from everybody else's.
const DOMAIN_TAG: &[u8] = b"tokenbinding key name v1\0";

/// Whose keys: keys of different profiles are never the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Profile {
    /// Keys that last, under this name of 1 to 64 letters, digits, `.`, `_` or `-`.
    Durable(Box<str>),
    /// Keys for private browsing: nothing is written, and they are gone when the process ends
    /// (RFC 8471 §8, RFC 8473 §8).
    Ephemeral,
}

impl Profile {
    const EPHEMERAL: &str = "ephemeral";
    const MAX_LEN: usize = 64;

    /// Its name; `ephemeral` for the ephemeral one.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Durable(name) => name,
            Self::Ephemeral => Self::EPHEMERAL,
        }
    }

    /// Whether its keys die with the process.
    #[must_use]
    pub const fn is_ephemeral(&self) -> bool {
        matches!(self, Self::Ephemeral)
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::Durable("default".into())
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no profile can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "profile {name:?} is not a name of 1 to 64 letters, digits, '.', '_' or '-'{}",
    spelling(.0),
    name = .0
)]
pub struct InvalidProfile(pub String);

/// What to do about a name that looks like the ephemeral one, and would keep its keys.
fn spelling(name: &str) -> &'static str {
    if name.eq_ignore_ascii_case(Profile::EPHEMERAL) {
        ": write `ephemeral` in lower case"
    } else {
        ""
    }
}

impl FromStr for Profile {
    type Err = InvalidProfile;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name == Self::EPHEMERAL {
            return Ok(Self::Ephemeral);
        }
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let sound = (1..=Self::MAX_LEN).contains(&name.len()) && name.bytes().all(allowed);
        if !sound || name.eq_ignore_ascii_case(Self::EPHEMERAL) {
            return Err(InvalidProfile(name.to_owned()));
        }
        Ok(Self::Durable(name.into()))
    }
}

/// Which key pair is meant, apart from its type: a profile and a scope.
///
/// The scope is opaque here; the library derives it from a target URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyId {
    profile: Profile,
    scope: Box<str>,
}

impl KeyId {
    /// The keys of `scope` in `profile`.
    pub fn new(profile: Profile, scope: impl Into<Box<str>>) -> Self {
        Self {
            profile,
            scope: scope.into(),
        }
    }

    /// The profile.
    #[must_use]
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The scope, in the library's own spelling. Devices may show it as a label.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Whether the key must be gone when the process ends.
    #[must_use]
    pub const fn is_ephemeral(&self) -> bool {
        self.profile.is_ephemeral()
    }

    /// The fixed-size name of the pair of type `kind`: SHA-256 over a domain tag, both names with
    /// their lengths (32-bit, big-endian), and the type's octet.
    #[must_use]
    pub fn name(&self, kind: KeyType) -> KeyName {
        let mut hash = Sha256::new();
        hash.update(DOMAIN_TAG);
        for part in [self.profile.name(), &self.scope] {
            hash.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            hash.update(part);
        }
        hash.update([u8::from(self.is_ephemeral()), kind.octet()]);
        KeyName(hash.finalize().into())
    }
}

/// The 32-byte name of one key pair: a hash of its [`KeyId`] and [`KeyType`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyName([u8; 32]);

impl KeyName {
    /// The bytes, for a device that names objects by bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub(crate) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_profile_scope_and_type_apart() {
        let profile = |name: &str| name.parse::<Profile>().expect("a good name");
        let name = |p: &str, s: &str, k| KeyId::new(profile(p), s).name(k);
        let base = name("ab", "c", KeyType::EcdsaP256);
        assert_eq!(base, name("ab", "c", KeyType::EcdsaP256));
        assert_ne!(base, name("a", "bc", KeyType::EcdsaP256));
        assert_ne!(base, name("ab", "d", KeyType::EcdsaP256));
        assert_ne!(base, name("ab", "c", KeyType::Rsa2048Pss));
    }

    #[test]
    fn a_profile_has_a_plain_name() {
        assert_eq!("ephemeral".parse(), Ok(Profile::Ephemeral));
        assert_eq!("default".parse(), Ok(Profile::default()));
        for bad in ["", "a/b", "a b", "..\0", &"x".repeat(65), "Ephemeral"] {
            assert!(bad.parse::<Profile>().is_err(), "{bad:?}");
        }
    }
}
