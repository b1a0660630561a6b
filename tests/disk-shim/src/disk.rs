//! Counts the changes and says what becomes of each.

use std::{
    ffi::CString,
    os::{
        fd::RawFd,
        unix::ffi::{OsStrExt as _, OsStringExt as _},
    },
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};

use crate::{
    calls,
    image::{Image, Random},
    plan::{Disk, Keep, Plan},
};

/// What a call does to the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Opens a file that is there for writing: counted as nothing, but a disk that has become
    /// read-only refuses it.
    Open,
    Create,
    Write,
    Truncate,
    Sync,
    Rename,
    Unlink,
    Mkdir,
    Link,
}

impl Change {
    /// Whether a disk in the state `errno` refuses it.
    fn is_concerned(self, errno: i32) -> bool {
        match errno {
            libc::ENOSPC | libc::EDQUOT => {
                matches!(self, Self::Create | Self::Write | Self::Mkdir | Self::Link)
            }
            libc::EROFS => self != Self::Sync,
            _ => self != Self::Open,
        }
    }
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is made.
    Goes,
    /// It fails with this error.
    Fails(i32),
    /// It writes half.
    Half,
    /// The process ends before it.
    Ends,
    /// The process ends after it.
    EndsAfter,
}

struct State {
    disk: Disk,
    plan: Plan,
    count: u32,
    image: Image,
}

static STATE: OnceLock<Option<Mutex<State>>> = OnceLock::new();

fn state() -> Option<&'static Mutex<State>> {
    let start = || {
        let (disk, plan) = Disk::here()?;
        let image = Image::of(disk.folder());
        Some(Mutex::new(State {
            disk,
            plan,
            count: 0,
            image,
        }))
    };
    STATE.get_or_init(start).as_ref()
}

/// The file that `fd` is open on.
pub(crate) fn path_of(fd: RawFd) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/self/fd/{fd}")).ok()
}

/// What becomes of a call that makes this `change` at `path`.
pub(crate) fn judge(name: &str, change: Change, path: &Path) -> Verdict {
    let Some(state) = state() else {
        return Verdict::Goes;
    };
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let absolute = std::path::absolute(path).unwrap_or_default();
    if !absolute.starts_with(state.disk.folder()) {
        return Verdict::Goes;
    }
    let counts = change != Change::Open;
    if counts {
        state.count += 1;
        log(state.disk.log(), name, &absolute);
    }
    let now = state.count;
    match state.plan {
        Plan::Cut { at, keep } if counts && at == now => match keep {
            Keep::Some(seed) if Random::new(seed).coin() => Verdict::EndsAfter,
            _ => Verdict::Ends,
        },
        Plan::Fail { at, errno, lasting } => {
            let now_or_later = (counts && at == now) || (lasting && now >= at);
            if now_or_later && (at == now && counts || change.is_concerned(errno)) {
                Verdict::Fails(errno)
            } else {
                Verdict::Goes
            }
        }
        Plan::Short { at } if now >= at && change == Change::Write => Verdict::Half,
        _ => Verdict::Goes,
    }
}

/// What `fd` is open on is safe on disk now.
pub(crate) fn synced(fd: RawFd, path: &Path) {
    if let Some(state) = state() {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if path.starts_with(state.disk.folder()) {
            state.image.synced(fd, path);
        }
    }
}

/// The end of the process, and of the power if the plan says so.
pub(crate) fn end() -> ! {
    if let Some(state) = state() {
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Plan::Cut { keep, .. } = state.plan {
            state.image.cut(state.disk.folder(), keep);
        }
    }
    calls::exit()
}

fn log(file: &std::ffi::OsStr, name: &str, path: &Path) {
    let mut line = format!("{name} ").into_bytes();
    line.extend(path.as_os_str().as_bytes());
    line.push(b'\n');
    let file = CString::new(file.to_owned().into_vec()).unwrap_or_default();
    calls::append(&file, &line);
}
