//! The suite that every backend passes on its real device.
//!
//! A backend's own tests implement [`Device`] and call [`conformance_tests!`](crate::conformance_tests)
//! once; each check becomes a test of its own, with a device of its own.
//!
//! ```ignore
//! tokenbinding_backend::conformance_tests!(MyDevice::start());
//! ```

#![allow(
    clippy::missing_panics_doc,
    reason = "a check panics when the device fails it: that is its result"
)]

mod deletion;
mod identity;
mod reopening;
mod secrecy;
mod signing;
mod threads;

use std::sync::Arc;

pub use self::{deletion::*, identity::*, reopening::*, secrecy::*, signing::*, threads::*};
use crate::{Backend, DeviceKey, KeyId, KeyType, Profile, SignedData, StoredKey};

/// A device under test, fresh for each check.
pub trait Device {
    /// Opens the device for lasting keys, each time as a new process would.
    fn open(&self) -> Arc<dyn Backend>;

    /// Opens the device for keys that die with the returned backend.
    fn open_ephemeral(&self) -> Arc<dyn Backend> {
        self.open()
    }

    /// Opens another device of the same make.
    fn open_other(&self) -> Arc<dyn Backend>;

    /// Whether the device carries its keys with it, so that [`Backend::find`] finds them.
    fn carries_keys(&self) -> bool;

    /// What must never be seen: PINs, masters, auth values.
    fn secrets(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }
}

/// Makes one test of each check of the suite, on the device that the expression starts.
#[macro_export]
macro_rules! conformance_tests {
    ($device:expr) => {
        $crate::conformance_tests! { $device =>
            the_info_says_what_the_device_is
            the_device_is_the_same_when_opened_again
            another_device_has_another_id
            a_created_key_signs
            a_signature_is_good_for_its_data_only
            a_type_that_is_not_offered_is_unsupported
            every_created_key_is_a_new_one
            a_stored_key_opens_again
            a_stored_key_opens_in_another_process
            a_stored_key_is_of_no_use_on_another_device
            a_damaged_stored_key_never_opens_as_another_key
            a_token_finds_its_keys
            a_deleted_key_is_not_found
            deleting_twice_is_no_error
            deleting_one_key_leaves_the_others
            an_ephemeral_key_signs_and_dies
            no_secret_is_shown
            threads_share_one_key
            threads_make_keys_at_once
        }
    };
    ($device:expr => $($check:ident)*) => {
        $(
            #[test]
            fn $check() {
                $crate::conformance::$check(&$device);
            }
        )*
    };
}

fn durable(scope: &str) -> KeyId {
    KeyId::new(Profile::default(), scope)
}

fn ephemeral(scope: &str) -> KeyId {
    KeyId::new(Profile::Ephemeral, scope)
}

/// The signed data of a connection whose EKM is 32 times `ekm`.
fn data(kind: KeyType, ekm: u8) -> SignedData {
    let mut bytes = [ekm; SignedData::LEN];
    bytes[..2].copy_from_slice(&[0, kind.octet()]);
    SignedData::new(bytes)
}

fn create(backend: &dyn Backend, id: &KeyId, kind: KeyType) -> (StoredKey, Arc<dyn DeviceKey>) {
    let (stored, key) = backend
        .create(id, kind)
        .unwrap_or_else(|error| panic!("creating a {kind} key: {error}"));
    assert_eq!(stored.kind(), kind);
    assert_eq!(stored.name(), &id.name(kind));
    assert_eq!(stored.public_key(), key.public_key());
    (stored, key)
}

/// `key` signs as a key of type `kind` does.
fn assert_signs(key: &dyn DeviceKey, kind: KeyType) {
    let data = data(kind, 0x5a);
    let signature = key
        .sign(&data)
        .unwrap_or_else(|error| panic!("signing with a {kind} key: {error}"));
    assert_eq!(signature.as_bytes().len(), kind.signature_len());
    let checked = key.public_key().verify(kind, &data, signature.as_bytes());
    assert_eq!(checked, Ok(()), "the signature of a {kind} key");
}
