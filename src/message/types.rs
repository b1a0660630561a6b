//! The two one-octet enumerations of the grammar, open to values that are not registered.

use std::fmt;

use tokenbinding_backend::KeyType;

/// What a binding is for: `TokenBindingType` (RFC 8471 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenBindingType {
    /// The binding with the server the message goes to; octet 0.
    Provided,
    /// The binding with another server, which is to get a token; octet 1.
    Referred,
    /// Any other octet. Never 0 or 1.
    Other(u8),
}

impl TokenBindingType {
    /// The type of an octet.
    #[must_use]
    pub const fn from_octet(octet: u8) -> Self {
        match octet {
            0 => Self::Provided,
            1 => Self::Referred,
            other => Self::Other(other),
        }
    }

    /// The octet of a type.
    #[must_use]
    pub const fn octet(self) -> u8 {
        match self {
            Self::Provided => 0,
            Self::Referred => 1,
            Self::Other(other) => other,
        }
    }
}

/// `provided`, `referred` or `other:N`.
impl fmt::Display for TokenBindingType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provided => f.write_str("provided"),
            Self::Referred => f.write_str("referred"),
            Self::Other(octet) => write!(f, "other:{octet}"),
        }
    }
}

/// The kind of a key on the wire: `TokenBindingKeyParameters` (RFC 8471 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenBindingKeyParameters {
    /// A registered kind.
    Known(KeyType),
    /// An octet that RFC 8471 does not register. Never 0, 1 or 2.
    Unknown(u8),
}

impl TokenBindingKeyParameters {
    /// The parameters of an octet.
    #[must_use]
    pub const fn from_octet(octet: u8) -> Self {
        match KeyType::from_octet(octet) {
            Some(kind) => Self::Known(kind),
            None => Self::Unknown(octet),
        }
    }

    /// The octet of the parameters.
    #[must_use]
    pub const fn octet(self) -> u8 {
        match self {
            Self::Known(kind) => kind.octet(),
            Self::Unknown(octet) => octet,
        }
    }
}

/// The name in RFC 8471, or `unknown:N`.
impl fmt::Display for TokenBindingKeyParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(kind) => kind.fmt(f),
            Self::Unknown(octet) => write!(f, "unknown:{octet}"),
        }
    }
}
