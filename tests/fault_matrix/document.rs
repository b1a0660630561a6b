//! `docs/fault-matrix.md`: a section for each provider, written by its test.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
};

use super::scenario::{Lasts, Seen};

/// Set by `make fault-matrix`.
const WRITE: &str = "TOKENBINDING_WRITE_FAULT_MATRIX";
/// Between outcomes of one fault in several places.
const OR: &str = " or ";
/// Between what comes of a fault that happens once and of one that lasts.
const LASTING: &str = "; if it lasts: ";
const HINT: &str = "`make fault-matrix` writes docs/fault-matrix.md anew: read the difference";

/// What was seen, by call and fault, over all occurrences of the call.
#[derive(Debug, Default)]
pub(crate) struct Matrix {
    calls: Vec<String>,
    cells: BTreeMap<(String, &'static str), BTreeMap<bool, BTreeSet<Seen>>>,
}

impl Matrix {
    pub(crate) fn add(&mut self, call: &str, fault: &'static str, lasts: Lasts, seen: Seen) {
        if !self.calls.iter().any(|known| known == call) {
            self.calls.push(call.to_owned());
        }
        let cell = self.cells.entry((call.to_owned(), fault)).or_default();
        cell.entry(lasts == Lasts::Once).or_default().insert(seen);
    }

    /// The table, with the faults in this order.
    pub(crate) fn markdown(&self, faults: &[&'static str]) -> String {
        let mut lines = vec![
            format!("| | {} |", faults.join(" | ")),
            format!("|---|{}", "---|".repeat(faults.len())),
        ];
        for call in &self.calls {
            let cell = |fault: &&'static str| {
                let found = self.cells.get(&(call.clone(), *fault));
                found.map_or_else(String::new, text)
            };
            let cells: Vec<_> = faults.iter().map(cell).collect();
            lines.push(format!("| `{call}` | {} |", cells.join(" | ")));
        }
        lines.join("\n")
    }
}

fn text(by_duration: &BTreeMap<bool, BTreeSet<Seen>>) -> String {
    let [once, lasting] = [true, false].map(|once| by_duration.get(&once).map(outcome));
    match (once, lasting) {
        (Some(once), Some(lasting)) if once != lasting => format!("{once}{LASTING}{lasting}"),
        (Some(once), _) => once,
        (None, lasting) => lasting.unwrap_or_default(),
    }
}

fn outcome(seen: &BTreeSet<Seen>) -> String {
    let texts: Vec<_> = seen.iter().map(one).collect();
    texts.join(OR)
}

fn one(seen: &Seen) -> String {
    match seen {
        Seen::NotMet => panic!("nothing happened"),
        Seen::Recovers => "recovers".to_owned(),
        Seen::Fails(kinds) => format!("{kinds}, then works"),
        Seen::SetsAside => "key set aside".to_owned(),
    }
}

/// Whether everything is tried, and the page written; otherwise each call fails once, where it
/// comes first, and what is seen must stand on the page.
pub(crate) fn is_written() -> bool {
    env::var_os(WRITE).is_some()
}

/// What was seen is what the section of a provider says.
pub(crate) fn check_matrix(provider: &str, matrix: &Matrix, faults: &[&'static str]) {
    if is_written() {
        return check(provider, &matrix.markdown(faults));
    }
    let (_, section, _) = parts(provider);
    for ((call, fault), cell) in &matrix.cells {
        let row = section
            .lines()
            .find(|line| line.starts_with(&format!("| `{call}` |")));
        let column = faults.iter().position(|known| known == fault).unwrap() + 2;
        let written = row.and_then(|row| row.split(" | ").nth(column - 1));
        let written = written.unwrap_or_default().trim_end_matches(" |");
        let once = written.split(LASTING).next().unwrap_or_default();
        for seen in cell.values().flatten() {
            let seen = one(seen);
            assert!(
                once.split(OR).any(|outcome| outcome == seen),
                "{call}, {fault}: {seen:?} was seen; written is {written:?}; {HINT}"
            );
        }
    }
}

/// The section of a provider is this table; or it is written, where that is asked for.
pub(crate) fn check(provider: &str, table: &str) {
    let (before, section, after) = parts(provider);
    if is_written() {
        fs::write(path(), format!("{before}{table}{after}")).unwrap();
    } else {
        assert_eq!(section, table, "{HINT}");
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fault-matrix.md")
}

/// What stands before a provider's table, the table, and what stands after it.
fn parts(provider: &str) -> (String, String, String) {
    let document = fs::read_to_string(path()).unwrap();
    let begin = format!("<!-- {provider} -->\n");
    let end = format!("\n<!-- end of {provider} -->");
    let (before, rest) = document
        .split_once(&begin)
        .expect("the section's beginning");
    let (table, after) = rest.split_once(&end).expect("the section's end");
    let (before, after) = (format!("{before}{begin}"), format!("{end}{after}"));
    (before, table.to_owned(), after)
}
