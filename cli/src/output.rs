//! Where text goes: results to standard output, everything else to standard error.

use std::io::{self, Write as _};

use comfy_table::{Table, presets};
use serde::Serialize;
use tracing::Level;

use crate::{args::Global, failure::Failure};

/// Sends the library's log to standard error: warnings, more with `-v`, nothing with `-q`.
pub(crate) fn start_logging(global: &Global) {
    if global.quiet {
        return;
    }
    let level = match global.verbose {
        0 => Level::WARN,
        1 => Level::INFO,
        2 => Level::DEBUG,
        _ => Level::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_target(false)
        .without_time()
        .compact()
        .init();
}

/// Tells the person something that is not the result, on one line whatever is in it. There is
/// nobody to tell when it fails.
pub(crate) fn tell(message: &str) {
    let mut line = String::with_capacity(message.len());
    for c in message.chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    let _ = writeln!(io::stderr(), "tokenbinding: {line}");
}

/// Writes the result as one line of text.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    Ok(writeln!(io::stdout(), "{text}")?)
}

/// Writes the result as bytes.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    Ok(stdout.flush()?)
}

/// Writes the result as one JSON document.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, value)?;
    Ok(writeln!(stdout)?)
}

/// Writes the result as a table under `header`; columns are two spaces apart.
pub(crate) fn table(
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> Result<(), Failure> {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(header.to_vec());
    for row in rows {
        table.add_row(row);
    }
    table
        .trim_fmt()
        .lines()
        .try_for_each(|text| line(text.trim_start_matches(' ')))
}
