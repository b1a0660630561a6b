//! The grammar from both sides: whatever is encoded parses to itself, and nothing else parses.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::{collection::vec, prelude::*};
use tokenbinding::{
    Ekm, KeyType, Policy, TokenBindingId, TokenBindingMessage, TokenBindingType, Verifier,
    message::{
        EncodeError, FieldName, MAX_BINDINGS, ParseErrorKind, TokenBinding, encode_message,
        encode_token_binding,
    },
};
use tokenbinding_backend::{P256PublicKey, Rsa2048PublicKey, Signature};

/// The generator of P-256: a point that is on the curve.
const POINT: &str = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                     4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

fn hex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn p256_id() -> TokenBindingId {
    let point = P256PublicKey::from_xy(&hex(POINT).try_into().unwrap()).unwrap();
    TokenBindingId::new(KeyType::EcdsaP256, &point.into())
}

fn rsa_id(exponent: u64) -> TokenBindingId {
    let key = Rsa2048PublicKey::new(&[0xff; 256], exponent).unwrap();
    TokenBindingId::new(KeyType::Rsa2048Pss, &key.into())
}

fn with_length(bytes: &[u8]) -> Vec<u8> {
    [
        &u16::try_from(bytes.len()).unwrap().to_be_bytes()[..],
        bytes,
    ]
    .concat()
}

/// A `TokenBindingID` written by hand: parameters and the body of the key.
fn id_bytes(parameters: u8, body: &[u8]) -> Vec<u8> {
    [&[parameters][..], &with_length(body)].concat()
}

fn rsa_body(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let length = u8::try_from(exponent.len()).unwrap();
    [&with_length(modulus)[..], &[length], exponent].concat()
}

fn binding_bytes(binding_type: u8, id: &[u8], signature: &[u8], extensions: &[u8]) -> Vec<u8> {
    [
        &[binding_type][..],
        id,
        &with_length(signature),
        &with_length(extensions),
    ]
    .concat()
}

fn message(bindings: &[Vec<u8>]) -> Vec<u8> {
    with_length(&bindings.concat())
}

fn sound_binding() -> Vec<u8> {
    binding_bytes(0, p256_id().as_bytes(), &[1; 64], &[])
}

/// What parsing a message of this one binding fails with.
fn fault(binding: Vec<u8>) -> (FieldName, ParseErrorKind) {
    let message = message(&[binding]);
    let error = TokenBindingMessage::parse(&message).unwrap_err();
    assert_eq!(error.binding, Some(0));
    (error.field, error.kind)
}

fn any_binding() -> impl Strategy<Value = Vec<u8>> {
    let extensions = vec((any::<u8>(), vec(any::<u8>(), 0..40)), 0..3).prop_map(|extensions| {
        let encode = |(kind, data): &(u8, Vec<u8>)| [&[*kind][..], &with_length(data)].concat();
        extensions.iter().flat_map(encode).collect::<Vec<u8>>()
    });
    let key = prop_oneof![
        vec(any::<u8>(), 64).prop_map(|signature| (p256_id().as_bytes().to_vec(), signature)),
        (1..(1u64 << 32), vec(any::<u8>(), 256)).prop_map(|(half, signature)| {
            (rsa_id(2 * half + 1).as_bytes().to_vec(), signature)
        }),
        (
            3..=255u8,
            vec(any::<u8>(), 0..70),
            vec(any::<u8>(), 64..300)
        )
            .prop_map(|(parameters, body, signature)| (id_bytes(parameters, &body), signature)),
    ];
    (any::<u8>(), key, extensions).prop_map(|(binding_type, (id, signature), extensions)| {
        binding_bytes(binding_type, &id, &signature, &extensions)
    })
}

proptest! {
    #[test]
    fn a_sound_message_parses_to_its_parts_and_encodes_to_itself(
        bindings in vec(any_binding(), 1..=MAX_BINDINGS),
    ) {
        let bytes = encode_message(&bindings).unwrap();
        prop_assert_eq!(&bytes, &message(&bindings));
        let parsed = TokenBindingMessage::parse(&bytes).unwrap();
        prop_assert_eq!(parsed.encode(), bytes.as_slice());
        prop_assert_eq!(parsed.token_bindings().len(), bindings.len());
        for (parsed, binding) in parsed.token_bindings().iter().zip(&bindings) {
            prop_assert_eq!(&parsed.encode(), binding);
            prop_assert_eq!(TokenBinding::parse(binding).unwrap(), parsed.clone());
            let signature = match *parsed.signature() {
                ref bytes if bytes.len() == 64 => Signature::EcdsaP256(bytes.try_into().unwrap()),
                ref bytes if bytes.len() == 256 => Signature::Rsa2048(bytes.try_into().unwrap()),
                // No key of ours makes one.
                _ => continue,
            };
            let again = encode_token_binding(
                parsed.binding_type(),
                &parsed.id(),
                &signature,
                parsed.extensions(),
            );
            prop_assert_eq!(&again, binding);
            let block = |e: &tokenbinding::message::TbExtension<'_>| 3 + e.extension_data.len();
            let blocks: usize = parsed.extensions().map(|e| block(&e)).sum();
            prop_assert_eq!(blocks, parsed.extensions().as_bytes().len());
        }
    }

    #[test]
    fn what_parses_encodes_to_the_same_bytes(
        bindings in vec(any_binding(), 1..4),
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut bytes = message(&bindings);
        for (at, flip) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        if let Ok(parsed) = TokenBindingMessage::parse(&bytes) {
            prop_assert_eq!(parsed.encode(), bytes);
        }
    }

    #[test]
    fn no_bytes_make_the_parser_or_the_verifier_panic(bytes in vec(any::<u8>(), 0..600)) {
        let ekm = Ekm::new([0; 32]);
        for policy in [Policy::Default, Policy::Protocol] {
            let verifier = Verifier::new(KeyType::EcdsaP256).with_policy(policy);
            prop_assert!(verifier.verify(&bytes, &ekm).is_err());
        }
    }

    #[test]
    fn a_message_cut_anywhere_is_rejected(bindings in vec(any_binding(), 1..3)) {
        let bytes = message(&bindings);
        for end in 0..bytes.len() {
            prop_assert!(TokenBindingMessage::parse(&bytes[..end]).is_err());
        }
    }

    #[test]
    fn the_fields_that_were_read_are_the_whole_message(bindings in vec(any_binding(), 1..4)) {
        let bytes = message(&bindings);
        let mut seen: Vec<u8> = Vec::new();
        TokenBindingMessage::parse_observed(&bytes, &mut |field| {
            assert_eq!(field.offset, seen.len());
            seen.extend(field.bytes);
        })
        .unwrap();
        prop_assert_eq!(seen, bytes);
    }
}

#[test]
fn a_list_of_16_is_the_longest() {
    let most = vec![sound_binding(); MAX_BINDINGS];
    assert!(TokenBindingMessage::parse(&message(&most)).is_ok());
    for count in [MAX_BINDINGS + 1, 478] {
        let error =
            TokenBindingMessage::parse(&message(&vec![sound_binding(); count])).unwrap_err();
        assert_eq!(error.kind, ParseErrorKind::TooMany);
        let result = encode_message(&vec![sound_binding(); count]);
        assert_eq!(result, Err(EncodeError::TooMany { count }));
    }
}

#[test]
fn a_message_of_65537_bytes_and_more_is_rejected_by_its_content() {
    let mut longest = vec![0xff; 65537];
    assert!(TokenBindingMessage::parse(&longest).is_err());
    longest.push(0);
    assert!(TokenBindingMessage::parse(&longest).is_err());
}

#[test]
fn an_empty_message_has_no_encoding() {
    assert_eq!(encode_message::<Vec<u8>>(&[]), Err(EncodeError::Empty));
    let too_long = vec![binding_bytes(9, &id_bytes(9, &vec![0; 30000]), &[0; 64], &[]); 3];
    assert!(matches!(
        encode_message(&too_long),
        Err(EncodeError::TooLong { .. })
    ));
    let result = encode_message(&[sound_binding(), vec![0]]);
    assert!(matches!(result, Err(EncodeError::Binding { index: 1, .. })));
}

#[test]
fn an_rsa_modulus_has_exactly_2048_bits_and_is_odd() {
    let with = |modulus: &[u8]| {
        let id = id_bytes(1, &rsa_body(modulus, &[1, 0, 1]));
        fault(binding_bytes(0, &id, &[0; 256], &[])).0
    };
    let mut bits_2047 = [0xff; 256];
    bits_2047[0] = 0x7f;
    let mut even = [0xff; 256];
    even[255] = 0xfe;
    let bits_2049 = [&[1][..], &[0xff; 256]].concat();
    let leading_zero = [&[0][..], &[0xff; 256]].concat();
    for modulus in [
        &bits_2047[..],
        &bits_2049,
        &even,
        &leading_zero,
        &[0xff; 255],
        &[],
    ] {
        assert_eq!(with(modulus), FieldName::Modulus, "{} bytes", modulus.len());
    }
}

#[test]
fn an_rsa_exponent_is_odd_and_small_without_leading_zeros() {
    let with = |exponent: &[u8]| {
        let id = id_bytes(0, &rsa_body(&[0xff; 256], exponent));
        let binding = binding_bytes(0, &id, &[0; 256], &[]);
        TokenBinding::parse(&binding)
            .map(|_| ())
            .map_err(|error| error.field)
    };
    for good in [&[3][..], &[1, 0, 1], &[1, 0xff, 0xff, 0xff, 0xff]] {
        assert!(with(good).is_ok(), "{good:?}");
    }
    let bad = [
        &[][..],
        &[1],
        &[2],
        &[0, 3],
        &[1, 0, 0],
        &[2, 0, 0, 0, 1],
        &[1, 0, 0, 0, 0, 0, 0, 0, 1],
    ];
    for bad in bad {
        assert_eq!(with(bad).err(), Some(FieldName::Exponent), "{bad:?}");
    }
}

#[test]
fn a_point_has_64_bytes_on_the_curve() {
    let with = |point: &[u8]| {
        let length = u8::try_from(point.len()).unwrap();
        let id = id_bytes(2, &[&[length][..], point].concat());
        fault(binding_bytes(0, &id, &[0; 64], &[])).0
    };
    let point = hex(POINT);
    let prefixed = [&[4][..], &point].concat();
    let mut off_curve = point.clone();
    off_curve[63] ^= 1;
    for bad in [&point[..63], &prefixed, &off_curve, &[0; 64], &[]] {
        assert_eq!(with(bad), FieldName::Point);
    }
}

#[test]
fn a_signature_has_the_length_of_its_scheme() {
    for (id, lengths) in [
        (p256_id().as_bytes().to_vec(), &[0, 63, 65, 70, 256][..]),
        (rsa_id(65537).as_bytes().to_vec(), &[0, 64, 255, 257]),
        (id_bytes(99, &[1]), &[0, 63]),
    ] {
        for length in lengths {
            let (field, kind) = fault(binding_bytes(0, &id, &vec![0; *length], &[]));
            assert_eq!(field, FieldName::Signature);
            assert!(matches!(kind, ParseErrorKind::Length { found, .. } if found == *length));
        }
    }
}

#[test]
fn every_inner_length_is_exact() {
    let id = p256_id();
    let longer_key = id_bytes(2, &[&id.as_bytes()[3..], &[0]].concat());
    let (field, kind) = fault(binding_bytes(0, &longer_key, &[0; 64], &[]));
    assert_eq!(
        (field, kind),
        (FieldName::KeyLength, ParseErrorKind::LeftOver { count: 1 })
    );

    let shorter_key = id_bytes(2, &id.as_bytes()[3..67]);
    let (field, _) = fault(binding_bytes(0, &shorter_key, &[0; 64], &[]));
    assert_eq!(field, FieldName::Point);

    for extensions in [&[0][..], &[0, 0], &[0, 0, 1], &[0, 0, 2, 7], &[0, 0, 0, 9]] {
        fault(binding_bytes(0, id.as_bytes(), &[0; 64], extensions));
    }
    let extension = binding_bytes(0, id.as_bytes(), &[0; 64], &[9, 0, 0]);
    let binding = TokenBinding::parse(&extension).unwrap();
    assert_eq!(binding.extensions().count(), 1);
}

#[test]
fn bytes_left_over_are_told_at_the_length_that_left_them() {
    let id = p256_id();
    let longer_key = id_bytes(2, &[&id.as_bytes()[3..], &[0]].concat());
    let bytes = message(&[binding_bytes(0, &longer_key, &[0; 64], &[])]);
    let error = TokenBindingMessage::parse(&bytes).unwrap_err();
    assert_eq!((error.field, error.offset), (FieldName::KeyLength, 4));

    let bytes = [&message(&[sound_binding()])[..], &[0]].concat();
    let error = TokenBindingMessage::parse(&bytes).unwrap_err();
    assert_eq!((error.field, error.offset), (FieldName::MessageLength, 0));

    let bytes = [id.as_bytes(), &[0]].concat();
    let error = TokenBindingId::parse(&bytes).unwrap_err();
    assert_eq!((error.field, error.offset), (FieldName::KeyLength, 1));

    let bytes = binding_bytes(0, id.as_bytes(), &[0; 64], &[9, 0, 0]);
    let error = TokenBinding::parse(&[&bytes[..], &[0]].concat()).unwrap_err();
    let expected = (FieldName::ExtensionsLength, bytes.len() - 5);
    assert_eq!((error.field, error.offset), expected);
}

#[test]
fn an_exponent_has_at_most_five_bytes() {
    let exponent = |length| {
        let mut exponent = vec![1; length];
        exponent[0] = 1;
        let id = id_bytes(1, &rsa_body(&[0xff; 256], &exponent));
        fault(binding_bytes(0, &id, &[0; 256], &[])).1
    };
    for found in [6, 8, 9] {
        let expected = "1 to 5";
        let kind = ParseErrorKind::Length { expected, found };
        assert_eq!(exponent(found), kind);
    }
}

#[test]
fn a_referred_binding_with_unknown_parameters_is_accepted_and_not_exposed() {
    let provided = hex(include_str!("vectors/s1.hex").trim());
    let referred = binding_bytes(1, &id_bytes(99, &[1, 2, 3]), &[0; 64], &[]);
    let bytes = message(&[provided[2..].to_vec(), referred]);
    let ekm = "f176138a09c87522a3be70b64efd3956f207614031eff62157ca59097a41a19c";
    let verified = Verifier::new(KeyType::EcdsaP256)
        .verify(&bytes, &Ekm::from_hex(ekm).unwrap())
        .unwrap();
    assert_eq!(verified.len(), 1);
    assert!(verified.provided().is_some() && verified.referred().is_none());
}

#[test]
fn no_entry_of_an_unknown_type_with_known_parameters_goes_unsigned() {
    let provided = hex(include_str!("vectors/s1.hex").trim());
    let other = binding_bytes(77, p256_id().as_bytes(), &[1; 64], &[]);
    let bytes = message(&[provided[2..].to_vec(), other]);
    let ekm = "f176138a09c87522a3be70b64efd3956f207614031eff62157ca59097a41a19c";
    let rejection = Verifier::new(KeyType::EcdsaP256)
        .verify(&bytes, &Ekm::from_hex(ekm).unwrap())
        .unwrap_err();
    assert_eq!(rejection.binding(), Some(1));
    assert_eq!(
        TokenBindingType::from_octet(77),
        TokenBindingType::Other(77)
    );
}
