//! A parsed message and its parts, borrowed from the bytes they were parsed from.

use tokenbinding_backend::PublicKey;

use super::{TokenBindingId, TokenBindingKeyParameters, TokenBindingType};

/// `TokenBindingMessage` (RFC 8471 §3.1): 1 to 16 bindings that are well-formed. Nothing is said
/// of their signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBindingMessage<'a> {
    token_bindings: Vec<TokenBinding<'a>>,
}

impl<'a> TokenBindingMessage<'a> {
    pub(super) const fn new(token_bindings: Vec<TokenBinding<'a>>) -> Self {
        Self { token_bindings }
    }

    /// The bindings, in the order of the message.
    #[must_use]
    pub fn token_bindings(&self) -> &[TokenBinding<'a>] {
        &self.token_bindings
    }
}

/// `TokenBinding` (RFC 8471 §3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBinding<'a> {
    pub(super) binding_type: TokenBindingType,
    pub(super) key_parameters: TokenBindingKeyParameters,
    pub(super) public_key: Option<PublicKey>,
    pub(super) id: &'a [u8],
    pub(super) signature: &'a [u8],
    pub(super) extensions: TbExtensions<'a>,
}

impl<'a> TokenBinding<'a> {
    /// What the binding is for.
    #[must_use]
    pub const fn binding_type(&self) -> TokenBindingType {
        self.binding_type
    }

    /// The kind of its key.
    #[must_use]
    pub const fn key_parameters(&self) -> TokenBindingKeyParameters {
        self.key_parameters
    }

    /// Its public key; `None` where the parameters are unknown.
    #[must_use]
    pub const fn public_key(&self) -> Option<&PublicKey> {
        self.public_key.as_ref()
    }

    /// Its `TokenBindingID`: parameters, length and public key.
    #[must_use]
    pub fn id(&self) -> TokenBindingId {
        TokenBindingId::of_sound_bytes(self.id)
    }

    /// The bytes of its `TokenBindingID`.
    #[must_use]
    pub const fn id_bytes(&self) -> &'a [u8] {
        self.id
    }

    /// Its signature: 64 bytes for ecdsap256, 256 for RSA, 64 or more where the parameters are
    /// unknown.
    #[must_use]
    pub const fn signature(&self) -> &'a [u8] {
        self.signature
    }

    /// Its extensions. The signature does not cover them.
    #[must_use]
    pub const fn extensions(&self) -> TbExtensions<'a> {
        self.extensions
    }
}

/// The block `TB_Extension extensions<0..2^16-1>`, well-formed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TbExtensions<'a>(&'a [u8]);

/// `TB_Extension` (RFC 8471 §3.1). No type is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TbExtension<'a> {
    /// `extension_type`.
    pub extension_type: u8,
    /// `extension_data`, 0 to 2^16 − 1 bytes.
    pub extension_data: &'a [u8],
}

impl<'a> TbExtensions<'a> {
    /// Wraps a block that the parser went through.
    pub(super) const fn of_sound_block(block: &'a [u8]) -> Self {
        Self(block)
    }

    /// The whole block without its length.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }
}

impl<'a> Iterator for TbExtensions<'a> {
    type Item = TbExtension<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let ([extension_type, high, low], rest) = self.0.split_first_chunk()?;
        let length = u16::from_be_bytes([*high, *low]).into();
        let (extension_data, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(TbExtension {
            extension_type: *extension_type,
            extension_data,
        })
    }
}
