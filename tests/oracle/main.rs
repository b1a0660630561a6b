//! Random and mutated messages get the same verdict from this crate as from `verifier.py`, which was
//! written apart from it.
//!
//! `make oracle COUNT=n SEED=s` sends more of them, or others. The same seed makes the same messages.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and shows its tally to who asks"
)]

mod draft;
mod ecdsa;
mod forge;
mod mutation;
mod random;
mod rsa;

use std::{
    collections::BTreeMap,
    env,
    fmt::Write as _,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    thread,
};

use data_encoding::HEXLOWER;
use tokenbinding::{Ekm, Verifier};

use self::{
    draft::Case,
    forge::Forge,
    mutation::{Mutation, mutations, settle},
};

const COUNT: usize = 10_000;
const SEED: u64 = 8471;

#[test]
fn a_second_verifier_gives_every_message_the_same_verdict() {
    let count = setting("TOKENBINDING_ORACLE_COUNT").map_or(COUNT, |n| n.try_into().unwrap());
    let mutations = mutations();
    let mut forge = Forge::new(setting("TOKENBINDING_ORACLE_SEED").unwrap_or(SEED));
    let cases: Vec<Case> = (0..count).map(|_| case(&mut forge, &mutations)).collect();
    let verdicts = ask_the_oracle(&cases);
    assert_eq!(verdicts.len(), count, "one verdict for each message");
    let mut tally = Tally::default();
    for (case, oracle) in cases.iter().zip(&verdicts) {
        let own = own_verdict(case);
        let agreed = match oracle.strip_prefix("reject: ") {
            Some(_) => own.is_err(),
            None => own.as_ref() == Ok(oracle),
        };
        assert!(
            agreed,
            "{:?}\n{}own: {own:?}\noracle: {oracle}",
            case.mutations,
            case.line()
        );
        tally.add(case, own.is_ok());
    }
    println!("{}", tally.table());
    tally.demand_enough(count, mutations.len());
}

fn setting(name: &str) -> Option<u64> {
    Some(env::var(name).ok()?.parse().unwrap())
}

/// A message of sound bindings, of which four in ten stay as they are.
fn case(forge: &mut Forge, all: &[(&'static str, Mutation)]) -> Case {
    let mut chosen: Vec<usize> = Vec::new();
    while forge
        .random
        .percent(if chosen.is_empty() { 60 } else { 25 })
    {
        chosen.push(forge.random.below(all.len()));
    }
    chosen.sort_unstable();
    chosen.dedup();
    let mutations = || chosen.iter().map(|at| all[*at].1);

    let mut context = forge.context();
    let mut bindings = forge.bindings(&context);
    for mutation in mutations() {
        if let Mutation::Bindings(mutate) = mutation
            && !bindings.is_empty()
        {
            mutate(forge, &context, &mut bindings);
        }
    }
    for mutation in mutations() {
        if let Mutation::Connection(mutate) = mutation {
            mutate(forge, &mut context);
        }
    }
    let mut bytes = draft::message(&bindings);
    for mutation in mutations() {
        if let Mutation::Bytes(mutate) = mutation {
            mutate(&mut forge.random, &mut bytes);
            settle(&mut forge.random, &mut bytes);
        }
    }
    let mut header = draft::header(&bytes);
    for mutation in mutations() {
        if let Mutation::Header(mutate) = mutation {
            mutate(&mut forge.random, &mut header);
        }
    }
    Case {
        negotiated: context.negotiated,
        policy: context.policy,
        ekm: context.ekm,
        header,
        mutations: chosen.iter().map(|at| all[*at].0).collect(),
    }
}

/// This crate's verdict, in the oracle's words.
fn own_verdict(case: &Case) -> Result<String, String> {
    let ekm = Ekm::try_from(&case.ekm[..]).map_err(|error| error.to_string())?;
    let verifier = Verifier::new(case.negotiated).with_policy(case.policy);
    let verified = verifier
        .verify_header(&case.header, &ekm)
        .map_err(|rejection| rejection.to_string())?;
    Ok(verified
        .iter()
        .fold("accept".to_owned(), |mut text, binding| {
            let id = HEXLOWER.encode(binding.id().as_bytes());
            write!(text, " {:02x}:{id}", binding.binding_type().octet()).unwrap();
            text
        }))
}

/// The verdicts of `verifier.py`, a line each. Debian's own Python has the package
/// `python3-cryptography`; another one that comes first in the path may not.
fn ask_the_oracle(cases: &[Case]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/verifier.py");
    let mut python = Command::new("/usr/bin/python3")
        .args(["-I", "-B"])
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("/usr/bin/python3 runs: `make setup` installs it");
    let mut input = python.stdin.take().unwrap();
    let lines: String = cases.iter().map(Case::line).collect();
    let writer = thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = python.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "the oracle failed: does it have python3-cryptography (`make setup`)?"
    );
    writer.join().unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// How many messages were accepted and rejected.
#[derive(Default)]
struct Tally {
    negotiated: BTreeMap<u8, [usize; 2]>,
    mutations: BTreeMap<&'static str, [usize; 2]>,
}

impl Tally {
    fn add(&mut self, case: &Case, accepted: bool) {
        let column = usize::from(accepted);
        self.negotiated.entry(case.negotiated.octet()).or_default()[column] += 1;
        for mutation in &case.mutations {
            self.mutations.entry(mutation).or_default()[column] += 1;
        }
    }

    fn table(&self) -> String {
        let mut table = String::from("rejected accepted\n");
        for (kind, [rejected, accepted]) in &self.negotiated {
            writeln!(table, "{rejected:8} {accepted:8} negotiated {kind}").unwrap();
        }
        for (mutation, [rejected, accepted]) in &self.mutations {
            writeln!(table, "{rejected:8} {accepted:8} {mutation}").unwrap();
        }
        table
    }

    /// Agreement says little where nearly everything is rejected, or accepted.
    fn demand_enough(&self, count: usize, mutations: usize) {
        for (kind, verdicts) in &self.negotiated {
            let enough = verdicts.iter().all(|verdict| *verdict > count / 10);
            assert!(enough, "of type {kind}: {verdicts:?} of {count}");
        }
        assert_eq!(self.mutations.len(), mutations, "each mutation was made");
    }
}
