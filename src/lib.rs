//! Token Binding (RFC 8471, 8472, 8473) with keys that live in hardware.

pub mod binder;
pub mod config;
pub mod header;
pub mod key_map;
pub mod message;
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
