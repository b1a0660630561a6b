//! What a user may choose about the TPM. Nothing here is needed where the TPM is as its maker
//! delivered it.

use std::fmt;

use zeroize::Zeroizing;

/// How P-256 keys are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum P256Keys {
    /// Derived from the owner hierarchy's seed; wrapped where that hierarchy wants an
    /// authorization that is not given, and where keys have an authorization of their own.
    #[default]
    Derived,
    /// Wrapped by the storage root.
    Wrapped,
}

/// Which TPM, and its secrets. The default is the TPM that the environment names, with empty
/// authorizations.
#[derive(Clone, Default)]
pub struct TpmConfig {
    /// The TCTI, as tpm2-tools spell it: `device:/dev/tpmrm0`, `swtpm:host=127.0.0.1,port=2321`,
    /// `tabrmd:bus_type=system`. `None`: `TPM2TOOLS_TCTI`, then `TCTI`, then
    /// `device:/dev/tpmrm0`.
    pub tcti: Option<String>,
    /// The authorization of the owner hierarchy, at most 32 bytes.
    pub owner_auth: Option<Zeroizing<Vec<u8>>>,
    /// The authorization of the storage root at 0x81000001, at most 32 bytes.
    pub storage_auth: Option<Zeroizing<Vec<u8>>>,
    /// The authorization that new keys get and existing keys are used with, at most 32 bytes.
    /// Such keys are wrapped and subject to the TPM's dictionary-attack protection.
    pub key_auth: Option<Zeroizing<Vec<u8>>>,
    /// How P-256 keys are made.
    pub p256: P256Keys,
}

impl fmt::Debug for TpmConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TpmConfig")
            .field("tcti", &self.tcti)
            .field("owner_auth", &self.owner_auth.is_some())
            .field("storage_auth", &self.storage_auth.is_some())
            .field("key_auth", &self.key_auth.is_some())
            .field("p256", &self.p256)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_authorization() {
        let secret = || Some(Zeroizing::new(b"hunter2".to_vec()));
        let config = TpmConfig {
            owner_auth: secret(),
            storage_auth: secret(),
            key_auth: secret(),
            ..TpmConfig::default()
        };
        let shown = format!("{config:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("104, 117"));
    }
}
