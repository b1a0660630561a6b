//! What a field of a message means, in words.

use data_encoding::HEXLOWER;
use tokenbinding::{
    TokenBindingType,
    message::{Field, FieldName, TokenBindingKeyParameters},
};

/// What `field` means.
pub(super) fn meaning(field: &Field<'_>) -> String {
    let number = || {
        field
            .bytes
            .iter()
            .fold(0u64, |n, byte| n << 8 | u64::from(*byte))
    };
    match field.name {
        FieldName::TokenBindingType => match TokenBindingType::from_octet(field.bytes[0]) {
            TokenBindingType::Provided => "provided: the binding with this server".to_owned(),
            TokenBindingType::Referred => "referred: the binding with another server".to_owned(),
            TokenBindingType::Other(octet) => format!("type {octet}, which is not registered"),
        },
        FieldName::KeyParameters => match TokenBindingKeyParameters::from_octet(field.bytes[0]) {
            TokenBindingKeyParameters::Known(kind) => kind.to_string(),
            TokenBindingKeyParameters::Unknown(octet) => {
                format!("parameters {octet}, which are not registered")
            }
        },
        FieldName::MessageLength => length(number(), "bindings"),
        FieldName::KeyLength => length(number(), "public key"),
        FieldName::PointLength => length(number(), "X and Y"),
        FieldName::ModulusLength => length(number(), "modulus"),
        FieldName::ExponentLength => length(number(), "exponent"),
        FieldName::SignatureLength => length(number(), "signature"),
        FieldName::ExtensionsLength if number() == 0 => "no extensions".to_owned(),
        FieldName::ExtensionsLength => length(number(), "extensions"),
        FieldName::ExtensionLength => length(number(), "data"),
        FieldName::Point => "X, then Y, of a point of P-256".to_owned(),
        FieldName::Modulus => format!("RSA modulus of {} bits", 8 * field.bytes.len()),
        FieldName::Exponent if field.bytes.len() > 8 => {
            format!("RSA exponent 0x{}", HEXLOWER.encode(field.bytes))
        }
        FieldName::Exponent => format!("RSA exponent {}", number()),
        FieldName::UnknownKey => "a key of unknown form".to_owned(),
        FieldName::Signature if field.bytes.len() == 64 => {
            "R, then S, over type, parameters, EKM".to_owned()
        }
        FieldName::Signature => "over type, parameters, EKM".to_owned(),
        FieldName::ExtensionType => format!("extension {}, which is not registered", number()),
        FieldName::ExtensionData => "not covered by the signature".to_owned(),
    }
}

fn length(bytes: u64, what: &str) -> String {
    match bytes {
        1 => format!("1 byte of {what} follows"),
        bytes => format!("{bytes} bytes of {what} follow"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exponent_beyond_all_numbers_is_shown_in_hexadecimal() {
        let exponent = |bytes| {
            meaning(&Field {
                offset: 0,
                bytes,
                name: FieldName::Exponent,
                binding: Some(0),
            })
        };
        assert_eq!(exponent(&[1, 0, 1]), "RSA exponent 65537");
        let long = exponent(&[1, 0, 0, 0, 0, 0, 0, 0, 3]);
        assert_eq!(long, "RSA exponent 0x010000000000000003");
    }
}
