//! The parser: from bytes to structures, exactly.

use tokenbinding_backend::{KeyType, P256PublicKey, PublicKey, Rsa2048PublicKey};

use super::{
    Field, FieldName, MAX_BINDINGS, ParseError, ParseErrorKind, TbExtensions, TokenBinding,
    TokenBindingKeyParameters, TokenBindingMessage, TokenBindingType, reader::Reader,
};

/// The least bytes of a signature in the grammar, whatever its scheme.
const MIN_SIGNATURE_LEN: usize = 64;

impl<'a> TokenBindingMessage<'a> {
    /// Parses one message: the raw bytes, length prefix included, base64url undone.
    ///
    /// # Errors
    /// [`ParseError`] for the first field that breaks the grammar of RFC 8471 §3.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        Self::parse_observed(bytes, &mut |_| ())
    }

    /// Parses like [`parse`](Self::parse) and shows `observe` each field on the way, also those
    /// before the one at fault.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse).
    pub fn parse_observed(
        bytes: &'a [u8],
        observe: &mut impl FnMut(Field<'a>),
    ) -> Result<Self, ParseError> {
        let mut reader = Reader::new(bytes, observe);
        let length = reader.u16(FieldName::MessageLength)?;
        let mut list = reader.inner(length.into(), FieldName::TokenBindingType)?;
        let token_bindings = token_bindings(&mut list)?;
        reader.finish(FieldName::MessageLength, 0)?;
        Ok(Self::new(token_bindings))
    }
}

impl<'a> TokenBinding<'a> {
    /// Parses one binding that stands alone, as it does before it goes into a message.
    ///
    /// # Errors
    /// [`ParseError`], also for bytes that follow the binding.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        let observe = &mut |_: Field<'a>| ();
        let mut reader = Reader::new(bytes, observe);
        let binding = token_binding(&mut reader)?;
        let extensions = 2 + binding.extensions.as_bytes().len();
        reader.finish(FieldName::ExtensionsLength, reader.offset() - extensions)?;
        Ok(binding)
    }
}

fn token_bindings<'a, O: FnMut(Field<'a>)>(
    list: &mut Reader<'a, '_, O>,
) -> Result<Vec<TokenBinding<'a>>, ParseError> {
    if list.is_empty() {
        return Err(list.error(FieldName::TokenBindingType, ParseErrorKind::Empty));
    }
    let mut bindings = Vec::with_capacity(2);
    while !list.is_empty() {
        if bindings.len() == MAX_BINDINGS {
            list.set_binding(MAX_BINDINGS);
            return Err(list.error(FieldName::TokenBindingType, ParseErrorKind::TooMany));
        }
        list.set_binding(bindings.len());
        bindings.push(token_binding(list)?);
    }
    Ok(bindings)
}

fn token_binding<'a, O: FnMut(Field<'a>)>(
    reader: &mut Reader<'a, '_, O>,
) -> Result<TokenBinding<'a>, ParseError> {
    let binding_type = TokenBindingType::from_octet(reader.u8(FieldName::TokenBindingType)?);
    let start = reader.rest();
    let (key_parameters, public_key) = token_binding_id(reader)?;
    let id = &start[..start.len() - reader.rest().len()];
    let signature = signature(reader, key_parameters)?;
    let extensions = extensions(reader)?;
    Ok(TokenBinding {
        binding_type,
        key_parameters,
        public_key,
        id,
        signature,
        extensions,
    })
}

/// Reads a `TokenBindingID`. There is no public key to speak of where its parameters are unknown.
pub(super) fn token_binding_id<'a, O: FnMut(Field<'a>)>(
    reader: &mut Reader<'a, '_, O>,
) -> Result<(TokenBindingKeyParameters, Option<PublicKey>), ParseError> {
    let parameters = TokenBindingKeyParameters::from_octet(reader.u8(FieldName::KeyParameters)?);
    let length_at = reader.offset();
    let length = reader.u16(FieldName::KeyLength)?.into();
    let public_key = match parameters {
        TokenBindingKeyParameters::Known(KeyType::EcdsaP256) => {
            let mut body = reader.inner(length, FieldName::Point)?;
            let point = point(&mut body)?;
            body.finish(FieldName::KeyLength, length_at)?;
            Some(point.into())
        }
        TokenBindingKeyParameters::Known(KeyType::Rsa2048Pkcs1_5 | KeyType::Rsa2048Pss) => {
            let mut body = reader.inner(length, FieldName::Modulus)?;
            let key = rsa_public_key(&mut body)?;
            body.finish(FieldName::KeyLength, length_at)?;
            Some(key.into())
        }
        TokenBindingKeyParameters::Unknown(_) => {
            reader.take(length, FieldName::UnknownKey)?;
            None
        }
    };
    Ok((parameters, public_key))
}

/// `TB_ECPoint`: X ‖ Y without the 0x04 of SEC 1 (RFC 8471 §3.2).
fn point<'a, O: FnMut(Field<'a>)>(
    reader: &mut Reader<'a, '_, O>,
) -> Result<P256PublicKey, ParseError> {
    let length = reader.u8(FieldName::PointLength)?;
    let point = reader.take(length.into(), FieldName::Point)?;
    let xy = exactly(reader, point, FieldName::Point, "64 (X and Y)")?;
    P256PublicKey::from_xy(xy)
        .map_err(|bad| reader.error_in(point, FieldName::Point, ParseErrorKind::PublicKey(bad)))
}

/// `RSAPublicKey`: both numbers without leading zero bytes (RFC 8471 §3.2).
fn rsa_public_key<'a, O: FnMut(Field<'a>)>(
    reader: &mut Reader<'a, '_, O>,
) -> Result<Rsa2048PublicKey, ParseError> {
    let length = reader.u16(FieldName::ModulusLength)?;
    let modulus_bytes = reader.take(length.into(), FieldName::Modulus)?;
    let modulus = exactly(reader, modulus_bytes, FieldName::Modulus, "256 (2048 bits)")?;
    let modulus_error = |bad| {
        reader.error_in(
            modulus_bytes,
            FieldName::Modulus,
            ParseErrorKind::PublicKey(bad),
        )
    };
    // Judged before the exponent is read, with a sound one in its place.
    Rsa2048PublicKey::new(modulus, Rsa2048PublicKey::F4).map_err(modulus_error)?;

    let length = reader.u8(FieldName::ExponentLength)?;
    let exponent = reader.take(length.into(), FieldName::Exponent)?;
    let fault = |kind| reader.error_in(exponent, FieldName::Exponent, kind);
    if exponent.first() == Some(&0) {
        return Err(fault(ParseErrorKind::LeadingZero));
    }
    if exponent.is_empty() || exponent.len() > 5 {
        return Err(fault(ParseErrorKind::Length {
            expected: "1 to 5",
            found: exponent.len(),
        }));
    }
    let value = exponent
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte));
    Rsa2048PublicKey::new(modulus, value).map_err(|bad| fault(ParseErrorKind::PublicKey(bad)))
}

fn signature<'a, O: FnMut(Field<'a>)>(
    reader: &mut Reader<'a, '_, O>,
    parameters: TokenBindingKeyParameters,
) -> Result<&'a [u8], ParseError> {
    let length = reader.u16(FieldName::SignatureLength)?;
    let signature = reader.take(length.into(), FieldName::Signature)?;
    let found = signature.len();
    let (fits, expected) = match parameters {
        TokenBindingKeyParameters::Known(KeyType::EcdsaP256) => (found == 64, "64 (R and S)"),
        TokenBindingKeyParameters::Known(_) => (found == 256, "256"),
        TokenBindingKeyParameters::Unknown(_) => (found >= MIN_SIGNATURE_LEN, "64 or more"),
    };
    if fits {
        Ok(signature)
    } else {
        let kind = ParseErrorKind::Length { expected, found };
        Err(reader.error_in(signature, FieldName::Signature, kind))
    }
}

fn extensions<'a, O: FnMut(Field<'a>)>(
    reader: &mut Reader<'a, '_, O>,
) -> Result<TbExtensions<'a>, ParseError> {
    let length = reader.u16(FieldName::ExtensionsLength)?;
    let mut block = reader.inner(length.into(), FieldName::ExtensionType)?;
    let bytes = block.rest();
    while !block.is_empty() {
        block.u8(FieldName::ExtensionType)?;
        let length = block.u16(FieldName::ExtensionLength)?;
        block.take(length.into(), FieldName::ExtensionData)?;
    }
    Ok(TbExtensions::of_sound_block(bytes))
}

fn exactly<'a, const N: usize, O: FnMut(Field<'a>)>(
    reader: &Reader<'a, '_, O>,
    bytes: &'a [u8],
    name: FieldName,
    expected: &'static str,
) -> Result<&'a [u8; N], ParseError> {
    let found = bytes.len();
    bytes
        .try_into()
        .map_err(|_| reader.error_in(bytes, name, ParseErrorKind::Length { expected, found }))
}
