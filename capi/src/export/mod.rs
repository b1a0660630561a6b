//! The exported functions, by what they are for.

#![allow(
    unsafe_code,
    non_snake_case,
    reason = "the names and pointers are those of tokenbinding.h"
)]

mod deletion;
mod generation;
mod identifier;
mod key_types;
mod verification;
mod version;

pub use deletion::{TokenBindingDeleteAllBindings, TokenBindingDeleteBinding};
pub use generation::{TokenBindingGenerateBinding, TokenBindingGenerateMessage};
pub use identifier::{TokenBindingGenerateID, TokenBindingGenerateIDForUri};
pub use key_types::{TokenBindingGetKeyTypesClient, TokenBindingGetKeyTypesServer};
pub use verification::TokenBindingVerifyMessage;
pub use version::{TokenBindingGetHighestSupportedVersion, TokenBindingGetLastErrorText};
