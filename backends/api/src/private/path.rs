//! The way to a file: every folder and every link on it, from the root on.
//!
//! Whoever may write to a folder can put another file in the place of one below it, and whoever owns
//! a link can turn it elsewhere. So each step must belong to this user or to root, and nobody else
//! may write to a folder on the way, except where only owners may rename and remove (`/tmp`, sticky).
//! What [`follow`] has found cannot be turned aside afterwards by anybody else: there is no race
//! between the look and the use.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs::{self, DirBuilder, Metadata},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{self, Component, Path, PathBuf},
};

use rustix::io::Errno;

use super::{OTHERS_WRITE, PrivateError, folder_of, sync_dir};

/// As many links as Linux itself follows.
const MAX_LINKS: usize = 40;
/// Only the owner of a file may rename or remove it in such a folder.
const STICKY: u32 = 0o1000;

/// What to do where the path does not go on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Tell so.
    Tell,
    /// Make the rest as folders, for this user alone.
    Make,
}

/// What a path leads to.
pub(super) struct Found {
    /// Where it is, without any link on the way.
    pub(super) path: PathBuf,
    /// What it is.
    pub(super) metadata: Metadata,
    /// Whether others may make files beside it.
    pub(super) is_shared: bool,
}

/// Follows `path` to its end.
pub(super) fn follow(path: &Path, missing: Missing) -> Result<Found, PrivateError> {
    let io = |source| PrivateError::io(path)(source);
    let absolute = path::absolute(path).map_err(io)?;
    let root = PathBuf::from("/");
    let metadata = root.symlink_metadata().map_err(io)?;
    let owner_of_root = metadata.uid();
    let mut found = Found {
        path: root,
        metadata,
        is_shared: false,
    };
    let mut rest = steps(&absolute);
    let mut links = 0;
    while let Some(step) = rest.pop_front() {
        let is_shared = check_folder(path, &found, owner_of_root)?;
        if step == ".." {
            found.path.pop();
            found.metadata = found.path.symlink_metadata().map_err(io)?;
            continue;
        }
        let next = found.path.join(&step);
        let metadata = match next.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && missing == Missing::Make => {
                make(&next).map_err(io)?;
                sync_parent(&next)?;
                next.symlink_metadata()
            }
            other => other,
        };
        let metadata = metadata.map_err(io)?;
        if metadata.is_symlink() {
            links += 1;
            if links > MAX_LINKS {
                return Err(io(Errno::LOOP.into()));
            }
            check_owner(&next, &metadata, owner_of_root)?;
            let target = fs::read_link(&next).map_err(io)?;
            // One that leads nowhere is an error: nothing is made behind a link.
            next.metadata().map_err(io)?;
            if target.is_absolute() {
                found.path = PathBuf::from("/");
                found.metadata = found.path.symlink_metadata().map_err(io)?;
            }
            for step in steps(&target).into_iter().rev() {
                rest.push_front(step);
            }
            continue;
        }
        found = Found {
            path: next,
            metadata,
            is_shared,
        };
    }
    Ok(found)
}

fn steps(path: &Path) -> VecDeque<OsString> {
    let components = path.components();
    components
        .filter(|step| matches!(step, Component::Normal(_) | Component::ParentDir))
        .map(|step| step.as_os_str().to_owned())
        .collect()
}

/// Another process of this user may be first.
fn make(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
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

/// Checks a folder on the way to `path`. Whether others may make files in it.
fn check_folder(path: &Path, folder: &Found, owner_of_root: u32) -> Result<bool, PrivateError> {
    if !folder.metadata.is_dir() {
        return Err(PrivateError::io(path)(Errno::NOTDIR.into()));
    }
    check_owner(&folder.path, &folder.metadata, owner_of_root)?;
    let mode = folder.metadata.mode() & 0o7777;
    if mode & OTHERS_WRITE != 0 && mode & STICKY == 0 {
        return Err(PrivateError::Folder {
            path: path.to_owned(),
            folder: folder.path.clone(),
            mode,
        });
    }
    Ok(mode & OTHERS_WRITE != 0)
}

/// Checks who owns a step on the way. The owner of `/` can turn every path aside anyway: he is root,
/// except in a user namespace that root has no number in.
fn check_owner(step: &Path, metadata: &Metadata, owner_of_root: u32) -> Result<(), PrivateError> {
    let uid = metadata.uid();
    if [0, owner_of_root, rustix::process::geteuid().as_raw()].contains(&uid) {
        return Ok(());
    }
    Err(PrivateError::Owner {
        path: step.to_owned(),
        uid,
    })
}
