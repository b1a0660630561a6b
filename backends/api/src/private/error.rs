//! Why a file or folder is refused. Every text ends in the remedy.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a file or folder cannot be used as a private one.
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
    /// It lies below a folder that others may write to, who could put something else in its place.
    #[error(
        "others may write to the folder {folder:?} (mode {mode:04o}) and put something else in \
             the place of {path:?}: run `chmod go-w {folder:?}` if you trust what is in it, or name \
             another path"
    )]
    Folder {
        /// What was being used.
        path: PathBuf,
        /// The folder on the way to it.
        folder: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It has a second name, and lies where others can have given it that: it may be another file
    /// than it seems.
    #[error(
        "{path:?} has another name too, which others may have given it: copy it to a folder of your \
             own, and name it there"
    )]
    Linked {
        /// What was being used.
        path: PathBuf,
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
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Io { path, source }
    }

    /// Whether the path does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// Whether another user could read it, change it, or put something else in its place.
    #[must_use]
    pub const fn is_open_to_others(&self) -> bool {
        matches!(
            self,
            Self::Owner { .. } | Self::Mode { .. } | Self::Folder { .. } | Self::Linked { .. }
        )
    }

    /// Whether the path exists already.
    #[must_use]
    pub fn is_already_exists(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
    }
}
