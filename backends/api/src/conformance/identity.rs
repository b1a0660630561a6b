//! What the backend says of its device.

use super::Device;

/// The info names the provider, the device and what it can do.
pub fn the_info_says_what_the_device_is(device: &dyn Device) {
    let backend = device.open();
    let info = backend.info();
    assert!(!info.name.is_empty() && !info.model.is_empty() && !info.device.is_empty());
    let offered = backend.key_types();
    assert!(!offered.is_empty(), "a device makes keys of some type");
    let known = info.key_types.iter().all(|kind| offered.contains(kind));
    assert!(known, "what the info lists is offered");
    let mut types = offered.to_vec();
    types.sort();
    types.dedup();
    assert_eq!(types.len(), offered.len(), "each type once");
}

/// A device keeps its id.
pub fn the_device_is_the_same_when_opened_again(device: &dyn Device) {
    assert_eq!(device.open().info(), device.open().info());
}

/// Rows of one device are not taken for those of another.
pub fn another_device_has_another_id(device: &dyn Device) {
    assert_ne!(
        device.open().info().device,
        device.open_other().info().device
    );
}
