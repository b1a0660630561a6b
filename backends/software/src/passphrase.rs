//! A master from a passphrase: Argon2id (RFC 9106).
//!
//! The file beside it holds no secret: magic and version `TBPW\x01` (5 bytes) ‖ memory in KiB (4)
//! ‖ passes (4) ‖ lanes (4) ‖ salt (16) ‖ check value (32), numbers big-endian. The check value is
//! derived from the master, so that a wrong passphrase is an error and not a keystore without keys.

use std::path::Path;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::{constant_time::verify_slices_are_equal, rand};
use tokenbinding_backend::{ErrorKind, Result, private};
use zeroize::Zeroizing;

use crate::{
    Master,
    derive::{Use, derive},
    error,
    master::private_error,
};

const OPEN: &str = "open the keystore with its passphrase";
const MAGIC: &[u8; 5] = b"TBPW\x01";
const FILE_LEN: usize = 65;
const SALT_LEN: usize = 16;
const CHECK_LEN: usize = 32;
/// RFC 9106 §4, second recommendation: 64 MiB, 3 passes, 4 lanes.
const COST: Cost = Cost {
    memory_kib: 64 * 1024,
    passes: 3,
    lanes: 4,
};
/// The most that a file may demand: what a hostile one could make the program spend.
const MOST: Cost = Cost {
    memory_kib: 1024 * 1024,
    passes: 64,
    lanes: 64,
};

#[derive(Clone, Copy)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// What the file holds.
pub(crate) struct Record {
    cost: Cost,
    salt: [u8; SALT_LEN],
    check: [u8; CHECK_LEN],
}

/// Opens the keystore whose record is in `file`, or starts it where there is no such file.
pub(crate) fn open(file: &Path, passphrase: &Zeroizing<String>) -> Result<Master> {
    if passphrase.is_empty() {
        let cause = "the passphrase is empty: give one of at least one character";
        return Err(error(ErrorKind::PinRequired, OPEN, cause));
    }
    private::ensure_dir(private::folder_of(file)).map_err(private_error(OPEN))?;
    match private::read_trusted(file, FILE_LEN) {
        Ok(bytes) => unlock(file, &bytes, passphrase),
        Err(missing) if missing.is_not_found() => start(file, passphrase),
        Err(other) => Err(private_error(OPEN)(other)),
    }
}

fn unlock(file: &Path, bytes: &[u8], passphrase: &str) -> Result<Master> {
    let record = Record::decode(bytes).ok_or_else(|| {
        let cause = format!("{file:?} is damaged: restore it from a backup");
        error(ErrorKind::Corrupt, OPEN, cause)
    })?;
    let master = stretch(passphrase, &record.salt, record.cost)?;
    if verify_slices_are_equal(&*check_value(&master), &record.check).is_err() {
        let cause = "it does not open the keystore: give the one that it was made with";
        return Err(error(ErrorKind::PinIncorrect, OPEN, cause));
    }
    Ok(master)
}

fn start(file: &Path, passphrase: &str) -> Result<Master> {
    let mut salt = [0; SALT_LEN];
    rand::fill(&mut salt)
        .map_err(|_| error(ErrorKind::Internal, OPEN, "the system gives no randomness"))?;
    let master = stretch(passphrase, &salt, COST)?;
    let record = Record {
        cost: COST,
        salt,
        check: *check_value(&master),
    };
    match private::create(file, &record.encode()) {
        Ok(()) => Ok(master),
        Err(exists) if exists.is_already_exists() => {
            let bytes = private::read_trusted(file, FILE_LEN).map_err(private_error(OPEN))?;
            unlock(file, &bytes, passphrase)
        }
        Err(other) => Err(private_error(OPEN)(other)),
    }
}

fn stretch(passphrase: &str, salt: &[u8], cost: Cost) -> Result<Master> {
    let failed = |cause| error(ErrorKind::Internal, OPEN, format!("Argon2id: {cause}"));
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(Master::LEN));
    let params = params.map_err(failed)?;
    // What is in them when it is done leads to the master.
    let blocks = Zeroizing::new(vec![Block::default(); params.block_count()]);
    let mut master = Master::zeroed()?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(passphrase.as_bytes(), salt, master.as_bytes_mut(), blocks)
        .map_err(failed)?;
    Ok(master)
}

fn check_value(master: &Master) -> Zeroizing<[u8; CHECK_LEN]> {
    derive(master, &[], Use::PassphraseCheck, &[])
}

impl Record {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for number in [self.cost.memory_kib, self.cost.passes, self.cost.lanes] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(self.salt);
        bytes.extend(self.check);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let [memory_kib, passes, lanes] =
            [number(&mut rest)?, number(&mut rest)?, number(&mut rest)?];
        let (salt, check) = rest.split_first_chunk()?;
        let affordable =
            memory_kib <= MOST.memory_kib && passes <= MOST.passes && lanes <= MOST.lanes;
        affordable.then_some(Self {
            cost: Cost {
                memory_kib,
                passes,
                lanes,
            },
            salt: *salt,
            check: check.try_into().ok()?,
        })
    }
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(u32::from_be_bytes(*head))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn passphrase(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[test]
    fn the_same_passphrase_opens_the_keystore_and_another_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("passphrase");
        let first = *open(&file, &passphrase("one")).unwrap().as_bytes();
        assert_eq!(fs::read(&file).unwrap().len(), FILE_LEN);
        assert_eq!(*open(&file, &passphrase("one")).unwrap().as_bytes(), first);
        let error = open(&file, &passphrase("two")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PinIncorrect);
        assert!(!error.to_string().contains("two"));
    }

    #[test]
    fn an_empty_passphrase_starts_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("passphrase");
        let error = open(&file, &passphrase("")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PinRequired);
        assert!(!file.exists());
    }

    #[test]
    fn a_damaged_record_is_corrupt_or_wrong_and_never_spends_much() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("passphrase");
        open(&file, &passphrase("one")).unwrap();
        let good = fs::read(&file).unwrap();
        let with = |at: usize, byte| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        // Magic, version, a memory of 2 GiB, and a record that is cut short.
        for bytes in [with(0, 0), with(4, 2), with(6, 0x20), good[..64].to_vec()] {
            let error = unlock(&file, &bytes, "one").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
        let error = unlock(&file, &with(20, good[20] ^ 1), "one").unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::PinIncorrect,
            "another salt, another master"
        );
    }
}
