//! The budgets: what each path costs beside the bare primitive, in one table.
//!
//! Each part runs in a process of its own, with the simulated device that it needs, and hands its
//! rows to this one. `make bench` prints the table, `make -s bench-json` the same as JSON.
//! Arguments: `--json`, and the names of the parts to run (all of them without).

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints")]

mod command;
mod connection;
mod map;
mod pkcs11;
mod software;
mod tpm;
mod verify;

use std::{
    env,
    ffi::OsString,
    process::{Command, Stdio},
};

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use tokenbinding::{Ekm, KeyType, TokenBindingType};
use tokenbinding_benches::{Row, command::TARGET};

const P256: KeyType = KeyType::EcdsaP256;
const PROVIDED: TokenBindingType = TokenBindingType::Provided;

/// The parts, in the order of the table.
const PARTS: [&str; 7] = [
    "tpm",
    "pkcs11",
    "software",
    "connection",
    "verify",
    "map",
    "command",
];

#[derive(Serialize)]
struct Document {
    rows: Vec<Row>,
}

fn main() {
    // `cargo bench` adds `--bench`.
    let mut args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let [flag, part] = &args[..]
        && flag == "--part"
    {
        let rows = part_here(part);
        println!("{}", serde_json::to_string(&rows).unwrap());
        return;
    }
    let json = args.iter().any(|arg| arg == "--json");
    args.retain(|arg| arg != "--json");
    let wanted = |part: &&str| args.is_empty() || args.iter().any(|arg| arg == part);
    let parts = PARTS.into_iter().filter(wanted);
    let rows: Vec<Row> = parts.flat_map(part_with_its_device).collect();
    if json {
        let document = serde_json::to_string_pretty(&Document { rows });
        println!("{}", document.unwrap());
    } else {
        println!("{}", table(&rows));
        let missed = rows.iter().filter(|row| !row.met).count();
        println!("{} rows, {missed} not met", rows.len());
        let machine = rows.iter().filter_map(|row| row.machine);
        if let Some(least) = machine.min_by(f64::total_cmp) {
            println!("two threads that share nothing did {least:.2} times the work of one");
        }
    }
}

/// The rows of a part, in this process.
fn part_here(part: &str) -> Vec<Row> {
    match part {
        "tpm" => tpm::rows(),
        "pkcs11" => pkcs11::rows(),
        "pkcs11-crowded" => pkcs11::crowded_rows(),
        "pkcs11-counted" => pkcs11::counted_rows(),
        "software" => software::rows(),
        "connection" => connection::rows(),
        "verify" => verify::rows(),
        "map" => map::rows(),
        "command" => command::rows(),
        _ => panic!("no part {part}: choose among {PARTS:?}"),
    }
}

fn part_with_its_device(part: &str) -> Vec<Row> {
    match part {
        "pkcs11" => pkcs11::with_tokens(),
        part => in_a_process(part, []),
    }
}

/// The rows of a part that runs in a process with this environment.
fn in_a_process(
    part: &str,
    environment: impl IntoIterator<Item = (&'static str, OsString)>,
) -> Vec<Row> {
    eprintln!("measuring: {part}");
    let output = Command::new(env::current_exe().unwrap())
        .args(["--part", part])
        .envs(environment)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "the part {part} failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header([
        "row",
        "median",
        "bare",
        "ratio",
        "quartiles",
        "device operations",
        "budget",
        "met",
    ]);
    for row in rows {
        table.add_row(row.cells());
    }
    for column in 1..=5 {
        let column = table.column_mut(column).unwrap();
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The value that connections export here.
fn ekm() -> Ekm {
    Ekm::new([7; Ekm::LEN])
}
