//! What a command reads: EKMs and headers, from the command line, files and standard input.

use std::{
    fs::File,
    io::{self, Read},
};

use tokenbinding::{Ekm, InvalidEkm, header::MAX_HEADER_LEN};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The most bytes of a file that may hold an EKM: 64 digits and white space around them.
const MAX_EKM_FILE_LEN: usize = 4096;
/// What stands for standard input.
const STDIN: &str = "-";

/// The EKM that `generate` signs.
pub(crate) enum EkmSource {
    Given(Ekm),
    /// For trying things out: no connection has it.
    Random(Ekm),
}

/// Reads the `--ekm` of `generate`: 64 digits, `random`, `@FILE` or `-`.
pub(crate) fn ekm_to_sign(text: &str) -> Result<EkmSource, Failure> {
    match text {
        "random" => {
            let mut bytes = Zeroizing::new([0; Ekm::LEN]);
            getrandom::fill(&mut *bytes).map_err(|error| {
                Failure::Operation(format!("the system gives no randomness: {error}"))
            })?;
            Ok(EkmSource::Random(Ekm::new(*bytes)))
        }
        STDIN => ekm_in("standard input", io::stdin()).map(EkmSource::Given),
        text => ekm_to_check(text).map(EkmSource::Given),
    }
}

/// Reads the `--ekm` of `verify`: 64 digits or `@FILE`.
pub(crate) fn ekm_to_check(text: &str) -> Result<Ekm, Failure> {
    let Some(path) = text.strip_prefix('@') else {
        return Ekm::from_hex(text).map_err(|error| Failure::Usage(error.to_string()));
    };
    let file = File::open(path).map_err(|error| {
        Failure::Usage(format!(
            "cannot read the EKM from {path:?}: {error}: name a file that is there"
        ))
    })?;
    ekm_in(&format!("{path:?}"), file)
}

/// The EKM that `source` holds: 32 raw bytes, or 64 digits with white space around them.
fn ekm_in(name: &str, source: impl Read) -> Result<Ekm, Failure> {
    let bytes = read(name, source, MAX_EKM_FILE_LEN + 1)?;
    if bytes.len() > MAX_EKM_FILE_LEN {
        return Err(Failure::Usage(format!(
            "{name} has more than {MAX_EKM_FILE_LEN} bytes: give the value alone"
        )));
    }
    ekm_of_bytes(&bytes).map_err(|error| Failure::Usage(error.to_string()))
}

fn ekm_of_bytes(bytes: &[u8]) -> Result<Ekm, InvalidEkm> {
    if bytes.len() == Ekm::LEN {
        return Ekm::try_from(bytes);
    }
    let digits = str::from_utf8(bytes.trim_ascii()).map_err(|_| InvalidEkm::NotHex)?;
    Ekm::from_hex(digits)
}

/// Reads the header of `verify` and `inspect`: the value itself, or `-` for standard input, where
/// one line break may follow it.
pub(crate) fn header(text: &str) -> Result<String, Failure> {
    if text != STDIN {
        return Ok(text.to_owned());
    }
    // A line break more than the longest, and one byte more than that: it is found to be too long.
    let bytes = read("standard input", io::stdin(), MAX_HEADER_LEN + 3)?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

/// Reads the first `limit` bytes of `source`.
fn read(name: &str, source: impl Read, limit: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    // Room for all of it at once: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit));
    let mut source = source.take(limit as u64);
    source
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::Operation(format!("cannot read {name}: {error}")))?;
    Ok(bytes)
}
