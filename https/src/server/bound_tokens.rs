//! Tokens and cookies that are good for one key alone.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use openssl::memcmp;
use sha2::Sha256;
use tokenbinding::{Tbh, VerifiedBinding, VerifiedBindings};
use zeroize::Zeroizing;

/// The form of a token: its first byte.
const VERSION: u8 = 1;
/// What the tag covers before all else, so that the same secret serves nothing else by accident.
const DOMAIN: &[u8] = b"tokenbinding.bound-token\0";
const TAG_LEN: usize = 32;
const TBH_LEN: usize = 32;
const HEAD_LEN: usize = 1 + TAG_LEN + TBH_LEN;

/// Issues tokens that are bound to a client's key, and checks them without keeping anything.
///
/// A token is base64url, without padding, of version (1 byte) ‖ tag (32) ‖ `tbh` of the key (32) ‖
/// payload. The tag is HMAC-SHA-256 under the server's secret of a domain, the version, the `tbh`
/// and the payload. The payload is authentic and not secret: whoever holds the token can read it.
/// A time at which the token ends belongs into it, for the caller to check.
///
/// A cookie has room for 4,096 bytes with its name and attributes; a token of `n` bytes takes
/// `(65 + n) × 4/3` of them.
#[derive(Clone)]
pub struct BoundTokens {
    secret: Zeroizing<[u8; Self::SECRET_LEN]>,
}

impl fmt::Debug for BoundTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoundTokens(..)")
    }
}

impl BoundTokens {
    /// Bytes of the server's secret.
    pub const SECRET_LEN: usize = 32;

    /// Issues and checks under a secret of 32 random bytes, which all servers of one service share.
    /// To change it, issue under the new one and check under both.
    #[must_use]
    pub fn new(secret: Zeroizing<[u8; Self::SECRET_LEN]>) -> Self {
        Self { secret }
    }

    /// A token that is good for requests whose provided binding has the key of `binding`.
    ///
    /// A server binds its own cookie to the request's provided binding. A token for the server that
    /// the client came from is bound to the referred one (RFC 8473 §5).
    #[must_use]
    pub fn issue(&self, binding: &VerifiedBinding, payload: &[u8]) -> String {
        let tbh = binding.tbh();
        let tag = self.mac(tbh.as_bytes(), payload).finalize().into_bytes();
        let parts = [&[VERSION], &tag[..], tbh.as_bytes(), payload];
        BASE64URL_NOPAD.encode(&parts.concat())
    }

    /// The payload of a token that this secret issued for the request's provided binding.
    ///
    /// # Errors
    /// [`TokenError`]: the token is good for nothing here.
    pub fn check(&self, token: &str, bindings: &VerifiedBindings) -> Result<Vec<u8>, TokenError> {
        let bytes = BASE64URL_NOPAD
            .decode(token.as_bytes())
            .map_err(|_| TokenError::Malformed)?;
        let (head, payload) = bytes
            .split_at_checked(HEAD_LEN)
            .filter(|(head, _)| head[0] == VERSION)
            .ok_or(TokenError::Malformed)?;
        let (tag, tbh) = head[1..].split_at(TAG_LEN);
        self.mac(tbh, payload)
            .verify_slice(tag)
            .map_err(|_| TokenError::Forged)?;
        is_of_provided(tbh, bindings)?;
        Ok(payload.to_vec())
    }

    fn mac(&self, tbh: &[u8], payload: &[u8]) -> Hmac<Sha256> {
        let mac = Hmac::new_from_slice(&*self.secret).expect("HMAC takes keys of any length");
        mac.chain_update(DOMAIN)
            .chain_update([VERSION])
            .chain_update(tbh)
            .chain_update(payload)
    }
}

fn is_of_provided(tbh: &[u8], bindings: &VerifiedBindings) -> Result<(), TokenError> {
    let provided = bindings.provided().map(VerifiedBinding::tbh);
    match provided {
        Some(provided) if memcmp::eq(provided.as_bytes(), tbh) => Ok(()),
        _ => Err(TokenError::BoundToAnotherKey),
    }
}

/// The confirmation claim that binds a JWT to the key of `binding`: `{"cnf":{"tbh":"…"}}`, to be
/// merged into its claims by whoever signs it (OAuth 2.0 Token Binding §3, RFC 7800).
#[must_use]
pub fn confirmation_claim(binding: &VerifiedBinding) -> String {
    format!(r#"{{"cnf":{{"tbh":"{}"}}}}"#, binding.tbh())
}

/// Checks that the `tbh` of a JWT's `cnf` claim, whose signature has been verified, is that of the
/// request's provided binding.
///
/// # Errors
/// [`TokenError::Malformed`] for a text that is no `tbh`, [`TokenError::BoundToAnotherKey`].
pub fn check_confirmation(tbh: &str, bindings: &VerifiedBindings) -> Result<(), TokenError> {
    let tbh: Tbh = tbh.parse().map_err(|_| TokenError::Malformed)?;
    is_of_provided(tbh.as_bytes(), bindings)
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It has not the form of a bound token of this version.
    #[error("the token is malformed: issue a new one")]
    Malformed,
    /// Its tag is not of this secret.
    #[error("the token was not issued here, or was changed: issue a new one")]
    Forged,
    /// It was issued to another key: stolen, or the client has deleted its key since.
    #[error("the token is bound to another key: ask the client to sign in again")]
    BoundToAnotherKey,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::tests::bindings;

    fn tokens(secret: u8) -> BoundTokens {
        BoundTokens::new(Zeroizing::new([secret; 32]))
    }

    #[test]
    fn a_token_is_good_for_its_key_alone() {
        let (mine, other) = (bindings(1), bindings(2));
        for payload in [&b""[..], b"user 7", &[0; 3000]] {
            let token = tokens(7).issue(mine.provided().unwrap(), payload);
            assert_eq!(tokens(7).check(&token, &mine), Ok(payload.to_vec()));
            let stolen = tokens(7).check(&token, &other);
            assert_eq!(stolen, Err(TokenError::BoundToAnotherKey));
            let elsewhere = tokens(8).check(&token, &mine);
            assert_eq!(elsewhere, Err(TokenError::Forged));
        }
    }

    #[test]
    fn every_bit_of_a_token_is_authentic() {
        let mine = bindings(1);
        let token = tokens(7).issue(mine.provided().unwrap(), b"user 7");
        let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let changed = BASE64URL_NOPAD.encode(&changed);
            let expected = if bit < 8 {
                TokenError::Malformed
            } else {
                TokenError::Forged
            };
            assert_eq!(tokens(7).check(&changed, &mine), Err(expected), "{bit}");
        }
        for length in 0..bytes.len() {
            let short = BASE64URL_NOPAD.encode(&bytes[..length]);
            assert!(tokens(7).check(&short, &mine).is_err(), "{length}");
        }
        for malformed in ["", "A", &format!("{token}="), &format!(" {token}")] {
            let result = tokens(7).check(malformed, &mine);
            assert_eq!(result, Err(TokenError::Malformed), "{malformed:?}");
        }
    }

    /// Computed apart from this code, by the command
    /// `{ printf 'tokenbinding.bound-token\0\1'; printf '\52%.0s' $(seq 32); printf 'user 7'; }
    /// | openssl dgst -sha256 -mac HMAC -macopt hexkey:$(printf '07%.0s' $(seq 32))`.
    #[test]
    fn the_tag_is_hmac_of_domain_version_tbh_and_payload() {
        let tag = tokens(7).mac(&[42; 32], b"user 7").finalize().into_bytes();
        assert_eq!(
            data_encoding::HEXLOWER.encode(&tag),
            "d08b62cd125360134f3c33062cf4f758779a59fc176b5ae6a352721b4dc10061"
        );
    }

    #[test]
    fn a_jwts_claim_confirms_its_key_alone() {
        let (mine, other) = (bindings(1), bindings(2));
        let tbh = mine.provided().unwrap().tbh().to_string();
        let claim = confirmation_claim(mine.provided().unwrap());
        assert_eq!(claim, format!("{{\"cnf\":{{\"tbh\":\"{tbh}\"}}}}"));
        assert_eq!(check_confirmation(&tbh, &mine), Ok(()));
        let another = Err(TokenError::BoundToAnotherKey);
        assert_eq!(check_confirmation(&tbh, &other), another);
        for malformed in ["", &tbh[1..], &format!("{tbh}=")] {
            assert_eq!(
                check_confirmation(malformed, &mine),
                Err(TokenError::Malformed)
            );
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", tokens(7)), "BoundTokens(..)");
    }
}
