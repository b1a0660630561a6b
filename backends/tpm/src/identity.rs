//! What tells this very TPM, in its present state of ownership, from every other.
//!
//! `TPM2_Hash` with the owner hierarchy answers with a ticket: an HMAC of the digest under the
//! hierarchy's proof value, which never leaves the TPM, survives resets, and is replaced by
//! `TPM2_Clear` together with the seed that our keys are derived from (TPM 2.0 Library, Part 3,
//! §15.4 and §24.6). So one command, without authorization and without
//! an object slot, gives an id that lives exactly as long as the keys do.

use std::fmt;

use sha2::{Digest as _, Sha256};
use tokenbinding_backend::ErrorKind;
use tss_esapi::{
    interface_types::{algorithm::HashingAlgorithm, resource_handles::Hierarchy},
    structures::{MaxBuffer, Ticket as _},
};

use crate::{
    connection::Connection,
    failure::{Failure, Result},
};

/// What the TPM is asked to hash.
const MESSAGE: &[u8] = b"tokenbinding tpm device id v1";

/// The id of a TPM between two calls of `TPM2_Clear`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct DeviceId([u8; 16]);

impl DeviceId {
    /// Asks the TPM.
    pub(crate) fn read(connection: &mut Connection) -> Result<Self> {
        let message = MaxBuffer::try_from(MESSAGE).map_err(|e| Failure::of("TPM2_Hash", e))?;
        let (_, ticket) = connection.run("TPM2_Hash", |context| {
            context.hash(message.clone(), HashingAlgorithm::Sha256, Hierarchy::Owner)
        })?;
        if ticket.digest().is_empty() {
            let text = "the TPM gives no tickets for its owner hierarchy";
            return Err(Failure::stated(ErrorKind::Unsupported, text));
        }
        let mut hash = Sha256::new();
        hash.update(MESSAGE);
        hash.update(ticket.digest());
        let digest: [u8; 32] = hash.finalize().into();
        let (id, _) = digest.split_first_chunk().expect("32 bytes hold 16");
        Ok(Self(*id))
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tpm:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceId({self})")
    }
}
