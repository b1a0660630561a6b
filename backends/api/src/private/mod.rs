//! Files and folders that nobody but their owner may read or change: stores, masters, PIN files, and
//! the code of modules.
//!
//! A secret that others can read, or a store that others can write, is refused and never repaired
//! in silence: whoever sees the error learns that it was open. The same goes for every folder and
//! link on the way (`path.rs`). Root's files are trusted, since root can read and change everything
//! anyway.

mod error;
mod path;
#[cfg(test)]
mod tests;

use std::{
    fs::{File, Metadata, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

pub use self::error::PrivateError;
use self::path::{Found, Missing, follow};

/// Bits of a mode that let group or others read, write or pass.
const OTHERS: u32 = 0o077;
/// Bits of a mode that let group or others write.
const OTHERS_WRITE: u32 = 0o022;
/// Bits of a mode that must not be set on what root hands over: the service manager lets the user of
/// a service read it by an ACL, whose mask shows as the bits of the group.
const HANDED_OVER: u32 = 0o027;

/// Reads a secret of at most `limit` bytes from a file that only its owner may read.
///
/// # Errors
/// [`PrivateError`] when others may read or change the file, or it cannot be read.
pub fn read(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, PrivateError> {
    read_checked(path, limit, |_| OTHERS)
}

/// Reads a secret of at most `limit` bytes that the service manager hands over (systemd's
/// credentials): root's file may have an ACL that lets this user in.
///
/// # Errors
/// [`PrivateError`] when others may read or change the file, or it cannot be read.
pub fn read_credential(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, PrivateError> {
    let forbidden = |metadata: &Metadata| match metadata.uid() {
        0 => HANDED_OVER,
        _ => OTHERS,
    };
    read_checked(path, limit, forbidden)
}

/// Reads a file of at most `limit` bytes that need not be secret, but that only its owner may
/// change.
///
/// # Errors
/// [`PrivateError`] when others may change the file, or it cannot be read.
pub fn read_trusted(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, PrivateError> {
    read_checked(path, limit, |_| OTHERS_WRITE)
}

fn read_checked(
    path: &Path,
    limit: usize,
    forbidden: impl Fn(&Metadata) -> u32,
) -> Result<Zeroizing<Vec<u8>>, PrivateError> {
    let file = open(path, OpenOptions::new().read(true))?;
    let metadata = file.metadata().map_err(PrivateError::io(path))?;
    check(path, &metadata, forbidden(&metadata), 0o600)?;
    // Room for all of it at once: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit + 1));
    let mut file = file.take(limit as u64 + 1);
    file.read_to_end(&mut bytes)
        .map_err(PrivateError::io(path))?;
    if bytes.len() > limit {
        let path = path.to_owned();
        return Err(PrivateError::TooLong { path, limit });
    }
    Ok(bytes)
}

/// Opens the file that `path` leads to, on a way that nobody else can turn aside.
fn open(path: &Path, options: &mut OpenOptions) -> Result<File, PrivateError> {
    let found = find_file(path)?;
    // What was found is no link; and a FIFO would wait for somebody who writes to it.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = options
        .custom_flags(flags.bits().cast_signed())
        .open(&found.path)
        .map_err(PrivateError::io(path))?;
    let metadata = file.metadata().map_err(PrivateError::io(path))?;
    require_file(path, &metadata)?;
    Ok(file)
}

/// Follows `path` to a file. That nothing is there is told before anything else: it opens nothing to
/// anybody.
fn find_file(path: &Path) -> Result<Found, PrivateError> {
    path.metadata().map_err(PrivateError::io(path))?;
    let found = follow(path, Missing::Tell)?;
    require_file(path, &found.metadata)?;
    if found.is_shared && found.metadata.nlink() > 1 {
        let path = path.to_owned();
        return Err(PrivateError::Linked { path });
    }
    Ok(found)
}

/// The most bytes of a PIN file.
const MAX_PIN_LEN: usize = 4096;

/// Reads a PIN or passphrase: the first line of a file that only its owner may read.
///
/// # Errors
/// [`PrivateError`] when others may read or change the file, it cannot be read, or it is no text.
pub fn read_pin(path: &Path) -> Result<Zeroizing<String>, PrivateError> {
    let bytes = read(path, MAX_PIN_LEN)?;
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match str::from_utf8(line) {
        Ok(pin) => Ok(Zeroizing::new(pin.to_owned())),
        Err(_) => Err(PrivateError::NotText {
            path: path.to_owned(),
        }),
    }
}

/// Writes a new file that only its owner may read, whole or not at all, and sees it safely on disk.
///
/// # Errors
/// [`PrivateError`]; [`is_already_exists`](PrivateError::is_already_exists) when there is a file
/// of this name, which is left as it is.
pub fn create(path: &Path, contents: &[u8]) -> Result<(), PrivateError> {
    let dir = folder_of(path);
    let dir = &*follow(dir, Missing::Tell)?.path;
    let in_dir = |error| PrivateError::io(dir)(error);
    let mut file = tempfile::Builder::new().tempfile_in(dir).map_err(in_dir)?;
    file.as_file_mut().write_all(contents).map_err(in_dir)?;
    file.as_file().sync_all().map_err(in_dir)?;
    file.persist_noclobber(path)
        .map_err(|error| PrivateError::io(path)(error.error))?;
    sync_dir(dir)
}

/// Writes a file that anybody may read and nobody else may change: over one of this name, if that is
/// such a file too.
///
/// # Errors
/// [`PrivateError`] when others may change what is there, or it cannot be written.
pub fn publish(path: &Path, contents: &[u8]) -> Result<(), PrivateError> {
    let made = match path.metadata() {
        Ok(_) => open(path, OpenOptions::new().write(true)),
        Err(_) => {
            let dir = follow(folder_of(path), Missing::Tell)?.path;
            let name = path.file_name().unwrap_or_default();
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o644)
                .open(dir.join(name))
                .map_err(PrivateError::io(path))
        }
    };
    let mut file = made?;
    let metadata = file.metadata().map_err(PrivateError::io(path))?;
    check(path, &metadata, OTHERS_WRITE, 0o644)?;
    file.set_len(0)
        .and_then(|()| file.write_all(contents))
        .map_err(PrivateError::io(path))
}

/// The folder that the file `path` is in: `.` for a name alone.
#[must_use]
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if dir != "" => dir,
        _ => Path::new("."),
    }
}

/// Sees the entries of the folder `dir` safely on disk.
///
/// # Errors
/// [`PrivateError::Io`].
pub fn sync_dir(dir: &Path) -> Result<(), PrivateError> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(PrivateError::io(dir))
}

/// Makes the folder `path` for its owner alone (mode 0700), with its parents, unless it is there,
/// and sees their names safely on disk; then checks that nobody else may write to it or put another in its place.
///
/// # Errors
/// [`PrivateError`] when it cannot be made, is no folder, or others may write to it.
pub fn ensure_dir(path: &Path) -> Result<(), PrivateError> {
    let found = follow(path, Missing::Make)?;
    if !found.metadata.is_dir() {
        let path = path.to_owned();
        return Err(PrivateError::Type {
            path,
            wanted: "folder",
        });
    }
    check(path, &found.metadata, OTHERS_WRITE, 0o700)
}

/// Checks that nobody but its owner may read or change the file `path`, or make files beside it.
///
/// # Errors
/// [`PrivateError`] when others may, or the file cannot be examined.
pub fn check_file(path: &Path) -> Result<(), PrivateError> {
    let found = find_file(path)?;
    let folder = folder_of(&found.path);
    let metadata = folder.metadata().map_err(PrivateError::io(folder))?;
    check(folder, &metadata, OTHERS_WRITE, 0o700)?;
    check(path, &found.metadata, OTHERS, 0o600)
}

/// Checks that nobody but this user and root may change the file `path` or put another in its place:
/// code that is to be run.
///
/// # Errors
/// [`PrivateError`] when others may, or the file cannot be examined.
pub fn check_code(path: &Path) -> Result<(), PrivateError> {
    check(path, &find_file(path)?.metadata, OTHERS_WRITE, 0o755)
}

/// Checks that nobody but this user and root can put anything else in the place of `path`, which may
/// be of any type and anybody's: a device's node.
///
/// # Errors
/// [`PrivateError`] when others can, or there is nothing.
pub fn check_way(path: &Path) -> Result<(), PrivateError> {
    path.metadata().map_err(PrivateError::io(path))?;
    follow(path, Missing::Tell).map(drop)
}

fn require_file(path: &Path, metadata: &Metadata) -> Result<(), PrivateError> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(PrivateError::Type {
        path: path.to_owned(),
        wanted: "file",
    })
}

fn check(
    path: &Path,
    metadata: &Metadata,
    forbidden: u32,
    wanted: u32,
) -> Result<(), PrivateError> {
    let path = path.to_owned();
    let uid = metadata.uid();
    if uid != rustix::process::geteuid().as_raw() && uid != 0 {
        return Err(PrivateError::Owner { path, uid });
    }
    let mode = metadata.mode() & 0o777;
    if mode & forbidden != 0 {
        return Err(PrivateError::Mode { path, mode, wanted });
    }
    Ok(())
}
