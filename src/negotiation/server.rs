//! The server's rules (RFC 8472 §3).

use tokenbinding_backend::KeyType;

use super::{
    Handshake, InvalidExtension, Negotiated, NoKeyTypes, ProtocolVersion, TokenBindingParameters,
    client::distinct,
};
use crate::message::TokenBindingKeyParameters;

/// What a server supports: version 1.0 and one to three key types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Support {
    key_types: Vec<KeyType>,
}

/// Every key type, in the order of [`KeyType::ALL`].
impl Default for Support {
    fn default() -> Self {
        Self {
            key_types: KeyType::ALL.to_vec(),
        }
    }
}

impl Support {
    /// Supports version 1.0 with these key types, the most preferred first.
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

    /// What to agree on with a client that sent `offer` as the body of its extension. `None`: the
    /// answer leaves the extension out and the handshake goes on.
    ///
    /// # Errors
    /// [`InvalidExtension`]: the handshake must end with its alert.
    pub fn answer(
        &self,
        offer: &[u8],
        handshake: Handshake,
    ) -> Result<Option<Negotiated>, InvalidExtension> {
        let offer = TokenBindingParameters::parse(offer)?;
        if offer.version < ProtocolVersion::V1_0 || handshake.objection().is_some() {
            return Ok(None);
        }
        let offered = |kind: &&KeyType| {
            offer
                .key_parameters
                .contains(&TokenBindingKeyParameters::Known(**kind))
        };
        Ok(self.key_types.iter().find(offered).map(|kind| Negotiated {
            version: ProtocolVersion::V1_0,
            key_type: *kind,
        }))
    }
}

impl Negotiated {
    /// The body of the server's extension: 4 bytes.
    #[must_use]
    pub fn extension_data(&self) -> Vec<u8> {
        TokenBindingParameters {
            version: self.version,
            key_parameters: vec![TokenBindingKeyParameters::Known(self.key_type)],
        }
        .encode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TLS13: Handshake = Handshake::Tls13 { early_data: false };

    fn answer(offer: &[u8], handshake: Handshake) -> Option<Vec<u8>> {
        let support = Support::new(&[KeyType::EcdsaP256, KeyType::Rsa2048Pss]).unwrap();
        let negotiated = support.answer(offer, handshake).unwrap();
        negotiated.map(|negotiated| negotiated.extension_data())
    }

    #[test]
    fn the_servers_preference_decides() {
        assert_eq!(answer(&[1, 0, 3, 0, 1, 2], TLS13), Some(vec![1, 0, 1, 2]));
        assert_eq!(answer(&[1, 0, 2, 0, 1], TLS13), Some(vec![1, 0, 1, 1]));
        assert_eq!(answer(&[1, 0, 3, 99, 1, 1], TLS13), Some(vec![1, 0, 1, 1]));
    }

    #[test]
    fn the_lower_version_is_answered() {
        for newer in [[1, 1, 1, 2], [2, 0, 1, 2], [255, 255, 1, 2]] {
            assert_eq!(answer(&newer, TLS13), Some(vec![1, 0, 1, 2]));
        }
    }

    #[test]
    fn without_common_ground_there_is_no_answer() {
        assert_eq!(answer(&[0, 13, 1, 2], TLS13), None);
        assert_eq!(answer(&[1, 0, 1, 0], TLS13), None);
        assert_eq!(answer(&[1, 0, 1, 99], TLS13), None);
    }

    #[test]
    fn an_unsafe_handshake_gets_no_answer() {
        let offer = [1, 0, 1, 2];
        assert_eq!(answer(&offer, Handshake::Tls13 { early_data: true }), None);
        for (extended_master_secret, renegotiation_info, agreed) in [
            (false, false, false),
            (false, true, false),
            (true, false, false),
            (true, true, true),
        ] {
            let handshake = Handshake::Tls12 {
                extended_master_secret,
                renegotiation_info,
            };
            assert_eq!(answer(&offer, handshake).is_some(), agreed);
        }
    }

    #[test]
    fn a_malformed_offer_ends_the_handshake() {
        let result = Support::default().answer(&[1, 0, 0], TLS13);
        assert_eq!(result, Err(InvalidExtension::Empty));
        assert_eq!(InvalidExtension::Empty.alert().description(), 50);
    }
}
