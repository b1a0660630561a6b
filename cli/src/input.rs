//! What a command reads: EKMs and headers, from the command line, files and standard input.

use std::{
    fs::File,
    io::{self, Read},
};

use tokenbinding::{Ekm, header::MAX_HEADER_LEN};
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
        STDIN => ekm_of_bytes(&read("standard input", io::stdin(), MAX_EKM_FILE_LEN)?),
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
    match ekm_of_bytes(&read(path, file, MAX_EKM_FILE_LEN)?)? {
        EkmSource::Given(ekm) | EkmSource::Random(ekm) => Ok(ekm),
    }
}

/// The EKM that a file holds: 32 raw bytes, or 64 digits with white space around them.
fn ekm_of_bytes(bytes: &[u8]) -> Result<EkmSource, Failure> {
    let ekm = if bytes.len() == Ekm::LEN {
        Ekm::try_from(bytes)
    } else {
        Ekm::from_hex(&Zeroizing::new(
            String::from_utf8_lossy(bytes.trim_ascii()).into_owned(),
        ))
    };
    ekm.map(EkmSource::Given)
        .map_err(|error| Failure::Usage(error.to_string()))
}

/// Reads the header of `verify` and `inspect`: the value itself, or `-` for standard input, where
/// one line break may follow it.
pub(crate) fn header(text: &str) -> Result<String, Failure> {
    if text != STDIN {
        return Ok(text.to_owned());
    }
    let bytes = read("standard input", io::stdin(), MAX_HEADER_LEN + 2)?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

/// Reads all of `source`, which may have `limit` bytes.
fn read(name: &str, source: impl Read, limit: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::new());
    let mut source = source.take(limit as u64 + 1);
    source
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::Operation(format!("cannot read {name}: {error}")))?;
    if bytes.len() > limit {
        return Err(Failure::Usage(format!(
            "{name} has more than {limit} bytes: give the value alone"
        )));
    }
    Ok(bytes)
}
