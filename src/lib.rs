//! Token Binding (RFC 8471, 8472, 8473) with keys that live in hardware.
//!
//! A client keeps a key pair for each site and signs with it the exported keying material of its
//! TLS connections ([`Ekm`]). [`Binder`] does so:
//!
//! - [`Scope`] says which targets share a key, [`key_map`] keeps what is stored of each, and a
//!   [`tokenbinding_backend::Backend`] holds the private halves: a TPM, a PKCS#11 token, or the
//!   software keystore.
//! - [`Binder::generate_binding`] signs, [`Binder::generate_message`] puts bindings together, and
//!   [`header::encode`] makes the header `Sec-Token-Binding` of it.
//!
//! A server hands the header and the EKM of the connection to a [`Verifier`], gets
//! [`VerifiedBindings`] and binds its tokens to their ids.
//!
//! Both ends of a TLS connection agree on it by [`negotiation`], and keep what they signed or
//! verified in a [`connection`]. The crate `tokenbinding-https` does all of this with OpenSSL.
//!
//! # Features
//!
//! | feature | default | what it brings |
//! |---|---|---|
//! | `software` | yes | the software keystore |
//! | `pkcs11` | no | keys on smartcards, security keys and HSMs; modules are loaded at run time |
//! | `tpm` | no | keys in a TPM 2.0; links libtss2 |

pub mod binder;
pub mod callbacks;
pub mod config;
pub mod connection;
pub mod header;
pub mod key_map;
pub mod message;
pub mod negotiation;
pub mod ttrp;
pub mod verify;

mod ekm;
mod error;
mod provider;
mod scope;
pub mod survey;

pub use binder::{Binder, GeneratedBinding, KeyChoice, KeyDescription};
pub use config::{Config, ProviderChoice};
pub use ekm::{Ekm, InvalidEkm};
pub use error::Error;
pub use message::{Tbh, TokenBindingId, TokenBindingMessage, TokenBindingType};
pub use scope::{InvalidTarget, MAX_TARGET_LEN, Scope, ScopeKind, ScopeRule};
pub use tokenbinding_backend::{KeyType, Profile};
pub use verify::{Policy, Rejection, VerifiedBinding, VerifiedBindings, Verifier};

/// The example of the README is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
