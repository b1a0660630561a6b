//! The fields of a message one by one, for whoever wants to see them.

/// One field as the parser met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Where it starts, in bytes from the start of the message.
    pub offset: usize,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// What it is.
    pub name: FieldName,
    /// Which binding it belongs to, counted from 0; `None` for the message's own length.
    pub binding: Option<usize>,
}

/// The fields of the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is the field that RFC 8471 §3.1 calls so")]
pub enum FieldName {
    MessageLength,
    TokenBindingType,
    KeyParameters,
    KeyLength,
    PointLength,
    Point,
    ModulusLength,
    Modulus,
    ExponentLength,
    Exponent,
    /// The public key of parameters that RFC 8471 does not register.
    UnknownKey,
    SignatureLength,
    Signature,
    ExtensionsLength,
    ExtensionType,
    ExtensionLength,
    ExtensionData,
}

impl FieldName {
    /// Its name in RFC 8471 §3.1; `length` of what follows for a vector's length.
    #[must_use]
    pub const fn rfc_name(self) -> &'static str {
        match self {
            Self::MessageLength => "tokenbindings length",
            Self::TokenBindingType => "tokenbinding_type",
            Self::KeyParameters => "key_parameters",
            Self::KeyLength => "key_length",
            Self::PointLength => "point length",
            Self::Point => "point",
            Self::ModulusLength => "modulus length",
            Self::Modulus => "modulus",
            Self::ExponentLength => "publicexponent length",
            Self::Exponent => "publicexponent",
            Self::UnknownKey => "public key",
            Self::SignatureLength => "signature length",
            Self::Signature => "signature",
            Self::ExtensionsLength => "extensions length",
            Self::ExtensionType => "extension_type",
            Self::ExtensionLength => "extension_data length",
            Self::ExtensionData => "extension_data",
        }
    }
}
