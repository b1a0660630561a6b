//! The client's rules (RFC 8472 §2, §4).

use tokenbinding_backend::KeyType;

use super::{
    Alert, Handshake, InvalidExtension, Negotiated, ProtocolVersion, TokenBindingParameters,
};
use crate::message::TokenBindingKeyParameters;

/// What a client offers: version 1.0 and one to three key types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    key_types: Vec<KeyType>,
}

/// There is no key type to offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no key type to negotiate: name one of ecdsap256, rsa2048_pss and rsa2048_pkcs1.5")]
pub struct NoKeyTypes;

/// Each key type once, where it came first.
pub(super) fn distinct(key_types: &[KeyType]) -> Result<Vec<KeyType>, NoKeyTypes> {
    let mut distinct: Vec<KeyType> = Vec::with_capacity(KeyType::ALL.len());
    for kind in key_types {
        if !distinct.contains(kind) {
            distinct.push(*kind);
        }
    }
    if distinct.is_empty() {
        return Err(NoKeyTypes);
    }
    Ok(distinct)
}

impl Offer {
    /// Offers version 1.0 with these key types, the most preferred first.
    ///
    /// # Errors
    /// [`NoKeyTypes`].
    pub fn new(key_types: &[KeyType]) -> Result<Self, NoKeyTypes> {
        Ok(Self {
            key_types: distinct(key_types)?,
        })
    }

    /// The key types, the most preferred first.
    #[must_use]
    pub fn key_types(&self) -> &[KeyType] {
        &self.key_types
    }

    /// The body of the extension for every ClientHello of a connection, resumed or not: 4 to 6
    /// bytes.
    #[must_use]
    pub fn extension_data(&self) -> Vec<u8> {
        let known = |kind: &KeyType| TokenBindingKeyParameters::Known(*kind);
        TokenBindingParameters {
            version: ProtocolVersion::V1_0,
            key_parameters: self.key_types.iter().map(known).collect(),
        }
        .encode()
    }

    /// What a server's answer means: `None` is a connection without Token Binding.
    ///
    /// An answer of an older version, which nobody here speaks, is no error (RFC 8472 §4).
    ///
    /// # Errors
    /// [`NegotiationError`]: the handshake must end with its alert.
    pub fn conclude(
        &self,
        answer: &[u8],
        handshake: Handshake,
    ) -> Result<Option<Negotiated>, NegotiationError> {
        let answer = TokenBindingParameters::parse(answer)?;
        if answer.version > ProtocolVersion::V1_0 {
            return Err(NegotiationError::Version {
                answered: answer.version,
            });
        }
        let [chosen] = answer.key_parameters[..] else {
            return Err(NegotiationError::SeveralKeyParameters {
                count: answer.key_parameters.len(),
            });
        };
        let key_type = match chosen {
            TokenBindingKeyParameters::Known(kind) if self.key_types.contains(&kind) => kind,
            _ => return Err(NegotiationError::KeyParameters { answered: chosen }),
        };
        if let Some(objection) = handshake.objection() {
            return Err(objection);
        }
        Ok(
            (answer.version == ProtocolVersion::V1_0).then_some(Negotiated {
                version: answer.version,
                key_type,
            }),
        )
    }
}

/// Why a handshake must end (RFC 8472 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NegotiationError {
    /// The extension cannot be read.
    #[error(transparent)]
    Malformed(#[from] InvalidExtension),
    /// The server answered what was not offered to it.
    #[error("the server answered with Token Binding, which was not offered")]
    NotOffered,
    /// The server answered with a newer version than was offered.
    #[error("the server answered with Token Binding {answered}, and 1.0 was offered")]
    Version {
        /// Its version.
        answered: ProtocolVersion,
    },
    /// The server answered with more than one kind of key.
    #[error("the server answered with {count} key parameters, and must choose one")]
    SeveralKeyParameters {
        /// How many.
        count: usize,
    },
    /// The server chose a kind of key that was not offered.
    #[error("the server chose {answered}, which was not offered")]
    KeyParameters {
        /// Its choice.
        answered: TokenBindingKeyParameters,
    },
    /// TLS 1.2 without the extensions that make its exporter fit for signing.
    #[error(
        "Token Binding was negotiated in TLS 1.2 without {}: without both a man in the middle \
         can make two connections export the same keying material",
        missing(*.extended_master_secret, *.renegotiation_info)
    )]
    UnsafeTls12 {
        /// Whether `extended_master_secret` was negotiated.
        extended_master_secret: bool,
        /// Whether `renegotiation_info` was.
        renegotiation_info: bool,
    },
    /// TLS 1.3 with accepted early data, which no binding can cover.
    #[error("Token Binding was negotiated together with accepted early data")]
    EarlyData,
}

const fn missing(extended_master_secret: bool, renegotiation_info: bool) -> &'static str {
    match (extended_master_secret, renegotiation_info) {
        (false, false) => "extended_master_secret and renegotiation_info",
        (false, true) => "extended_master_secret",
        (true, _) => "renegotiation_info",
    }
}

impl NegotiationError {
    /// The fatal alert that ends the handshake.
    #[must_use]
    pub const fn alert(self) -> Alert {
        match self {
            Self::Malformed(malformed) => malformed.alert(),
            Self::EarlyData => Alert::IllegalParameter,
            _ => Alert::UnsupportedExtension,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TLS12: Handshake = Handshake::Tls12 {
        extended_master_secret: true,
        renegotiation_info: true,
    };
    const TLS13: Handshake = Handshake::Tls13 { early_data: false };

    fn conclude(answer: &[u8], handshake: Handshake) -> Result<Option<KeyType>, u8> {
        Offer::new(&[KeyType::EcdsaP256])
            .unwrap()
            .conclude(answer, handshake)
            .map(|negotiated| negotiated.map(|negotiated| negotiated.key_type))
            .map_err(|error| error.alert().description())
    }

    #[test]
    fn an_answer_from_the_offer_is_negotiated() {
        for handshake in [TLS12, TLS13] {
            let negotiated = conclude(&[1, 0, 1, 2], handshake);
            assert_eq!(negotiated, Ok(Some(KeyType::EcdsaP256)));
        }
    }

    #[test]
    fn an_older_version_goes_on_without_token_binding() {
        assert_eq!(conclude(&[0, 13, 1, 2], TLS12), Ok(None));
        assert_eq!(conclude(&[0, 13, 1, 1], TLS12), Err(110));
    }

    #[test]
    fn an_answer_beyond_the_offer_ends_the_handshake() {
        for answer in [
            &[1, 1, 1, 2][..],
            &[2, 0, 1, 2],
            &[1, 0, 1, 1],
            &[1, 0, 1, 99],
            &[1, 0, 2, 2, 2],
            &[1, 0, 2, 2, 1],
        ] {
            assert_eq!(conclude(answer, TLS12), Err(110), "{answer:?}");
            assert_eq!(conclude(answer, TLS13), Err(110), "{answer:?}");
        }
        for answer in [&[1, 0, 0][..], &[1, 0], &[1, 0, 1], &[1, 0, 1, 2, 2]] {
            assert_eq!(conclude(answer, TLS12), Err(50), "{answer:?}");
        }
    }

    #[test]
    fn an_unsafe_handshake_ends() {
        for (extended_master_secret, renegotiation_info) in
            [(false, false), (false, true), (true, false)]
        {
            let handshake = Handshake::Tls12 {
                extended_master_secret,
                renegotiation_info,
            };
            assert_eq!(conclude(&[1, 0, 1, 2], handshake), Err(110));
        }
        let early = Handshake::Tls13 { early_data: true };
        assert_eq!(conclude(&[1, 0, 1, 2], early), Err(47));
    }

    #[test]
    fn an_offer_names_each_key_type_once_in_order() {
        let offer = Offer::new(&[KeyType::Rsa2048Pss, KeyType::EcdsaP256, KeyType::Rsa2048Pss]);
        assert_eq!(offer.unwrap().extension_data(), [1, 0, 2, 1, 2]);
        assert_eq!(Offer::new(&[]), Err(NoKeyTypes));
    }
}
