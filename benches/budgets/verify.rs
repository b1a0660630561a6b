//! The verifier against one check of the same library, key parsing included.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use tokenbinding::{Binder, Ekm, KeyType, Verifier};
use tokenbinding_backend::PublicKey;
use tokenbinding_benches::{Limit, Paired, Row, paired, speedup};

use super::{PROVIDED, TARGET, ekm, software};

pub(super) fn rows() -> Vec<Row> {
    let (_store, binder) = software::binder();
    let mut rows: Vec<_> = KeyType::ALL
        .into_iter()
        .map(|kind| {
            let name = format!("verify-{}", kind.name());
            Row::paired(&name, &verified(&binder, kind), Limit::RatioAtMost, 1.10)
        })
        .collect();
    let message = message(&binder, KeyType::EcdsaP256, &ekm());
    let verifier = Verifier::new(KeyType::EcdsaP256);
    let threads = speedup(21, || drop(verifier.verify(&message, &ekm()).unwrap()));
    rows.push(Row::threads("verify-2-threads", &threads, 1.9));
    rows
}

fn message(binder: &Binder, kind: KeyType, ekm: &Ekm) -> Vec<u8> {
    let binding = binder
        .generate_binding(TARGET, kind, PROVIDED, ekm)
        .unwrap();
    Binder::generate_message(&[binding]).unwrap()
}

fn verified(binder: &Binder, kind: KeyType) -> Paired {
    let ekm = ekm();
    let message = message(binder, kind, &ekm);
    let verifier = Verifier::new(kind);
    let whole = || drop(verifier.verify(&message, &ekm).unwrap());
    let signature = {
        let parsed = tokenbinding::TokenBindingMessage::parse(&message).unwrap();
        parsed.token_bindings()[0].signature().to_vec()
    };
    let public_key = binder.id(TARGET, kind).unwrap().id.public_key().unwrap();
    let data = ekm.signed_data(PROVIDED, kind);
    match &public_key {
        PublicKey::EcdsaP256(key) => paired(300, whole, || {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.sec1())
                .verify(data.as_bytes(), &signature)
                .unwrap();
        }),
        PublicKey::Rsa2048(key) => {
            let scheme = match kind {
                KeyType::Rsa2048Pss => &RSA_PSS_2048_8192_SHA256,
                _ => &RSA_PKCS1_2048_8192_SHA256,
            };
            let exponent = key.exponent().to_be_bytes();
            let zeros = exponent.iter().take_while(|b| **b == 0).count();
            paired(300, whole, || {
                RsaPublicKeyComponents {
                    n: key.modulus().as_slice(),
                    e: &exponent[zeros..],
                }
                .verify(scheme, data.as_bytes(), &signature)
                .unwrap();
            })
        }
    }
}
