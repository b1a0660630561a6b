//! Negotiation of Token Binding in a TLS handshake (RFC 8472), as pure functions.
//!
//! Nothing here knows a TLS library: a caller puts [`Offer::extension_data`] into its ClientHello
//! as extension [`EXTENSION_TYPE`] and hands what came back to [`Offer::conclude`]; a server hands
//! what it got to [`Support::answer`]. A failure names the alert that must end the handshake.
//!
//! The rules for TLS 1.3 are those of RFC 8472 with the answer in EncryptedExtensions
//! (draft-ietf-tokbind-tls13); there Token Binding and accepted early data exclude each other.

mod client;
mod parameters;
mod server;

pub use client::{NegotiationError, NoKeyTypes, Offer};
pub use parameters::{InvalidExtension, ProtocolVersion, TokenBindingParameters};
pub use server::Support;

use tokenbinding_backend::KeyType;

/// The TLS extension `token_binding` (RFC 8472 §6.1).
pub const EXTENSION_TYPE: u16 = 24;

/// What both sides of a connection agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Negotiated {
    /// The version of the protocol.
    pub version: ProtocolVersion,
    /// The key parameters that every provided binding of the connection must have.
    pub key_type: KeyType,
}

/// What of a handshake decides whether Token Binding may be negotiated in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// TLS 1.2 or older (RFC 8472 §3): both extensions must be negotiated too.
    Tls12 {
        /// Whether `extended_master_secret` is (RFC 7627).
        extended_master_secret: bool,
        /// Whether `renegotiation_info` is (RFC 5746).
        renegotiation_info: bool,
    },
    /// TLS 1.3.
    Tls13 {
        /// Whether the server accepted early data.
        early_data: bool,
    },
}

impl Handshake {
    /// Why Token Binding may not be negotiated in it, if it may not.
    #[must_use]
    pub const fn objection(self) -> Option<NegotiationError> {
        match self {
            Self::Tls12 {
                extended_master_secret: true,
                renegotiation_info: true,
            }
            | Self::Tls13 { early_data: false } => None,
            Self::Tls12 {
                extended_master_secret,
                renegotiation_info,
            } => Some(NegotiationError::UnsafeTls12 {
                extended_master_secret,
                renegotiation_info,
            }),
            Self::Tls13 { early_data: true } => Some(NegotiationError::EarlyData),
        }
    }
}

/// The fatal alert that ends a handshake (RFC 8446 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Alert {
    /// A field is not what another message or the protocol demands.
    IllegalParameter = 47,
    /// The extension's bytes cannot be read.
    DecodeError = 50,
    /// The server's answer breaks RFC 8472 §4.
    UnsupportedExtension = 110,
}

impl Alert {
    /// `AlertDescription`, 1 byte.
    #[must_use]
    pub const fn description(self) -> u8 {
        self as u8
    }
}
