//! The TPM: a whole binding against `TPM2_Sign` of a loaded key and one check, on one swtpm.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use tempfile::TempDir;
use tokenbinding::{Binder, Config, ProviderChoice, config::TpmConfig};
use tokenbinding_benches::{Limit, Row, alone, command, paired};
use tokenbinding_devices::{relay::Relay, swtpm::Swtpm};
use tss_esapi::{
    Context, TctiNameConf,
    constants::{StructureTag, tss::TPM2_RH_NULL},
    handles::KeyHandle,
    interface_types::{
        algorithm::HashingAlgorithm, ecc::EccCurve, resource_handles::Hierarchy,
        session_handles::AuthSession,
    },
    structures::{
        Digest, EccScheme, HashScheme, HashcheckTicket, Public, Signature, SignatureScheme,
    },
    tss2_esys::TPMT_TK_HASHCHECK,
    utils::create_unrestricted_signing_ecc_public,
};

use super::{P256, PROVIDED, TARGET, ekm};

const OTHER: &str = "https://www.example.net/";

pub(super) fn rows() -> Vec<Row> {
    let swtpm = Swtpm::start();
    let (_store, binder) = binder(&swtpm.tcti());
    let bind = |target| bind(&binder, target);
    bind(TARGET);
    let mut bare = Bare::start(&swtpm.tcti());
    let warm = paired(200, || bind(TARGET), || bare.sign_and_check());
    bind(OTHER);
    let mut turn = [TARGET, OTHER].into_iter().cycle();
    let alternating = paired(200, || bind(turn.next().unwrap()), || bare.sign_and_check());
    let [one, other, process] = counted();
    vec![
        Row::paired("tpm-warm", &warm, Limit::RatioAtMost, 1.15).with_operations(one, 1),
        Row::paired(
            "tpm-alternating",
            &alternating,
            Limit::OperationsAtMost,
            3.0,
        )
        .with_operations(other, 3),
        process_row(process),
    ]
}

fn bind(binder: &Binder, target: &str) {
    binder
        .generate_binding(target, P256, PROVIDED, &ekm())
        .unwrap();
}

fn binder(tcti: &str) -> (TempDir, Binder) {
    let store = tempfile::tempdir().unwrap();
    let config = Config {
        provider: Some(ProviderChoice::Tpm),
        store: Some(store.path().join("store")),
        tpm: TpmConfig {
            tcti: Some(tcti.to_owned()),
            ..TpmConfig::default()
        },
        ..Config::default()
    };
    let binder = Binder::open(&config).unwrap();
    (store, binder)
}

/// TPM commands of a warm binding, of one with another key in between, and of a new process.
fn counted() -> [usize; 3] {
    let swtpm = Swtpm::start();
    let relay = Relay::start(&swtpm);
    let (store, binder) = binder(&relay.tcti());
    let bind = |target| {
        let _ = relay.take_log();
        bind(&binder, target);
        relay.take_log().len()
    };
    bind(TARGET);
    let one = bind(TARGET);
    bind(OTHER);
    let other = bind(TARGET).max(bind(OTHER));
    drop(binder);
    let _ = relay.take_log();
    command::run(&mut in_a_process(&relay.tcti(), &store));
    [one, other, relay.take_log().len()]
}

fn in_a_process(tcti: &str, store: &TempDir) -> std::process::Command {
    let mut command = command::generate(&store.path().join("store"));
    command.args(["--provider", "tpm", "--tcti", tcti]);
    command
}

fn process_row(operations: usize) -> Row {
    let swtpm = Swtpm::start();
    let (store, binder) = binder(&swtpm.tcti());
    binder.id(TARGET, P256).unwrap();
    drop(binder);
    let process = alone(40, || {
        command::run(&mut in_a_process(&swtpm.tcti(), &store));
    });
    let mut row = Row::alone("tpm-process", &process, 4.0);
    row.limit = Limit::OperationsAtMost;
    row.with_operations(operations, 4)
}

/// A key that is used without this project's code.
struct Bare {
    context: Context,
    key: KeyHandle,
    sec1: Vec<u8>,
}

impl Bare {
    fn start(tcti: &str) -> Self {
        let tcti: TctiNameConf = tcti.parse().unwrap();
        let mut context = Context::new(tcti).unwrap();
        let scheme = EccScheme::EcDsa(HashScheme::new(HashingAlgorithm::Sha256));
        let template = create_unrestricted_signing_ecc_public(scheme, EccCurve::NistP256).unwrap();
        let created = context
            .execute_with_session(Some(AuthSession::Password), |context| {
                context.create_primary(Hierarchy::Null, template, None, None, None, None)
            })
            .unwrap();
        let Public::Ecc { unique, .. } = created.out_public else {
            panic!("it is a P-256 key");
        };
        let sec1 = [
            &[4][..],
            &padded(unique.x().value()),
            &padded(unique.y().value()),
        ]
        .concat();
        Self {
            context,
            key: created.key_handle,
            sec1,
        }
    }

    fn sign_and_check(&mut self) {
        let data = ekm().signed_data(PROVIDED, P256);
        let digest = Digest::try_from(data.sha256().as_slice()).unwrap();
        let ticket = HashcheckTicket::try_from(TPMT_TK_HASHCHECK {
            tag: StructureTag::Hashcheck.into(),
            hierarchy: TPM2_RH_NULL,
            digest: Default::default(),
        });
        let ticket = ticket.unwrap();
        let key = self.key;
        let signed = self
            .context
            .execute_with_session(Some(AuthSession::Password), |context| {
                context.sign(key, digest, SignatureScheme::Null, ticket)
            });
        let Signature::EcDsa(signature) = signed.unwrap() else {
            panic!("it is an ECDSA key");
        };
        let r = padded(signature.signature_r().value());
        let s = padded(signature.signature_s().value());
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.sec1)
            .verify(data.as_bytes(), &[r, s].concat())
            .unwrap();
    }
}

/// A number of at most 32 bytes, with all its leading zeros.
fn padded(number: &[u8]) -> Vec<u8> {
    [&vec![0; 32 - number.len()], number].concat()
}
