//! The only way in which the library asks a person for anything: PINs and touches.

pub use tokenbinding_backend::{Callbacks, Nobody, PinTries, TokenName};
