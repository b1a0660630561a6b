//! Keys, and sound messages signed with them.

use std::collections::HashMap;

use data_encoding::HEXLOWER;
use tokenbinding::{KeyType, Policy};

use crate::{draft::Binding, ecdsa, random::Random, rsa};

/// Octets of key parameters.
pub(crate) const PKCS1: u8 = 0;
pub(crate) const PSS: u8 = 1;
pub(crate) const P256: u8 = 2;

/// Makes sound bindings from a handful of keys and EKMs. Signing is slow and says nothing new the
/// second time, so each signature is made once.
pub(crate) struct Forge {
    pub(crate) random: Random,
    pub(crate) ekms: Vec<Vec<u8>>,
    pub(crate) ecdsa: Vec<ecdsa::Key>,
    pub(crate) rsa: Vec<rsa::Key>,
    made: HashMap<Wanted, Vec<u8>>,
}

/// Type, parameters, which key, which EKM.
type Wanted = (u8, u8, usize, Vec<u8>);

/// The connection that a message is for.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) negotiated: KeyType,
    pub(crate) policy: Policy,
    pub(crate) ekm: Vec<u8>,
}

impl Forge {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let ecdsa = (0..6).map(|_| ecdsa::Key::random(&mut random)).collect();
        // The least and the greatest exponent that is prime to both primes less one, and others.
        let exponents = [65537, 3, 257, (1 << 32) + 15, (1 << 33) - 3];
        let [p, q] = primes();
        let key = |exponent| rsa::Key::new(&p, &q, exponent);
        let rsa = exponents.into_iter().map(key).collect();
        let ekms = (0..4).map(|_| random.bytes(32)).collect();
        let made = HashMap::new();
        Self {
            random,
            ekms,
            ecdsa,
            rsa,
            made,
        }
    }

    pub(crate) fn context(&mut self) -> Context {
        Context {
            negotiated: *self.random.pick(&KeyType::ALL),
            policy: *self.random.pick(&[Policy::Default, Policy::Protocol]),
            ekm: self.random.pick(&self.ekms).clone(),
        }
    }

    /// A provided binding, often a referred one, sometimes others, in any order.
    pub(crate) fn bindings(&mut self, context: &Context) -> Vec<Binding> {
        let mut bindings = vec![self.binding(0, context.negotiated.octet(), &context.ekm)];
        if self.random.percent(40) {
            let parameters = self.parameters();
            bindings.push(self.binding(1, parameters, &context.ekm));
        }
        while self.random.percent(15) && bindings.len() < 16 {
            let binding_type = *self.random.pick(&[2, 77, 255]);
            let parameters = self.parameters();
            bindings.push(self.binding(binding_type, parameters, &context.ekm));
        }
        if self.random.percent(30) {
            let (one, other) = (self.random.below(bindings.len()), 0);
            bindings.swap(one, other);
        }
        bindings
    }

    /// Mostly registered ones.
    pub(crate) fn parameters(&mut self) -> u8 {
        if self.random.percent(10) {
            return *self.random.pick(&[3, 99, 239, 255]);
        }
        *self.random.pick(&[PKCS1, PSS, P256, P256])
    }

    /// A binding that is sound, or cannot be judged because its parameters are unknown.
    pub(crate) fn binding(&mut self, binding_type: u8, parameters: u8, ekm: &[u8]) -> Binding {
        let keys = match parameters {
            P256 => self.ecdsa.len(),
            _ => self.rsa.len(),
        };
        let which = self.random.below(keys);
        let (key, signature) = match parameters {
            PKCS1 | PSS => (rsa_body(&self.rsa[which]), None),
            P256 => ([&[64], &self.ecdsa[which].point[..]].concat(), None),
            _ => {
                let (key, signature) = (self.random.below(40), 64 + self.random.below(40));
                (self.random.bytes(key), Some(self.random.bytes(signature)))
            }
        };
        let sign = || (binding_type, parameters, which, ekm.to_vec());
        Binding {
            binding_type,
            parameters,
            key,
            signature: signature.unwrap_or_else(|| self.signature(sign())),
            ..Binding::default()
        }
    }

    fn signature(&mut self, wanted: Wanted) -> Vec<u8> {
        if let Some(made) = self.made.get(&wanted) {
            return made.clone();
        }
        let (binding_type, parameters, which, ekm) = &wanted;
        let data = signed(*binding_type, *parameters, ekm);
        let made = match *parameters {
            P256 => self.ecdsa[*which].sign(&data, &mut self.random),
            PSS => {
                let salt = self.random.bytes(32);
                self.rsa[*which].sign_pss(&data, &salt)
            }
            _ => self.rsa[*which].sign_pkcs1(&data),
        };
        self.made.insert(wanted, made.clone());
        made
    }
}

/// What a signature covers (RFC 8471 §3.3).
pub(crate) fn signed(binding_type: u8, parameters: u8, ekm: &[u8]) -> Vec<u8> {
    [&[binding_type, parameters], ekm].concat()
}

/// `RSAPublicKey` (RFC 8471 §3.1).
pub(crate) fn rsa_body(key: &rsa::Key) -> Vec<u8> {
    rsa_body_of(&key.modulus, &key.exponent)
}

pub(crate) fn rsa_body_of(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let length = u16::try_from(modulus.len()).unwrap().to_be_bytes();
    let digits = u8::try_from(exponent.len()).unwrap();
    [&length, modulus, &[digits], exponent].concat()
}

/// Those of the RSA key of the project's vectors.
fn primes() -> [Vec<u8>; 2] {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../vectors/project.json")).unwrap();
    ["p", "q"].map(|name| {
        let hex = vectors["keys"]["R"][name].as_str().unwrap();
        HEXLOWER.decode(hex.as_bytes()).unwrap()
    })
}
