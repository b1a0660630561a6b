//! What is sent to both verifiers, in parts that can be put together wrongly.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use tokenbinding::{KeyType, Policy};

/// A `TokenBinding` (RFC 8471 §3.1) before it is encoded.
#[derive(Clone, Default)]
pub(crate) struct Binding {
    pub(crate) binding_type: u8,
    pub(crate) parameters: u8,
    /// What `key_length` counts.
    pub(crate) key: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) extensions: Vec<u8>,
    /// What is added to each length when it is written: key, signature, extensions.
    pub(crate) lies: [i8; 3],
}

impl Binding {
    fn encode(&self) -> Vec<u8> {
        let length = |content: &[u8], lie: i8| {
            let length = u16::try_from(content.len()).unwrap();
            length.wrapping_add_signed(lie.into()).to_be_bytes()
        };
        [
            &[self.binding_type, self.parameters][..],
            &length(&self.key, self.lies[0]),
            &self.key,
            &length(&self.signature, self.lies[1]),
            &self.signature,
            &length(&self.extensions, self.lies[2]),
            &self.extensions,
        ]
        .concat()
    }
}

/// A `TokenBindingMessage` of these bindings.
pub(crate) fn message(bindings: &[Binding]) -> Vec<u8> {
    let list: Vec<u8> = bindings.iter().flat_map(Binding::encode).collect();
    let mut message = vec![0, 0];
    message.extend(list);
    fix_length(&mut message);
    message
}

/// Makes the first two bytes tell how many follow.
pub(crate) fn fix_length(message: &mut Vec<u8>) {
    if message.len() < 2 {
        message.resize(2, 0);
    }
    let length = u16::try_from(message.len() - 2).unwrap();
    message[..2].copy_from_slice(&length.to_be_bytes());
}

/// A header value and the connection it comes on.
pub(crate) struct Case {
    pub(crate) negotiated: KeyType,
    pub(crate) policy: Policy,
    /// 32 bytes, or not.
    pub(crate) ekm: Vec<u8>,
    pub(crate) header: String,
    /// What was done to a sound message, for whoever has to find out about a disagreement.
    pub(crate) mutations: Vec<&'static str>,
}

impl Case {
    /// As `verifier.py` reads it.
    pub(crate) fn line(&self) -> String {
        let policy = match self.policy {
            Policy::Default => "default",
            Policy::Protocol => "protocol",
        };
        format!(
            "{}\t{policy}\t{}\t{}\n",
            self.negotiated.octet(),
            HEXLOWER.encode(&self.ekm),
            HEXLOWER.encode(self.header.as_bytes()),
        )
    }
}

pub(crate) fn header(message: &[u8]) -> String {
    BASE64URL_NOPAD.encode(message)
}
