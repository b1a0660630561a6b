//! Every published and project vector gets its verdict, one test each.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, fs, path::Path};

use data_encoding::HEXLOWER;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use serde::Deserialize;
use tokenbinding::{
    Ekm, KeyType, Policy, Rejection, TokenBindingId, TokenBindingMessage, TokenBindingType,
    VerifiedBinding, VerifiedBindings, Verifier, header,
    message::{Tbh, TokenBindingKeyParameters},
};
use tokenbinding_backend::P256PublicKey;

#[derive(Deserialize)]
struct Vectors {
    vectors: BTreeMap<String, Vector>,
}

#[derive(Deserialize)]
struct Vector {
    expect: String,
    ekm: String,
    msg: String,
    hdr: Option<String>,
}

fn load<T: for<'de> Deserialize<'de>>(file: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(file);
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

impl Vector {
    fn named(file: &str, name: &str) -> Self {
        let mut vectors: Vectors = load(file);
        vectors.vectors.remove(name).unwrap()
    }

    /// The verdict for a connection that negotiated what the first binding has.
    fn verify(&self, policy: Policy) -> Result<VerifiedBindings, Rejection> {
        let message = hex(&self.msg);
        let negotiated = message.get(3).and_then(|octet| KeyType::from_octet(*octet));
        let verifier = Verifier::new(negotiated.unwrap_or(KeyType::EcdsaP256)).with_policy(policy);
        verifier.verify(&message, &Ekm::from_hex(&self.ekm).unwrap())
    }

    fn check(&self) {
        let message = hex(&self.msg);
        if let Some(header) = &self.hdr {
            assert_eq!(header::encode(&message), *header);
            assert_eq!(header::decode(header), Ok(message.clone()));
        }
        if let Ok(parsed) = TokenBindingMessage::parse(&message) {
            assert_eq!(parsed.encode(), message);
        }
        let (default, protocol) = match self.expect.as_str() {
            "accept" | "policy" => (true, true),
            "reject" => (false, false),
            "reject-http" => (false, true),
            other => panic!("no such expectation: {other}"),
        };
        assert_eq!(self.verify(Policy::Default).is_ok(), default);
        assert_eq!(self.verify(Policy::Protocol).is_ok(), protocol);
    }
}

macro_rules! vectors {
    ($file:literal: $($test:ident $name:literal)*) => {
        $(
            #[test]
            fn $test() {
                Vector::named($file, $name).check();
            }
        )*
    };
}

vectors! { "project.json":
    s1_provided_only "S1"
    s2_provided_and_referred "S2"
    s3_unknown_extension_is_ignored "S3"
    s4_unknown_type_well_signed "S4"
    s5_signature_over_another_ekm "S5"
    s6_second_type_changed_to_provided "S6"
    s7_high_s_is_a_signature_too "S7"
    s8_r_has_a_leading_zero "S8"
    s9_s_has_a_leading_zero "S9"
    s10_x_has_a_leading_zero "S10"
    s11_y_has_a_leading_zero "S11"
    s12_empty_list "S12"
    s13_referred_only_is_against_http "S13"
    s14_der_signature "S14"
    s15_point_with_a_prefix "S15"
    s16_a_trailing_byte "S16"
    s17_point_off_the_curve "S17"
    s18_referred_equal_to_provided "S18"
    s19_unknown_type_and_parameters_are_skipped "S19"
    r1_rsa_pkcs1 "R1"
    r2_rsa_pss_with_a_salt_of_32 "R2"
    r3_rsa_pss_with_a_salt_of_222 "R3"
    r4_rsa_pss_with_a_salt_of_20 "R4"
}

vectors! { "third_party.json":
    edge_capture "edge_0_10_provided"
    chrome_capture "chrome_0_13_provided"
    draft_example_provided_and_referred "provided_and_referred"
    draft_example_unknown_type_and_parameters "unknown_type_77_with_unknown_parameters_99"
    draft_example_unknown_type_badly_signed "unknown_type_77_with_a_bad_signature"
    fizz_chrome_capture "fizz_chrome_capture"
    fizz_point_off_the_curve "fizz_point_off_the_curve"
}

#[test]
fn no_vector_is_left_out() {
    let count = |file| load::<Vectors>(file).vectors.len();
    assert_eq!((count("project.json"), count("third_party.json")), (23, 7));
}

#[test]
fn each_project_vector_is_rejected_for_its_own_reason() {
    let reason = |name| {
        Vector::named("project.json", name)
            .verify(Policy::Default)
            .unwrap_err()
    };
    let says = |name, text: &str| {
        let reason = reason(name).to_string();
        assert!(reason.contains(text), "{name}: {reason}");
    };
    assert_eq!(reason("S5"), Rejection::BadSignature { binding: 0 });
    assert_eq!(
        reason("S6"),
        Rejection::SeveralProvidedBindings { found: 2 }
    );
    assert_eq!(reason("S13"), Rejection::NoProvidedBinding);
    assert_eq!(reason("R3"), Rejection::BadSignature { binding: 0 });
    assert_eq!(reason("R4"), Rejection::BadSignature { binding: 0 });
    says("S12", "the list is empty");
    says(
        "S14",
        "binding 0, signature at byte 73: it has 71 bytes and must have 64",
    );
    says(
        "S15",
        "binding 0, point at byte 7: it has 65 bytes and must have 64",
    );
    says("S16", "1 bytes are left over");
    says(
        "S17",
        "binding 0, point at byte 7: the point is not on the curve",
    );
}

#[test]
fn unknown_entries_are_reported_or_skipped() {
    let types = |name| -> Vec<_> {
        let verified = Vector::named("project.json", name)
            .verify(Policy::Default)
            .unwrap();
        verified.iter().map(VerifiedBinding::binding_type).collect()
    };
    let provided = TokenBindingType::Provided;
    assert_eq!(types("S4"), [provided, TokenBindingType::Other(0x7f)]);
    assert_eq!(types("S19"), [provided]);
}

#[test]
fn an_unknown_extension_is_passed_through() {
    let verified = Vector::named("project.json", "S3")
        .verify(Policy::Default)
        .unwrap();
    let extensions: Vec<_> = verified.provided().unwrap().extensions().collect();
    assert_eq!(extensions, [(0, &[1, 2, 3][..])]);
}

#[test]
fn a_provided_binding_must_have_the_negotiated_parameters() {
    let vector = Vector::named("project.json", "R2");
    for policy in [Policy::Default, Policy::Protocol] {
        let verifier = Verifier::new(KeyType::EcdsaP256).with_policy(policy);
        let verdict = verifier.verify(&hex(&vector.msg), &Ekm::from_hex(&vector.ekm).unwrap());
        let rejection = Rejection::NotNegotiated {
            binding: 0,
            found: TokenBindingKeyParameters::Known(KeyType::Rsa2048Pss),
            negotiated: KeyType::EcdsaP256,
        };
        assert_eq!(verdict, Err(rejection));
    }
}

#[test]
fn ids_and_hashes_are_the_published_ones() {
    #[derive(Deserialize)]
    struct Keys {
        keys: BTreeMap<String, BTreeMap<String, String>>,
    }
    let keys = load::<Keys>("project.json").keys;
    for (key, id, tbh) in [
        ("A", "tbid", "tbh"),
        ("B", "tbid", "tbh"),
        ("R", "tbid_pkcs", "tbh_pkcs"),
    ] {
        let id = TokenBindingId::parse(&hex(&keys[key][id])).unwrap();
        assert_eq!(id.tbh().to_string(), keys[key][tbh]);
        assert_eq!(keys[key][tbh].parse::<Tbh>(), Ok(id.tbh()));
        let TokenBindingKeyParameters::Known(kind) = id.key_parameters() else {
            panic!("{key} is of a known type");
        };
        assert_eq!(TokenBindingId::new(kind, &id.public_key().unwrap()), id);
    }
    let pkcs1 = TokenBindingId::parse(&hex(&keys["R"]["tbid_pkcs"])).unwrap();
    let pss = TokenBindingId::new(KeyType::Rsa2048Pss, &pkcs1.public_key().unwrap());
    assert_eq!(pss.tbh().to_string(), keys["R"]["tbh_pss"]);
}

#[test]
fn the_example_of_rfc_8473_parses_encodes_and_hashes() {
    #[derive(Deserialize)]
    struct File {
        rfc8473_example: Example,
    }
    #[derive(Deserialize)]
    struct Example {
        hdr: String,
        msg: String,
        tbh: String,
    }
    let example = load::<File>("third_party.json").rfc8473_example;
    let message = header::decode(&example.hdr).unwrap();
    assert_eq!(message, hex(&example.msg));
    let parsed = TokenBindingMessage::parse(&message).unwrap();
    let [binding] = parsed.token_bindings() else {
        panic!("it has one binding");
    };
    assert_eq!(binding.binding_type(), TokenBindingType::Provided);
    assert_eq!(binding.id().tbh().to_string(), example.tbh);
    assert_eq!(parsed.encode(), message);
}

#[test]
fn the_static_keys_of_the_draft_have_their_ids_and_hashes() {
    #[derive(Deserialize)]
    struct File {
        static_keys: BTreeMap<String, StaticKey>,
    }
    #[derive(Deserialize)]
    struct StaticKey {
        d: String,
        id: String,
        tbh: String,
    }
    let keys = load::<File>("third_party.json").static_keys;
    assert_eq!(keys.len(), 3);
    for (name, key) in keys {
        let secret = p256::SecretKey::from_slice(&hex(&key.d)).unwrap();
        let point = secret.public_key().to_sec1_point(false);
        let xy = point.as_bytes().last_chunk().unwrap();
        let public_key = P256PublicKey::from_xy(xy).unwrap().into();
        let id = TokenBindingId::new(KeyType::EcdsaP256, &public_key);
        assert_eq!(
            (id.to_string(), id.tbh().to_string()),
            (key.id, key.tbh),
            "{name}"
        );
    }
}
