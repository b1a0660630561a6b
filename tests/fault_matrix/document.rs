//! `docs/fault-matrix.md`: a section for each provider, written by its test.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::Path,
};

use super::scenario::{Lasts, Seen};

/// Set by `make fault-matrix`.
const WRITE: &str = "TOKENBINDING_WRITE_FAULT_MATRIX";

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
        (Some(once), Some(lasting)) if once != lasting => format!("{once}; if it lasts: {lasting}"),
        (Some(once), _) => once,
        (None, lasting) => lasting.unwrap_or_default(),
    }
}

fn outcome(seen: &BTreeSet<Seen>) -> String {
    let one = |seen: &Seen| match seen {
        Seen::NotMet => "not met".to_owned(),
        Seen::Recovers => "recovers".to_owned(),
        Seen::Fails(kinds) => format!("{kinds}, then works"),
        Seen::SetsAside => "key set aside".to_owned(),
    };
    let texts: Vec<_> = seen.iter().map(one).collect();
    texts.join(" or ")
}

/// The section of a provider is what was seen; or it is written, where that is asked for.
pub(crate) fn check(provider: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fault-matrix.md");
    let document = fs::read_to_string(&path).unwrap();
    let begin = format!("<!-- {provider} -->\n");
    let end = format!("\n<!-- end of {provider} -->");
    let (before, rest) = document
        .split_once(&begin)
        .expect("the section's beginning");
    let (written, after) = rest.split_once(&end).expect("the section's end");
    if env::var_os(WRITE).is_some() {
        let new = format!("{before}{begin}{table}{end}{after}");
        fs::write(&path, new).unwrap();
    } else {
        let hint = "docs/fault-matrix.md is not what was seen; `make fault-matrix` writes it anew";
        assert_eq!(written, table, "{hint}");
    }
}
