//! The one secret of a software keystore.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use aws_lc_rs::rand;
use tokenbinding_backend::{
    ErrorKind, Result,
    private::{self, PrivateError},
};
use zeroize::Zeroizing;

use crate::{error, page::Page, passphrase, stack::wiped_after};

const OPEN: &str = "open the master";

/// 32 random bytes that every key of a keystore hangs on.
///
/// They are in a page of their own, which is in no core dump and is locked in memory where the system
/// allows it, and are wiped on drop.
pub struct Master(Page);

impl Master {
    /// Bytes of a master.
    pub const LEN: usize = 32;

    /// A new random master.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when the system gives no randomness.
    pub fn random() -> Result<Self> {
        let mut master = Self::zeroed()?;
        rand::fill(master.as_bytes_mut())
            .map_err(|_| error(ErrorKind::Internal, OPEN, "the system gives no randomness"))?;
        Ok(master)
    }

    /// A place for a master that is still to come.
    pub(crate) fn zeroed() -> Result<Self> {
        let page = Page::zeroed().map_err(|cause| error(ErrorKind::Internal, OPEN, cause))?;
        Ok(Self(page))
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; Self::LEN] {
        self.0.bytes()
    }

    pub(crate) const fn as_bytes_mut(&mut self) -> &mut [u8; Self::LEN] {
        self.0.bytes_mut()
    }
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Master(..)")
    }
}

/// Where the master of a lasting keystore comes from.
#[derive(Clone)]
pub enum MasterSource {
    /// A file of 32 random bytes that only its owner may read (mode 0600), in a folder that only
    /// its owner may write to. Made at first use.
    File(PathBuf),
    /// Argon2id (RFC 9106) of a passphrase. The file holds salt, cost and a check value, and no
    /// secret. Made at first use.
    Passphrase {
        /// Where salt, cost and check value are kept.
        file: PathBuf,
        /// The passphrase.
        passphrase: Zeroizing<String>,
    },
    /// A file of 32 bytes that the service manager hands over (`$CREDENTIALS_DIRECTORY`). Never
    /// made here.
    Credential(PathBuf),
}

impl fmt::Debug for MasterSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Passphrase { file, .. } => f.debug_tuple("Passphrase").field(file).finish(),
            Self::Credential(path) => f.debug_tuple("Credential").field(path).finish(),
        }
    }
}

impl MasterSource {
    /// The file that the master, or what belongs to its passphrase, is kept in.
    #[must_use]
    pub const fn path(&self) -> &PathBuf {
        match self {
            Self::File(path) | Self::Credential(path) => path,
            Self::Passphrase { file, .. } => file,
        }
    }

    /// Opens the master, and makes it first where it may be made and is not there.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] when others may read the file, [`ErrorKind::Corrupt`] when it is no
    /// master, [`ErrorKind::PinIncorrect`] for a wrong passphrase, [`ErrorKind::Unavailable`] when
    /// the file cannot be read or made.
    pub fn open(&self) -> Result<Master> {
        wiped_after(|| match self {
            Self::File(path) => file(path),
            Self::Passphrase { file, passphrase } => passphrase::open(file, passphrase),
            Self::Credential(path) => private::read_credential(path, Master::LEN)
                .map_err(private_error(OPEN))
                .and_then(|bytes| master_of(path, &bytes)),
        })
    }
}

/// The master in a file, which is made where it is missing. Who may write to its folder could put
/// another in its place.
fn file(path: &Path) -> Result<Master> {
    private::ensure_dir(private::folder_of(path)).map_err(private_error(OPEN))?;
    match private::read(path, Master::LEN) {
        Err(missing) if missing.is_not_found() => make(path),
        read => master_of(path, &read.map_err(private_error(OPEN))?),
    }
}

/// Makes the master, or opens the one that another process made in the meantime.
fn make(path: &Path) -> Result<Master> {
    let master = Master::random()?;
    match private::create(path, master.as_bytes()) {
        Err(exists) if exists.is_already_exists() => {
            let bytes = private::read(path, Master::LEN).map_err(private_error(OPEN))?;
            master_of(path, &bytes)
        }
        made => made.map(|()| master).map_err(private_error(OPEN)),
    }
}

fn master_of(path: &Path, bytes: &[u8]) -> Result<Master> {
    if bytes.len() != Master::LEN {
        let found = bytes.len();
        let cause = format!(
            "{path:?} holds {found} bytes and a master has 32: restore it from a backup; without \
             it the keys made under it are lost"
        );
        return Err(error(ErrorKind::Corrupt, OPEN, cause));
    }
    let mut master = Master::zeroed()?;
    master.as_bytes_mut().copy_from_slice(bytes);
    Ok(master)
}

/// Turns what keeps a file from being used during `operation` into an error of this backend.
pub(crate) fn private_error(
    operation: &'static str,
) -> impl FnOnce(PrivateError) -> tokenbinding_backend::Error {
    move |cause| {
        let kind = match &cause {
            open if open.is_open_to_others() => ErrorKind::Denied,
            PrivateError::TooLong { .. } => ErrorKind::Corrupt,
            _ => ErrorKind::Unavailable,
        };
        error(kind, operation, cause)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{MetadataExt as _, PermissionsExt as _},
        thread,
    };

    use super::*;

    #[test]
    fn the_master_is_made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let source = MasterSource::File(dir.path().join("a/master"));
        let first = *source.open().unwrap().as_bytes();
        assert_ne!(first, [0; 32]);
        assert_eq!(*source.open().unwrap().as_bytes(), first);
    }

    #[test]
    fn threads_that_make_the_master_at_once_get_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let source = MasterSource::File(dir.path().join("master"));
        let opened: Vec<_> = thread::scope(|scope| {
            let open = || *source.open().unwrap().as_bytes();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert!(opened.iter().all(|master| *master == opened[0]));
    }

    #[test]
    fn a_master_that_others_may_read_is_denied() {
        let dir = tempfile::tempdir().unwrap();
        let source = MasterSource::File(dir.path().join("master"));
        source.open().unwrap();
        fs::set_permissions(source.path(), fs::Permissions::from_mode(0o640)).unwrap();
        let error = source.open().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_master_in_a_folder_that_others_may_write_to_is_denied() {
        let dir = tempfile::tempdir().unwrap();
        let source = MasterSource::File(dir.path().join("master"));
        source.open().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o770)).unwrap();
        let error = source.open().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.to_string().contains("chmod 700"), "{error}");
    }

    #[test]
    fn a_credential_of_root_may_be_lent_by_an_acl() {
        let dir = tempfile::tempdir().unwrap();
        let source = MasterSource::Credential(dir.path().join("master"));
        private::create(source.path(), &[7; 32]).unwrap();
        fs::set_permissions(source.path(), fs::Permissions::from_mode(0o440)).unwrap();
        let is_roots = source.path().metadata().unwrap().uid() == 0;
        assert_eq!(source.open().is_ok(), is_roots);
    }

    #[test]
    fn a_master_of_another_size_is_corrupt_and_kept() {
        for size in [0, 31, 33] {
            let dir = tempfile::tempdir().unwrap();
            let source = MasterSource::File(dir.path().join("master"));
            private::create(source.path(), &vec![1; size]).unwrap();
            assert_eq!(source.open().unwrap_err().kind(), ErrorKind::Corrupt);
            assert_eq!(fs::read(source.path()).unwrap().len(), size);
        }
    }

    #[test]
    fn a_credential_is_never_made() {
        let dir = tempfile::tempdir().unwrap();
        let source = MasterSource::Credential(dir.path().join("master"));
        assert_eq!(source.open().unwrap_err().kind(), ErrorKind::Unavailable);
        private::create(source.path(), &[7; 32]).unwrap();
        assert_eq!(*source.open().unwrap().as_bytes(), [7; 32]);
    }
}
