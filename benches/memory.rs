//! How much memory it takes at most: the command, a server's verifier, a large key map.
//!
//! `make bench-memory` prints it. The arguments are the number of messages that the verifier sees
//! (1,000,000 without) and the number of targets (100,000). Each figure is the peak of a process of
//! its own, as the kernel keeps it (`VmHWM`, `ru_maxrss`).

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![allow(clippy::print_stdout, reason = "it prints")]

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use comfy_table::{CellAlignment, Table, presets};
use tokenbinding::{
    Binder, Config, Ekm, KeyType, ProviderChoice, TokenBindingId, TokenBindingType,
    connection::ServerConnection,
    header,
    key_map::KeyMap,
    message::{TbExtensions, encode_message, encode_token_binding},
};
use tokenbinding_backend::{P256PublicKey, Profile, PublicKey, Signature};
use tokenbinding_benches::{command, store};

const P256: KeyType = KeyType::EcdsaP256;
const PROVIDED: TokenBindingType = TokenBindingType::Provided;
const MESSAGES: usize = 1_000_000;
const TARGETS: usize = 100_000;

fn main() {
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [flag, part, count, path] = &args[..]
        && flag == "--part"
    {
        let peak = match &**part {
            "command" => peak_of_the_command(Path::new(path)),
            part => {
                run(part, count.parse().unwrap(), Path::new(path));
                peak()
            }
        };
        println!("{peak}");
        return;
    }
    let count = |at: usize, otherwise| args.get(at).map_or(otherwise, |arg| arg.parse().unwrap());
    let (messages, targets) = (count(0, MESSAGES), count(1, TARGETS));
    let empty = tempfile::tempdir().unwrap();
    let full = store::of_targets(targets);
    let mut table = Table::new();
    table
        .load_style(presets::ASCII_MARKDOWN)
        .set_header(["what", "peak"]);
    for (what, part, count, path) in [
        (
            "a process that does nothing".to_owned(),
            "nothing",
            0,
            empty.path(),
        ),
        (
            "`generate` with a key of the software keystore".to_owned(),
            "command",
            0,
            empty.path(),
        ),
        (
            "verifying 10,000 distinct messages".to_owned(),
            "verify",
            10_000,
            empty.path(),
        ),
        (
            format!("verifying {messages} distinct messages"),
            "verify",
            messages,
            empty.path(),
        ),
        (
            format!("a binding from a key map with {targets} targets"),
            "bind",
            targets,
            full.path(),
        ),
        (
            format!("looking up each of {targets} targets"),
            "look-up",
            targets,
            full.path(),
        ),
        (
            format!("listing {targets} targets"),
            "list",
            targets,
            full.path(),
        ),
    ] {
        let kilobytes = in_a_process(part, count, path);
        table.add_row([what, format!("{kilobytes} KiB")]);
    }
    table
        .column_mut(1)
        .unwrap()
        .set_cell_alignment(CellAlignment::Right);
    println!("{table}");
}

/// The peak of a part, in KiB.
fn in_a_process(part: &str, count: usize, path: &Path) -> u64 {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--part", part, &count.to_string()])
        .arg(path)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{part} failed");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

/// The most memory that this process has had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

/// The most memory that `generate` has, in KiB, the second time, when its key is there.
#[allow(unsafe_code, reason = "the kernel tells it through C")]
fn peak_of_the_command(store: &Path) -> u64 {
    for _ in 0..2 {
        command::run(command::generate(store).args(["--provider", "software"]));
    }
    // SAFETY: all zeros are a value of this struct of integers, and the call fills it in.
    let usage = unsafe {
        let mut usage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage), 0);
        usage
    };
    usage.ru_maxrss.try_into().unwrap()
}

fn run(part: &str, count: usize, path: &Path) {
    match part {
        "nothing" => (),
        "verify" => verify(count),
        "bind" => {
            let binder = Binder::open(&software(path)).unwrap();
            let ekm = Ekm::new([7; Ekm::LEN]);
            binder
                .generate_binding("new.example", P256, PROVIDED, &ekm)
                .unwrap();
        }
        "look-up" => {
            let map = KeyMap::open(path).unwrap();
            for number in 0..count {
                let id = store::id_of_target(number);
                assert!(map.get(&id, P256, store::DEVICE).unwrap().is_some());
            }
        }
        "list" => {
            let map = KeyMap::open(path).unwrap();
            assert!(map.contents(&Profile::default()).unwrap().in_use.len() >= count);
        }
        _ => panic!("no part {part}"),
    }
}

fn software(store: &Path) -> Config {
    Config {
        provider: Some(ProviderChoice::Software),
        store: Some(store.to_owned()),
        ..Config::default()
    }
}

/// A server with one connection after the other, each of which sends a thousand messages of a
/// thousand keys.
fn verify(messages: usize) {
    const OF_A_CONNECTION: usize = 1000;
    for first in (0..messages).step_by(OF_A_CONNECTION) {
        let mut ekm = [7; Ekm::LEN];
        ekm[..8].copy_from_slice(&first.to_be_bytes());
        let ekm = Ekm::new(ekm);
        let connection = ServerConnection::new(P256, ekm.clone());
        for _ in first..messages.min(first + OF_A_CONNECTION) {
            let header = header_of_a_new_key(&ekm);
            connection.verify_header(&header).unwrap();
        }
    }
}

fn header_of_a_new_key(ekm: &Ekm) -> String {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let data = ekm.signed_data(PROVIDED, P256);
    let signature = pair.sign(&SystemRandom::new(), data.as_bytes()).unwrap();
    let signature = Signature::EcdsaP256(signature.as_ref().try_into().unwrap());
    let xy = pair.public_key().as_ref().last_chunk().unwrap();
    let public_key = PublicKey::from(P256PublicKey::from_xy(xy).unwrap());
    let id = TokenBindingId::new(P256, &public_key);
    let binding = encode_token_binding(PROVIDED, &id, &signature, TbExtensions::default());
    header::encode(&encode_message(&[binding]).unwrap())
}
