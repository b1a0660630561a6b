//! The encoder: from structures to bytes.

use tokenbinding_backend::Signature;

use super::{
    MAX_BINDINGS, ParseError, TbExtensions, TokenBinding, TokenBindingId, TokenBindingMessage,
    TokenBindingType,
};

/// Why a list of bindings makes no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// There are none.
    #[error("a message needs at least one binding")]
    Empty,
    /// There are too many.
    #[error("a message holds at most {MAX_BINDINGS} bindings, not {count}")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// One of them is no binding.
    #[error("part {index} is no binding: {error}")]
    Binding {
        /// Which one, counted from 0.
        index: usize,
        /// What is wrong with it.
        error: ParseError,
    },
    /// Together they are too long.
    #[error("the bindings have {length} bytes together and a message holds at most 65535")]
    TooLong {
        /// Bytes of all bindings.
        length: usize,
    },
}

/// Encodes one `TokenBinding` with its extensions.
#[must_use]
pub fn encode_token_binding(
    binding_type: TokenBindingType,
    id: &TokenBindingId,
    signature: &Signature,
    extensions: TbExtensions<'_>,
) -> Vec<u8> {
    encode(
        binding_type,
        id.as_bytes(),
        signature.as_bytes(),
        extensions,
    )
}

fn encode(
    binding_type: TokenBindingType,
    id: &[u8],
    signature: &[u8],
    extensions: TbExtensions<'_>,
) -> Vec<u8> {
    let extensions = extensions.as_bytes();
    let mut bytes = Vec::with_capacity(1 + id.len() + 4 + signature.len() + extensions.len());
    bytes.push(binding_type.octet());
    bytes.extend(id);
    extend_vector(&mut bytes, signature);
    extend_vector(&mut bytes, extensions);
    bytes
}

/// Appends an opaque vector with its length of two bytes. Neither a signature nor a parsed block
/// of extensions is longer than such a length can tell.
fn extend_vector(bytes: &mut Vec<u8>, content: &[u8]) {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    bytes.extend(length.to_be_bytes());
    bytes.extend(&content[..length.into()]);
}

/// Encodes the message of 1 to 16 encoded bindings, length prefix included.
///
/// # Errors
/// [`EncodeError`] when the bindings are not 1 to 16 in number, do not fit into 65535 bytes, or one
/// of them is not exactly one well-formed `TokenBinding`.
pub fn encode_message<B: AsRef<[u8]>>(token_bindings: &[B]) -> Result<Vec<u8>, EncodeError> {
    let count = token_bindings.len();
    if count == 0 {
        return Err(EncodeError::Empty);
    }
    if count > MAX_BINDINGS {
        return Err(EncodeError::TooMany { count });
    }
    let length = token_bindings
        .iter()
        .map(|binding| binding.as_ref().len())
        .sum();
    let prefix = u16::try_from(length).map_err(|_| EncodeError::TooLong { length })?;
    let mut message = Vec::with_capacity(2 + length);
    message.extend(prefix.to_be_bytes());
    for (index, binding) in token_bindings.iter().enumerate() {
        TokenBinding::parse(binding.as_ref())
            .map_err(|error| EncodeError::Binding { index, error })?;
        message.extend(binding.as_ref());
    }
    Ok(message)
}

impl TokenBinding<'_> {
    /// The bytes that this binding was parsed from.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(self.binding_type, self.id, self.signature, self.extensions)
    }
}

impl TokenBindingMessage<'_> {
    /// The bytes that this message was parsed from.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let bindings: Vec<u8> = self
            .token_bindings()
            .iter()
            .flat_map(TokenBinding::encode)
            .collect();
        let mut message = Vec::with_capacity(2 + bindings.len());
        extend_vector(&mut message, &bindings);
        message
    }
}
