//! What a TPM says of itself, for people: `TPM2_GetCapability` only, nothing that needs an
//! authorization or changes the TPM. TPM 2.0 Library, Part 2, §6.13.

use std::{fmt, time::Duration};

use tokenbinding_backend::KeyType;
use tss_esapi::{
    constants::{CapabilityType, PropertyTag},
    structures::{CapabilityData, TaggedProperty},
};

use crate::{connection::Connection, failure::Result, pss::PssSupport};

/// The command by which a TPM tells of itself.
pub(crate) const GET_CAPABILITY: &str = "TPM2_GetCapability";

/// A TPM and its present state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TpmStatus {
    /// The TCTI that leads to it.
    pub tcti: String,
    /// The maker's four letters in the TCG's vendor registry, such as `IFX` or `STM`.
    pub manufacturer: String,
    /// What the maker calls the model, where it says.
    pub vendor: String,
    /// The firmware version as four numbers.
    pub firmware: String,
    /// The revision of the TPM 2.0 Library specification, such as `1.59`.
    pub spec_revision: String,
    /// Whether a program plays the TPM, as far as the TCTI and the maker tell.
    pub simulator: bool,
    /// The key types that it makes, the most preferred first.
    pub key_types: Vec<KeyType>,
    /// Why `rsa2048_pss` is among them or not.
    pub pss: PssSupport,
    /// Room for loaded keys.
    pub object_slots: ObjectSlots,
    /// The protection against guessing authorizations.
    pub lockout: Lockout,
    /// Whether the owner hierarchy has an authorization.
    pub owner_auth_set: bool,
}

impl TpmStatus {
    /// What is not said by the backend's info, by name.
    pub(crate) fn details(&self) -> Vec<(&'static str, String)> {
        let kind = if self.simulator {
            "a simulator"
        } else {
            "hardware"
        };
        let owner = if self.owner_auth_set { "set" } else { "empty" };
        vec![
            ("manufacturer", self.manufacturer.clone()),
            ("vendor", self.vendor.clone()),
            ("firmware", self.firmware.clone()),
            (
                "specification",
                format!("TPM 2.0 revision {}", self.spec_revision),
            ),
            ("made as", kind.to_owned()),
            ("rsa2048_pss", self.pss.to_string()),
            ("object slots", self.object_slots.to_string()),
            ("lockout", self.lockout.to_string()),
            ("owner authorization", owner.to_owned()),
        ]
    }
}

/// How many objects can be loaded at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectSlots {
    /// The number that the TPM promises.
    pub promised: u32,
    /// About how many more fit now. A resource manager makes room by itself.
    pub free: u32,
}

/// The state of the dictionary-attack protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lockout {
    /// Whether the TPM refuses keys that have an authorization.
    pub active: bool,
    /// Wrong authorizations that count now.
    pub failures: u32,
    /// How many lead to lockout.
    pub max_failures: u32,
    /// After which time one failure less counts.
    pub recovery: Duration,
}

impl fmt::Display for ObjectSlots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} promised, {} free", self.promised, self.free)
    }
}

impl fmt::Display for Lockout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.active { "active" } else { "not active" };
        let Self {
            failures,
            max_failures,
            recovery,
            ..
        } = self;
        let recovery = recovery.as_secs();
        write!(
            f,
            "{state}, {failures} of {max_failures} failures, one less every {recovery} s"
        )
    }
}

/// `TPMA_PERMANENT`: ownerAuthSet.
const OWNER_AUTH_SET: u32 = 1;
/// `TPMA_PERMANENT`: inLockout.
const IN_LOCKOUT: u32 = 1 << 9;
/// Makers of programs that play a TPM: libtpms, which is behind swtpm and the TPMs of virtual
/// machines, and Hyper-V's.
const SIMULATORS: [&str; 2] = ["IBM", "MSFT"];

impl Connection {
    /// Asks for everything but the key types.
    pub(crate) fn status(&mut self, key_types: &[KeyType], pss: PssSupport) -> Result<TpmStatus> {
        self.ensure()?;
        let manufacturer = text(&[self.property(PropertyTag::Manufacturer)?]);
        let vendor = text(&[
            self.property(PropertyTag::VendorString1)?,
            self.property(PropertyTag::VendorString2)?,
            self.property(PropertyTag::VendorString3)?,
            self.property(PropertyTag::VendorString4)?,
        ]);
        let [high, low] = [PropertyTag::FirmwareVersion1, PropertyTag::FirmwareVersion2];
        let (high, low) = (self.property(high)?, self.property(low)?);
        let revision = self.property(PropertyTag::Revision)?;
        let permanent = self.property(PropertyTag::Permanent)?;
        Ok(TpmStatus {
            tcti: self.tcti().as_str().to_owned(),
            simulator: self.tcti().is_simulator() || SIMULATORS.contains(&&*manufacturer),
            manufacturer,
            vendor,
            firmware: format!(
                "{}.{}.{}.{}",
                high >> 16,
                high & 0xffff,
                low >> 16,
                low & 0xffff
            ),
            spec_revision: format!("{}.{:02}", revision / 100, revision % 100),
            key_types: key_types.to_vec(),
            pss,
            object_slots: ObjectSlots {
                promised: self.property(PropertyTag::HrTransientMin)?,
                free: self.property(PropertyTag::HrTransientAvail)?,
            },
            lockout: Lockout {
                active: permanent & IN_LOCKOUT != 0,
                failures: self.property(PropertyTag::LockoutCounter)?,
                max_failures: self.property(PropertyTag::MaxAuthFail)?,
                recovery: seconds(self.property(PropertyTag::LockoutInterval)?),
            },
            owner_auth_set: permanent & OWNER_AUTH_SET != 0,
        })
    }

    /// A property's value; 0 where the TPM does not have the property.
    fn property(&mut self, tag: PropertyTag) -> Result<u32> {
        let (data, _) = self.run(GET_CAPABILITY, |context| {
            context.get_capability(CapabilityType::TpmProperties, tag.into(), 1)
        })?;
        let CapabilityData::TpmProperties(properties) = data else {
            return Ok(0);
        };
        Ok(properties.find(tag).map_or(0, TaggedProperty::value))
    }
}

/// After which time a TPM in lockout relents, where it says so.
pub(crate) fn lockout_recovery(connection: &mut Connection) -> Option<Duration> {
    let interval = connection.property(PropertyTag::LockoutInterval).ok()?;
    (interval > 0).then(|| seconds(interval))
}

fn seconds(value: u32) -> Duration {
    Duration::from_secs(value.into())
}

/// The text that properties hold, four letters each.
fn text(properties: &[u32]) -> String {
    let bytes = properties
        .iter()
        .flat_map(|property| property.to_be_bytes());
    let letters: Vec<u8> = bytes
        .filter(|byte| byte.is_ascii_graphic() || *byte == b' ')
        .collect();
    let text = String::from_utf8_lossy(&letters);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_their_padding() {
        let words = [*b"SW  ", *b" TPM", [0; 4]].map(u32::from_be_bytes);
        assert_eq!(text(&words), "SW TPM");
    }
}
