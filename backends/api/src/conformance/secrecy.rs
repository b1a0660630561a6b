//! What must never be seen.

use super::{Device, create, durable};

/// No `Debug` output, and no byte that is stored, holds one of the device's secrets.
pub fn no_secret_is_shown(device: &dyn Device) {
    let backend = device.open();
    for &kind in backend.key_types() {
        let (stored, key) = create(&*backend, &durable("host:example.com"), kind);
        let shown = format!(
            "{backend:?}\n{:?}\n{stored:?}\n{key:?}\n{key:#?}",
            backend.info()
        );
        for secret in device.secrets() {
            for spelling in spellings(&secret) {
                assert!(!shown.contains(&spelling), "Debug shows a secret");
            }
            let stored = stored.encode();
            let found = stored.windows(secret.len()).any(|window| window == secret);
            assert!(!found, "a secret is stored");
        }
    }
}

/// The ways in which formatting might print `secret`.
fn spellings(secret: &[u8]) -> Vec<String> {
    let join = |separator: &str, byte: fn(&u8) -> String| {
        let bytes: Vec<String> = secret.iter().map(byte).collect();
        bytes.join(separator)
    };
    let mut spellings = vec![
        join("", |b| format!("{b:02x}")),
        join("", |b| format!("{b:02X}")),
        join(", ", ToString::to_string),
    ];
    spellings.extend(String::from_utf8(secret.to_vec()));
    spellings
}
