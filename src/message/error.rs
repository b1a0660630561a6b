//! Why some bytes are no message.

use std::fmt;

use tokenbinding_backend::InvalidPublicKey;

use super::{FieldName, MAX_BINDINGS};

/// Where and why parsing stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Bytes from the start of the message to the field at fault.
    pub offset: usize,
    /// Which binding, counted from 0; `None` where the message itself is at fault.
    pub binding: Option<usize>,
    /// The field at fault.
    pub field: FieldName,
    /// What is wrong with it.
    pub kind: ParseErrorKind,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseErrorKind {
    /// The bytes end before the field does.
    #[error("{needed} bytes are needed and {left} are left: the message was cut short")]
    Truncated {
        /// Bytes of the field.
        needed: usize,
        /// Bytes that are there.
        left: usize,
    },
    /// Bytes follow where nothing may follow.
    #[error(
        "{count} bytes are left over after what it counts: it is wrong or something was appended"
    )]
    LeftOver {
        /// How many.
        count: usize,
    },
    /// The field has another length than its key parameters demand.
    #[error("it has {found} bytes and must have {expected}")]
    Length {
        /// Bytes that it must have, in words.
        expected: &'static str,
        /// Bytes that it has.
        found: usize,
    },
    /// The list of bindings is empty.
    #[error("the list is empty: a message holds at least one binding")]
    Empty,
    /// There are more bindings than anybody needs.
    #[error("more than {MAX_BINDINGS} bindings")]
    TooMany,
    /// A number starts with a zero byte.
    #[error("it starts with a zero byte, which must be left out")]
    LeadingZero,
    /// The public key is none.
    #[error(transparent)]
    PublicKey(InvalidPublicKey),
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(binding) = self.binding {
            write!(f, "binding {binding}, ")?;
        }
        write!(
            f,
            "{} at byte {}: {}",
            self.field.rfc_name(),
            self.offset,
            self.kind
        )
    }
}

impl std::error::Error for ParseError {}
