//! What a new key pair is to be, and the proof that it is.
//!
//! RFC 8471 §4.1 wants private keys that cannot be exported. Asking for one is not having one, so
//! the private half is read back: made on the token (`CKA_LOCAL`), sensitive and unextractable for
//! all its life. A key without that proof is not used, whoever made it.

use cryptoki_sys::*;
use tokenbinding_backend::{KeyId, KeyName, KeyType};

use crate::{
    module::{Attribute, Attributes},
    public_key::P256_PARAMS,
};

/// What the labels of all our objects begin with.
pub(crate) const LABEL: &str = "tokenbinding";
/// Longest label, in bytes: tokens have little room.
const MAX_LABEL: usize = 64;
const RSA_BITS: CK_ULONG = 2048;
const RSA_EXPONENT: [u8; 3] = [1, 0, 1];

/// The templates of both halves.
#[derive(Debug)]
pub(crate) struct Templates {
    /// Session objects, that is.
    pub(crate) ephemeral: bool,
    pub(crate) public: Vec<Attribute>,
    pub(crate) private: Vec<Attribute>,
}

impl Templates {
    /// A pair of type `kind` for `id`.
    ///
    /// Who has the token but no PIN can read public objects, so the public half does not name the
    /// scope.
    pub(crate) fn new(id: &KeyId, kind: KeyType) -> Self {
        let name = id.name(kind);
        let ephemeral = id.is_ephemeral();
        // What else the halves may do is left to the token: tpm2-pkcs11 1.9 refuses CKA_VERIFY for EC
        // keys, and signs with RSA keys by decrypting.
        let mut public = vec![
            Attribute::flag(CKA_TOKEN, !ephemeral),
            Attribute::flag(CKA_PRIVATE, false),
            Attribute::flag(CKA_MODIFIABLE, false),
            Attribute::bytes(CKA_ID, *name.as_bytes()),
            Attribute::bytes(CKA_LABEL, LABEL),
        ];
        if kind.is_rsa() {
            public.push(Attribute::number(CKA_MODULUS_BITS, RSA_BITS));
            public.push(Attribute::bytes(CKA_PUBLIC_EXPONENT, RSA_EXPONENT));
        } else {
            public.push(Attribute::bytes(CKA_EC_PARAMS, P256_PARAMS));
        }
        let private = vec![
            Attribute::flag(CKA_TOKEN, !ephemeral),
            Attribute::flag(CKA_PRIVATE, true),
            Attribute::flag(CKA_SENSITIVE, true),
            Attribute::flag(CKA_EXTRACTABLE, false),
            Attribute::flag(CKA_SIGN, true),
            Attribute::flag(CKA_MODIFIABLE, false),
            Attribute::bytes(CKA_ID, *name.as_bytes()),
            Attribute::bytes(CKA_LABEL, label(id)),
        ];
        Self {
            ephemeral,
            public,
            private,
        }
    }

    /// Without what some tokens refuse to be told.
    pub(crate) fn without_modifiable(self) -> Self {
        let plain = |mut template: Vec<Attribute>| {
            template.retain(|attribute| attribute.kind() != CKA_MODIFIABLE);
            template
        };
        Self {
            public: plain(self.public),
            private: plain(self.private),
            ..self
        }
    }
}

/// Names the scope, for the token's owner.
fn label(id: &KeyId) -> String {
    if id.is_ephemeral() {
        return LABEL.to_owned();
    }
    let mut label = format!("{LABEL} {}", id.scope());
    while label.len() > MAX_LABEL {
        label.pop();
    }
    label
}

/// What finds the halves of class `class` (`CKO_…`) of the pairs of this name.
pub(crate) fn search(name: &KeyName, kind: KeyType, class: CK_OBJECT_CLASS) -> [Attribute; 3] {
    let key_type = if kind.is_rsa() { CKK_RSA } else { CKK_EC };
    [
        Attribute::number(CKA_CLASS, class),
        Attribute::number(CKA_KEY_TYPE, key_type),
        Attribute::bytes(CKA_ID, *name.as_bytes()),
    ]
}

/// What is read of a private key before it is used.
pub(crate) const PROOF: [CK_ATTRIBUTE_TYPE; 6] = [
    CKA_LOCAL,
    CKA_SENSITIVE,
    CKA_ALWAYS_SENSITIVE,
    CKA_EXTRACTABLE,
    CKA_NEVER_EXTRACTABLE,
    CKA_ALWAYS_AUTHENTICATE,
];

/// What the token does not vouch for, or `None` when the key was made on it and cannot leave it.
pub(crate) fn unproven(told: &Attributes) -> Option<&'static str> {
    let wanted = [
        (CKA_LOCAL, true, "CKA_LOCAL"),
        (CKA_SENSITIVE, true, "CKA_SENSITIVE"),
        (CKA_ALWAYS_SENSITIVE, true, "CKA_ALWAYS_SENSITIVE"),
        (CKA_EXTRACTABLE, false, "CKA_EXTRACTABLE"),
        (CKA_NEVER_EXTRACTABLE, true, "CKA_NEVER_EXTRACTABLE"),
    ];
    let failed = wanted
        .into_iter()
        .find(|(kind, wanted, _)| told.flag(*kind) != Some(*wanted));
    failed.map(|(.., name)| name)
}

#[cfg(test)]
mod tests {
    use tokenbinding_backend::Profile;

    use super::*;

    #[test]
    fn a_long_scope_is_cut_between_characters() {
        let id = KeyId::new(Profile::default(), "ü".repeat(100));
        let label = label(&id);
        assert!(label.len() <= MAX_LABEL && label.ends_with('ü'), "{label}");
    }

    #[test]
    fn an_ephemeral_key_is_no_token_object_and_names_no_site() {
        let id = KeyId::new(Profile::Ephemeral, "host:secret.example");
        let Templates {
            public, private, ..
        } = Templates::new(&id, KeyType::EcdsaP256);
        for template in [public, private] {
            let text = format!("{template:?}");
            let site = format!("{:?}", b"secret").replace(['[', ']'], "");
            assert!(!text.contains(&site));
            let token = format!("{:?}", Attribute::flag(CKA_TOKEN, false));
            assert!(text.contains(&token));
        }
    }
}
