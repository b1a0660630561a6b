//! `libtokenbinding`: the ten functions of Microsoft's `tokenbinding.h`, for programs in C and
//! whatever else calls C.
//!
//! The exported functions ([`export`]) only translate: from C's arguments, by the library
//! `tokenbinding`, to one block of memory that the caller frees. They never print, let a panic
//! out, change `errno`, the environment or a signal handler, and never leave an output unset.
//!
//! What a caller has to know is in `docs/c-api.md`; the declarations are in
//! `include/tokenbinding.h`.

pub mod abi;
pub mod export;
pub mod status;

mod block;
mod call;
mod errno;
mod failure;
mod input;
mod key_blob;
mod last_error;
mod output;
mod process;
