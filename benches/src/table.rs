//! One row of the table: what was measured, and what it may cost.

use serde::{Deserialize, Serialize};

use crate::{Paired, Speedup, Spread};

/// What a row must keep to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// At most this many times the bare primitive.
    RatioAtMost,
    /// At least this many times one thread.
    RatioAtLeast,
    /// At most this many nanoseconds.
    NsAtMost,
    /// At most this many device operations; time is not limited.
    OperationsAtMost,
}

/// Device operations of one call, counted on the way to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operations {
    /// How many there were.
    pub counted: usize,
    /// How many there may be.
    pub budget: usize,
}

/// One row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Nanoseconds of one call.
    pub median_ns: f64,
    /// Nanoseconds of one call of what it is measured against.
    pub bare_ns: Option<f64>,
    /// The median of the rounds' ratios.
    pub ratio: Option<f64>,
    /// The quartiles of the ratio, or of the time where there is none.
    pub spread: [f64; 2],
    /// What it must keep to.
    pub limit: Limit,
    /// The limit's figure.
    pub budget: f64,
    /// Device operations, where the row counts them.
    pub operations: Option<Operations>,
    /// Of two threads: how many times one thread's work two did that shared nothing.
    pub machine: Option<f64>,
    /// Whether it kept to its budget.
    pub met: bool,
}

impl Row {
    /// A row that is measured against something.
    #[must_use]
    pub fn paired(name: &str, paired: &Paired, limit: Limit, budget: f64) -> Self {
        Self {
            name: name.to_owned(),
            median_ns: paired.whole.median,
            bare_ns: Some(paired.bare.median),
            ratio: Some(paired.ratio.median),
            spread: [paired.ratio.low, paired.ratio.high],
            limit,
            budget,
            operations: None,
            machine: None,
            met: false,
        }
        .judged()
    }

    /// A row that has a time of its own to keep to.
    #[must_use]
    pub fn alone(name: &str, time: &Spread, budget_ns: f64) -> Self {
        Self {
            name: name.to_owned(),
            median_ns: time.median,
            bare_ns: None,
            ratio: None,
            spread: [time.low, time.high],
            limit: Limit::NsAtMost,
            budget: budget_ns,
            operations: None,
            machine: None,
            met: false,
        }
        .judged()
    }

    /// A row of two threads.
    #[must_use]
    pub fn threads(name: &str, speedup: &Speedup, budget: f64) -> Self {
        Self {
            machine: Some(speedup.machine),
            ..Self::paired(name, &speedup.times, Limit::RatioAtLeast, budget)
        }
    }

    /// With the device operations that one call took.
    #[must_use]
    pub fn with_operations(mut self, counted: usize, budget: usize) -> Self {
        self.operations = Some(Operations { counted, budget });
        self.judged()
    }

    fn judged(mut self) -> Self {
        let ratio = self.ratio.unwrap_or(f64::NAN);
        let kept = match self.limit {
            Limit::RatioAtMost => ratio <= self.budget,
            Limit::RatioAtLeast => ratio >= self.budget,
            Limit::NsAtMost => self.median_ns <= self.budget,
            Limit::OperationsAtMost => true,
        };
        let counted = self.operations.is_none_or(|o| o.counted <= o.budget);
        self.met = kept && counted;
        self
    }

    /// The cells of the row: name, median, bare, ratio, spread, operations, budget, met.
    #[must_use]
    pub fn cells(&self) -> [String; 8] {
        let nothing = String::new;
        let [low, high] = self.spread;
        let spread = match self.ratio {
            Some(_) => format!("{low:.3} to {high:.3}"),
            None => format!("{} to {}", time(low), time(high)),
        };
        let operations = self.operations;
        let most = |o: Operations| format!("{} operations", o.budget);
        let mut budget = match self.limit {
            Limit::RatioAtMost => format!("≤ {} ×", self.budget),
            Limit::RatioAtLeast => format!("≥ {} ×", self.budget),
            Limit::NsAtMost => format!("≤ {}", time(self.budget)),
            Limit::OperationsAtMost => nothing(),
        };
        if let Some(most) = operations.map(most) {
            let and = if budget.is_empty() { "≤ " } else { ", ≤ " };
            budget = format!("{budget}{and}{most}");
        }
        [
            self.name.clone(),
            time(self.median_ns),
            self.bare_ns.map_or_else(nothing, time),
            self.ratio
                .map_or_else(nothing, |ratio| format!("{ratio:.3}")),
            spread,
            operations.map_or_else(nothing, |o| o.counted.to_string()),
            budget,
            if self.met { "yes" } else { "NO" }.to_owned(),
        ]
    }
}

/// A time of so many nanoseconds, in the unit that suits it.
fn time(nanos: f64) -> String {
    let (figure, unit) = match nanos {
        n if n < 1e3 => (n, "ns"),
        n if n < 1e6 => (n / 1e3, "µs"),
        n => (n / 1e6, "ms"),
    };
    let digits = match figure {
        f if f < 10.0 => 2,
        f if f < 100.0 => 1,
        _ => 0,
    };
    format!("{figure:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(median: f64) -> Spread {
        Spread::of(vec![median])
    }

    fn ratio(ratio: f64) -> Paired {
        Paired {
            whole: spread(ratio * 100.0),
            bare: spread(100.0),
            ratio: spread(ratio),
        }
    }

    #[test]
    fn a_row_is_met_when_time_and_operations_are() {
        let most = |found| Row::paired("row", &ratio(found), Limit::RatioAtMost, 1.15);
        assert!(most(1.15).met && !most(1.16).met);
        let least = |found| Row::paired("row", &ratio(found), Limit::RatioAtLeast, 1.6);
        assert!(least(1.6).met && !least(1.59).met);
        let alone = |found| Row::alone("row", &spread(found), 200.0);
        assert!(alone(200.0).met && !alone(201.0).met);
        assert!(most(1.0).with_operations(2, 2).met);
        assert!(!most(1.0).with_operations(3, 2).met);
        assert!(!most(2.0).with_operations(1, 2).met);
    }

    #[test]
    fn a_row_shows_its_figures_with_units() {
        let row = Row::paired("row", &ratio(1.0625), Limit::RatioAtMost, 1.15);
        let cells = row.with_operations(1, 1).cells().join("|");
        let expected = "row|106 ns|100 ns|1.062|1.062 to 1.062|1|≤ 1.15 ×, ≤ 1 operations|yes";
        assert_eq!(cells, expected);
        let cells = Row::alone("row", &spread(12_345.0), 1e7).cells().join("|");
        assert_eq!(cells, "row|12.3 µs|||12.3 µs to 12.3 µs||≤ 10.0 ms|yes");
    }
}
