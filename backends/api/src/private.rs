//! Files and folders that nobody but their owner may read or change: stores, masters, PIN files.
//!
//! A secret that others can read, or a store that others can write, is refused and never repaired
//! in silence: whoever sees the error learns that it was open. Root's files are trusted, since
//! root can read and change everything anyway.

use std::{
    fs::{DirBuilder, File, Metadata, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

/// Bits of a mode that let group or others read, write or pass.
const OTHERS: u32 = 0o077;
/// Bits of a mode that let group or others write.
const OTHERS_WRITE: u32 = 0o022;
/// Bits of a mode that must not be set on what root hands over: the service manager lets the user of
/// a service read it by an ACL, whose mask shows as the bits of the group.
const HANDED_OVER: u32 = 0o027;

/// Why a file or folder cannot be used as a private one. Every text ends in the remedy.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    /// The system refused.
    #[error("{path:?}: {source}{}", remedy(source))]
    Io {
        /// What was being used.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Neither this user nor root owns it.
    #[error("{path:?} belongs to user {uid}: use one that belongs to you, or change its owner")]
    Owner {
        /// What was being used.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// Its mode lets others in.
    #[error(
        "others may read or change {path:?} (mode {mode:03o}): run `chmod {wanted:03o} {path:?}` \
             if you trust what is in it"
    )]
    Mode {
        /// What was being used.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The bits that it should have.
        wanted: u32,
    },
    /// It is a folder where a file is needed, or the other way round.
    #[error("{path:?} is not a {wanted}: name another path")]
    Type {
        /// What was being used.
        path: PathBuf,
        /// What it should have been.
        wanted: &'static str,
    },
    /// It is no text.
    #[error("{path:?} is not UTF-8: write text to it, or name another file")]
    NotText {
        /// What was being used.
        path: PathBuf,
    },
    /// It is longer than anything that belongs in it.
    #[error("{path:?} is longer than {limit} bytes: name another file")]
    TooLong {
        /// What was being used.
        path: PathBuf,
        /// The most that is read, in bytes.
        limit: usize,
    },
}

fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::NotFound => ": name a path that exists",
        io::ErrorKind::NotADirectory => ": name a path that leads through folders alone",
        io::ErrorKind::PermissionDenied => ": name a path that you may use",
        io::ErrorKind::ReadOnlyFilesystem => ": name a path on a writable file system",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ": free some space",
        io::ErrorKind::AlreadyExists => ": name another",
        _ => ": see that its file system and disk are sound",
    }
}

impl PrivateError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Io { path, source }
    }

    /// Whether the path does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether the path exists already.
    #[must_use]
    pub fn is_already_exists(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
    }
}

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
    let file = OpenOptions::new()
        .read(true)
        // A FIFO would wait for somebody who writes to it before it can be told from a file.
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)
        .map_err(PrivateError::io(path))?;
    let metadata = file.metadata().map_err(PrivateError::io(path))?;
    check_file_metadata(path, &metadata, forbidden(&metadata))?;
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
    let in_dir = |error| PrivateError::io(dir)(error);
    let mut file = tempfile::Builder::new().tempfile_in(dir).map_err(in_dir)?;
    file.as_file_mut().write_all(contents).map_err(in_dir)?;
    file.as_file().sync_all().map_err(in_dir)?;
    file.persist_noclobber(path)
        .map_err(|error| PrivateError::io(path)(error.error))?;
    sync_dir(dir)
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

/// Sees the name of a new folder safely on disk, as far as its parent lets this user.
fn sync_parent(folder: &Path) -> Result<(), PrivateError> {
    match sync_dir(folder_of(folder)) {
        Err(PrivateError::Io { source, .. })
            if source.kind() == io::ErrorKind::PermissionDenied =>
        {
            Ok(())
        }
        synced => synced,
    }
}

/// Makes the folder `path` for its owner alone (mode 0700), with its parents, unless it is there,
/// and sees their names safely on disk; then checks that nobody else may write to it.
///
/// # Errors
/// [`PrivateError`] when it cannot be made, is no folder, or others may write to it.
pub fn ensure_dir(path: &Path) -> Result<(), PrivateError> {
    let missing: Vec<_> = path
        .ancestors()
        .take_while(|folder| *folder != "" && !folder.exists())
        .collect();
    for folder in missing.into_iter().rev() {
        match DirBuilder::new().mode(0o700).create(folder) {
            // What stands in its place is told below.
            Err(_) if path.exists() => (),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (),
            made => made.map_err(PrivateError::io(folder))?,
        }
        sync_parent(folder)?;
    }
    let metadata = path.metadata().map_err(PrivateError::io(path))?;
    if !metadata.is_dir() {
        let path = path.to_owned();
        return Err(PrivateError::Type {
            path,
            wanted: "folder",
        });
    }
    check(path, &metadata, OTHERS_WRITE, 0o700)
}

/// Checks that nobody but its owner may read or change the file `path`.
///
/// # Errors
/// [`PrivateError`] when others may, or the file cannot be examined.
pub fn check_file(path: &Path) -> Result<(), PrivateError> {
    let metadata = path.metadata().map_err(PrivateError::io(path))?;
    check_file_metadata(path, &metadata, OTHERS)
}

/// Checks that it is a file, and that others may not do with it what is `forbidden`.
fn check_file_metadata(
    path: &Path,
    metadata: &Metadata,
    forbidden: u32,
) -> Result<(), PrivateError> {
    if !metadata.is_file() {
        let path = path.to_owned();
        return Err(PrivateError::Type {
            path,
            wanted: "file",
        });
    }
    check(path, metadata, forbidden, 0o600)
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

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_created_file_is_private_and_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        create(&path, b"one").unwrap();
        assert_eq!(**read(&path, 3).unwrap(), *b"one");
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        assert!(create(&path, b"two").unwrap_err().is_already_exists());
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(
            dir.path().read_dir().unwrap().count(),
            1,
            "nothing else is left"
        );
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        create(&path, b"one").unwrap();
        for mode in [0o604, 0o640, 0o620, 0o601] {
            set_mode(&path, mode);
            let error = read(&path, 3).unwrap_err();
            assert!(matches!(error, PrivateError::Mode { .. }), "{error}");
            assert!(error.to_string().contains("chmod 600"), "{error}");
            assert!(check_file(&path).is_err());
        }
        set_mode(&path, 0o644);
        assert!(
            read_trusted(&path, 3).is_ok(),
            "anybody may read what is no secret"
        );
        set_mode(&path, 0o664);
        assert!(read_trusted(&path, 3).is_err(), "nobody else may change it");
    }

    #[test]
    fn what_root_hands_over_may_show_the_mask_of_an_acl() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        create(&path, b"one").unwrap();
        set_mode(&path, 0o440);
        let is_roots = path.metadata().unwrap().uid() == 0;
        assert_eq!(read_credential(&path, 3).is_ok(), is_roots);
        assert!(read(&path, 3).is_err(), "it is no ordinary secret");
        for mode in [0o444, 0o460, 0o401] {
            set_mode(&path, mode);
            assert!(read_credential(&path, 3).is_err(), "{mode:03o}");
        }
    }

    #[test]
    fn a_fifo_is_no_file_and_nobody_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        let made = std::process::Command::new("mkfifo")
            .args(["-m", "600"])
            .arg(&path)
            .status();
        assert!(made.unwrap().success());
        assert!(matches!(read(&path, 3), Err(PrivateError::Type { .. })));
    }

    #[test]
    fn the_folder_of_a_name_alone_is_the_current_one() {
        assert_eq!(folder_of(Path::new("master")), Path::new("."));
        assert_eq!(folder_of(Path::new("a/master")), Path::new("a"));
        assert_eq!(folder_of(Path::new("/master")), Path::new("/"));
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        ensure_dir(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        set_mode(&path, 0o770);
        assert!(
            ensure_dir(&path)
                .unwrap_err()
                .to_string()
                .contains("chmod 700")
        );
        fs::write(dir.path().join("file"), "").unwrap();
        let error = ensure_dir(&dir.path().join("file")).unwrap_err();
        assert!(matches!(error, PrivateError::Type { .. }), "{error}");
        let error = ensure_dir(&dir.path().join("file/folder")).unwrap_err();
        assert!(error.to_string().contains("folders alone"), "{error}");
    }

    #[test]
    fn a_file_that_is_too_long_or_missing_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        assert!(read(&path, 3).unwrap_err().is_not_found());
        create(&path, b"four").unwrap();
        assert!(matches!(
            read(&path, 3),
            Err(PrivateError::TooLong { limit: 3, .. })
        ));
        assert!(matches!(
            read(dir.path(), 3),
            Err(PrivateError::Type { .. })
        ));
    }
}
