//! Token Binding keys on PKCS#11 tokens: smartcards, security keys and HSMs.
//!
//! [`Pkcs11Backend`] implements the trait [`Backend`](tokenbinding_backend::Backend) on any PKCS#11
//! v2.40 module. The module is loaded at run time; nothing has to be there at build time. The keys
//! are made on the token, cannot leave it, and are found there again by their names, whichever
//! machine the token is taken to.
//!
//! A `fork` is survived by parent and child. One that happens while another thread is inside a call
//! of the module may leave the module's own locks taken in the child; SoftHSM's are.
//!
//! What is built on what: `module` makes the calls; a `link` is a token in its slot with its sessions;
//! the `core` keeps a link alive, logs in and recovers; keys and the backend are on top.

mod backend;
mod ckr;
mod config;
mod core;
mod fault;
mod key;
mod link;
mod list;
mod locate;
mod login;
mod mechanism;
mod module;
mod objects;
mod pin;
mod public_key;
mod signing;
mod status;
mod sync;
mod template;
mod token;
mod uri;

pub use backend::Pkcs11Backend;
pub use config::{PinSource, Pkcs11Config};
pub use list::ListedKey;
pub use mechanism::{KeyTypeSupport, Scheme};
pub use status::Pkcs11Status;
pub use token::{TokenFlags, TokenInfo};
pub use tokenbinding_backend::{Callbacks, Nobody, PinTries, TokenName};
pub use uri::{InvalidPkcs11Uri, ModuleName, Pkcs11Uri, UriPin};
