//! Everything that is derived from a master: HKDF-SHA-256 (RFC 5869) with a domain tag for each use.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Master;

/// Bytes of the random salt that each key has of its own.
pub(crate) const SALT_LEN: usize = 32;

/// What a derived value is for. No two uses can give the same bytes.
#[derive(Clone, Copy)]
pub(crate) enum Use {
    /// The id by which rows tell one master from another.
    DeviceId,
    /// Tells whether a passphrase is the right one.
    PassphraseCheck,
    /// A P-256 private scalar.
    P256Scalar,
    /// The key that seals an RSA private key.
    RsaSeal,
}

impl Use {
    const fn tag(self) -> &'static [u8] {
        match self {
            Self::DeviceId => b"tokenbinding software v1 device id\0",
            Self::PassphraseCheck => b"tokenbinding software v1 passphrase check\0",
            Self::P256Scalar => b"tokenbinding software v1 p256 scalar\0",
            Self::RsaSeal => b"tokenbinding software v1 rsa seal\0",
        }
    }
}

/// HKDF-SHA-256(master, `salt`, info = tag of `purpose` ‖ `context`), 32 bytes.
pub(crate) fn derive(
    master: &Master,
    salt: &[u8],
    purpose: Use,
    context: &[&[u8]],
) -> Zeroizing<[u8; 32]> {
    let mut okm = Zeroizing::new([0; 32]);
    let info = [&[purpose.tag()], context].concat();
    Hkdf::<Sha256>::new(Some(salt), master.as_bytes())
        .expand_multi_info(&info, &mut *okm)
        .expect("32 bytes are within what HKDF gives");
    okm
}
