//! Which mechanisms a token has, and what key types they amount to.

use cryptoki_sys::*;
use tokenbinding_backend::{KeyType, SignedData};

use crate::{fault::Result, module::Module};

/// A mechanism that signs, in the form that its token wants its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// The mechanism's name, such as `CKM_ECDSA`.
    pub name: &'static str,
    mechanism: CK_MECHANISM_TYPE,
    input: Input,
    pss: bool,
}

/// What a mechanism wants to be handed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// The 34 bytes themselves.
    Data,
    /// Their SHA-256.
    Digest,
    /// A DER `DigestInfo` around their SHA-256 (RFC 8017 §9.2).
    DigestInfo,
}

/// `DigestInfo` of SHA-256, up to the 32 bytes of the digest (RFC 8017 §9.2, note 1).
const SHA256_DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];

macro_rules! scheme {
    ($mechanism:ident, $input:ident, $pss:literal) => {
        Scheme {
            name: stringify!($mechanism),
            mechanism: $mechanism,
            input: Input::$input,
            pss: $pss,
        }
    };
}

/// The mechanisms that sign for a key type, the most widely known first.
const fn schemes(kind: KeyType) -> &'static [Scheme; 2] {
    match kind {
        KeyType::EcdsaP256 => &[
            scheme!(CKM_ECDSA, Digest, false),
            scheme!(CKM_ECDSA_SHA256, Data, false),
        ],
        KeyType::Rsa2048Pkcs1_5 => &[
            scheme!(CKM_RSA_PKCS, DigestInfo, false),
            scheme!(CKM_SHA256_RSA_PKCS, Data, false),
        ],
        KeyType::Rsa2048Pss => &[
            scheme!(CKM_RSA_PKCS_PSS, Digest, true),
            scheme!(CKM_SHA256_RSA_PKCS_PSS, Data, true),
        ],
    }
}

/// The mechanism that makes key pairs of `kind`.
pub(crate) const fn generation(kind: KeyType) -> (CK_MECHANISM_TYPE, &'static str) {
    match kind {
        KeyType::EcdsaP256 => (CKM_EC_KEY_PAIR_GEN, "CKM_EC_KEY_PAIR_GEN"),
        KeyType::Rsa2048Pss | KeyType::Rsa2048Pkcs1_5 => {
            (CKM_RSA_PKCS_KEY_PAIR_GEN, "CKM_RSA_PKCS_KEY_PAIR_GEN")
        }
    }
}

/// What a mechanism is handed: at most a `DigestInfo`, 51 bytes.
pub(crate) struct SignInput {
    bytes: [u8; 51],
    len: usize,
}

impl SignInput {
    fn new(parts: [&[u8]; 2]) -> Self {
        let mut bytes = [0; 51];
        let mut len = 0;
        for part in parts {
            bytes[len..len + part.len()].copy_from_slice(part);
            len += part.len();
        }
        Self { bytes, len }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Scheme {
    pub(crate) const fn mechanism(&self) -> CK_MECHANISM_TYPE {
        self.mechanism
    }

    /// The parameters of RSASSA-PSS as RFC 8471 §3.3 wants them: a salt as long as the hash.
    pub(crate) fn pss_parameters(&self) -> Option<CK_RSA_PKCS_PSS_PARAMS> {
        self.pss.then_some(CK_RSA_PKCS_PSS_PARAMS {
            hashAlg: CKM_SHA256,
            mgf: CKG_MGF1_SHA256,
            sLen: 32,
        })
    }

    /// What the mechanism is handed to sign `data`.
    pub(crate) fn input(&self, data: &SignedData) -> SignInput {
        match self.input {
            Input::Data => SignInput::new([data.as_bytes(), &[]]),
            Input::Digest => SignInput::new([&data.sha256(), &[]]),
            Input::DigestInfo => SignInput::new([&SHA256_DIGEST_INFO, &data.sha256()]),
        }
    }
}

/// What a token can do for one key type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTypeSupport {
    /// The key type.
    pub kind: KeyType,
    /// The mechanisms that sign for it, the first to be tried first.
    pub schemes: Vec<Scheme>,
    /// Why the token makes no keys of this type; `None` when it does.
    pub missing: Option<String>,
}

/// What the token in `slot` can do for each key type, the most preferred first.
pub(crate) fn support(module: &Module, slot: CK_SLOT_ID) -> Result<Vec<KeyTypeSupport>> {
    let listed = module.c_get_mechanism_list(slot)?;
    let has = |mechanism, flag| {
        listed.contains(&mechanism)
            // A mechanism without information is taken at its word.
            && module
                .c_get_mechanism_info(slot, mechanism)
                .map_or(true, |info| info.flags & flag != 0)
    };
    let types = KeyType::ALL.into_iter().map(|kind| {
        let all = schemes(kind);
        let schemes: Vec<Scheme> = all
            .iter()
            .filter(|scheme| has(scheme.mechanism, CKF_SIGN))
            .copied()
            .collect();
        let (generation, name) = generation(kind);
        let missing = if schemes.is_empty() {
            let [first, second] = all.map(|scheme| scheme.name);
            Some(format!(
                "the token signs neither with {first} nor with {second}"
            ))
        } else if !has(generation, CKF_GENERATE_KEY_PAIR) {
            Some(format!("the token does not have {name}"))
        } else {
            None
        };
        KeyTypeSupport {
            kind,
            schemes,
            missing,
        }
    });
    Ok(types.collect())
}
