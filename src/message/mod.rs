//! The message grammar of RFC 8471 §3, and nothing else: no keys are looked up and no signature is
//! checked here. A message that was parsed is not yet a message that was verified.
//!
//! ```text
//! TokenBindingMessage: length (2) ‖ 1 to 16 TokenBinding
//! TokenBinding:        tokenbinding_type (1) ‖ TokenBindingID ‖ signature: length (2) ‖ bytes
//!                      ‖ extensions: length (2) ‖ TB_Extension …
//! TokenBindingID:      key_parameters (1) ‖ key_length (2) ‖ public key
//!   ecdsap256:         point: length (1) = 64 ‖ X (32) ‖ Y (32)
//!   rsa2048_*:         modulus: length (2) = 256 ‖ bytes ‖ publicexponent: length (1) ‖ bytes
//! TB_Extension:        extension_type (1) ‖ extension_data: length (2) ‖ bytes
//! ```
//!
//! Numbers are big-endian. The parser is exact: every length must be the one its content has, and
//! no byte may be left over.

mod binding;
mod encode;
mod error;
mod field;
mod id;
mod parse;
mod reader;
mod types;

pub use binding::{TbExtension, TbExtensions, TokenBinding, TokenBindingMessage};
pub use encode::{EncodeError, encode_message, encode_token_binding};
pub use error::{ParseError, ParseErrorKind};
pub use field::{Field, FieldName};
pub use id::{InvalidTbh, Tbh, TokenBindingId};
pub use types::{TokenBindingKeyParameters, TokenBindingType};

/// The most bindings that a message may hold. RFC 8471 sets no limit; each one costs a signature
/// check, and real messages have one or two.
pub const MAX_BINDINGS: usize = 16;

/// The most bytes that a message can have: the list's own length and 2^16 − 1 bytes.
pub const MAX_MESSAGE_LEN: usize = 2 + 0xffff;
