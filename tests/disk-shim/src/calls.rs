//! libc's functions that change files, each asking [`disk`](crate::disk) first.
#![allow(
    unsafe_code,
    reason = "these are C functions, called with C's arguments"
)]
#![allow(
    unreachable_pub,
    reason = "they are exported by name, and Rust sees no caller"
)]

use std::{
    ffi::{CStr, OsStr},
    os::{fd::RawFd, unix::ffi::OsStrExt as _},
    path::{Path, PathBuf},
};

use libc::{c_char, c_int, c_void, mode_t, off_t, size_t, ssize_t};

use crate::{
    disk::{self, Change, Verdict},
    real::{outermost, real},
};

type Open = unsafe extern "C" fn(*const c_char, c_int, mode_t) -> c_int;
type OpenAt = unsafe extern "C" fn(c_int, *const c_char, c_int, mode_t) -> c_int;
type Write = unsafe extern "C" fn(c_int, *const c_void, size_t) -> ssize_t;
type Pwrite = unsafe extern "C" fn(c_int, *const c_void, size_t, off_t) -> ssize_t;
type OneFd = unsafe extern "C" fn(c_int) -> c_int;
type Truncate = unsafe extern "C" fn(c_int, off_t) -> c_int;
type OnePath = unsafe extern "C" fn(*const c_char) -> c_int;
type TwoPaths = unsafe extern "C" fn(*const c_char, *const c_char) -> c_int;
type Mkdir = unsafe extern "C" fn(*const c_char, mode_t) -> c_int;
type LinkAt = unsafe extern "C" fn(c_int, *const c_char, c_int, *const c_char, c_int) -> c_int;

/// Ends the process at once: nothing is flushed, no destructor runs.
pub(crate) fn exit() -> ! {
    // SAFETY: it does not return.
    unsafe { libc::_exit(137) }
}

/// Appends to a file without the functions below.
pub(crate) fn append(file: &CStr, line: &[u8]) {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC;
    let fd = real!(open64: Open, file.as_ptr(), flags, 0o600);
    real!(write: Write, fd, line.as_ptr().cast(), line.len());
    // SAFETY: it was opened here.
    unsafe { libc::close(fd) };
}

/// The contents of the file that `fd` is open on; nothing when it may not be read.
pub(crate) fn read_all(fd: RawFd, length: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    // SAFETY: the pointer and the length are those of one vector.
    let read = unsafe { libc::pread(fd, bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    bytes.truncate(usize::try_from(read).unwrap_or_default());
    bytes
}

fn fail<T: From<i8>>(errno: i32) -> T {
    // SAFETY: errno is this thread's own.
    unsafe { *libc::__errno_location() = errno };
    T::from(-1)
}

/// Makes the call, or does what is to become of it. `path` is evaluated with errno left alone.
fn changing<T: From<i8>>(
    name: &str,
    change: impl FnOnce() -> Option<(Change, PathBuf)>,
    half: impl FnOnce() -> Option<T>,
    call: impl FnOnce() -> T,
) -> T {
    // SAFETY: errno is this thread's own.
    let errno = unsafe { *libc::__errno_location() };
    let verdict = outermost(|| {
        change().map_or(Verdict::Goes, |(change, path)| {
            disk::judge(name, change, &path)
        })
    });
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
    match verdict.unwrap_or(Verdict::Goes) {
        Verdict::Goes => call(),
        Verdict::Fails(errno) => fail(errno),
        Verdict::Half => match half() {
            Some(written) => written,
            None => call(),
        },
        Verdict::EndsAfter => {
            call();
            outermost(|| disk::end());
            exit()
        }
        Verdict::Ends => {
            outermost(|| disk::end());
            exit()
        }
    }
}

/// # Safety
/// `path` is a C string.
unsafe fn path(path: *const c_char) -> PathBuf {
    // SAFETY: so says the caller.
    let bytes = unsafe { CStr::from_ptr(path) }.to_bytes();
    Path::new(OsStr::from_bytes(bytes)).to_owned()
}

/// # Safety
/// `name` is a C string.
unsafe fn opened(name: *const c_char, flags: c_int) -> Option<(Change, PathBuf)> {
    // SAFETY: so says the caller.
    let path = unsafe { path(name) };
    let writes = flags & libc::O_ACCMODE != libc::O_RDONLY;
    let creates = flags & libc::O_CREAT != 0 && path.symlink_metadata().is_err();
    let empties = flags & libc::O_TRUNC != 0;
    let change = match (creates || empties, writes) {
        (true, _) => Change::Create,
        (false, true) => Change::Open,
        (false, false) => return None,
    };
    Some((change, path))
}

fn of_fd(change: Change, fd: RawFd) -> Option<(Change, PathBuf)> {
    disk::path_of(fd).map(|path| (change, path))
}

macro_rules! open {
    ($($name:ident)*) => {$(
        /// As libc's. Its last argument is given where a file is made; C's variable arguments come
        /// in the same registers on the machines that Debian supports.
        ///
        /// # Safety
        /// As libc's.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
            changing(
                stringify!($name),
                // SAFETY: the path is a C string.
                || unsafe { opened(path, flags) },
                || None,
                || real!($name: Open, path, flags, mode),
            )
        }
    )*};
}
open!(open open64);

macro_rules! openat {
    ($($name:ident)*) => {$(
        /// As libc's.
        ///
        /// # Safety
        /// As libc's.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            dir: c_int,
            path: *const c_char,
            flags: c_int,
            mode: mode_t,
        ) -> c_int {
            changing(
                stringify!($name),
                // SAFETY: the path is a C string.
                || unsafe { opened(path, flags) },
                || None,
                || real!($name: OpenAt, dir, path, flags, mode),
            )
        }
    )*};
}
openat!(openat openat64);

/// As libc's.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, bytes: *const c_void, length: size_t) -> ssize_t {
    changing(
        "write",
        || of_fd(Change::Write, fd),
        || (length > 1).then(|| real!(write: Write, fd, bytes, length / 2)),
        || real!(write: Write, fd, bytes, length),
    )
}

macro_rules! pwrite {
    ($($name:ident)*) => {$(
        /// As libc's.
        ///
        /// # Safety
        /// As libc's.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            fd: c_int,
            bytes: *const c_void,
            length: size_t,
            at: off_t,
        ) -> ssize_t {
            changing(
                stringify!($name),
                || of_fd(Change::Write, fd),
                || (length > 1).then(|| real!($name: Pwrite, fd, bytes, length / 2, at)),
                || real!($name: Pwrite, fd, bytes, length, at),
            )
        }
    )*};
}
pwrite!(pwrite pwrite64);

macro_rules! sync {
    ($($name:ident)*) => {$(
        /// As libc's.
        ///
        /// # Safety
        /// As libc's.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(fd: c_int) -> c_int {
            changing(
                stringify!($name),
                || of_fd(Change::Sync, fd),
                || None,
                || {
                    let done = real!($name: OneFd, fd);
                    if done == 0 {
                        outermost(|| {
                            if let Some(path) = disk::path_of(fd) {
                                disk::synced(fd, &path);
                            }
                        });
                    }
                    done
                },
            )
        }
    )*};
}
sync!(fsync fdatasync);

macro_rules! truncate {
    ($($name:ident)*) => {$(
        /// As libc's.
        ///
        /// # Safety
        /// As libc's.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(fd: c_int, length: off_t) -> c_int {
            changing(
                stringify!($name),
                || of_fd(Change::Truncate, fd),
                || None,
                || real!($name: Truncate, fd, length),
            )
        }
    )*};
}
truncate!(ftruncate ftruncate64);

/// As libc's.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn unlink(name: *const c_char) -> c_int {
    changing(
        "unlink",
        // SAFETY: the path is a C string.
        || Some((Change::Unlink, unsafe { path(name) })).filter(|(_, path)| path.exists()),
        || None,
        || real!(unlink: OnePath, name),
    )
}

macro_rules! two_paths {
    ($($name:ident $change:ident)*) => {$(
        /// As libc's.
        ///
        /// # Safety
        /// As libc's.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(from: *const c_char, to: *const c_char) -> c_int {
            changing(
                stringify!($name),
                // SAFETY: the path is a C string.
                || Some((Change::$change, unsafe { path(to) })),
                || None,
                || real!($name: TwoPaths, from, to),
            )
        }
    )*};
}
two_paths!(rename Rename link Link);

/// As libc's.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn linkat(
    from_dir: c_int,
    from: *const c_char,
    to_dir: c_int,
    to: *const c_char,
    flags: c_int,
) -> c_int {
    changing(
        "linkat",
        // SAFETY: the path is a C string.
        || Some((Change::Link, unsafe { path(to) })),
        || None,
        || real!(linkat: LinkAt, from_dir, from, to_dir, to, flags),
    )
}

/// As libc's.
///
/// # Safety
/// As libc's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mkdir(name: *const c_char, mode: mode_t) -> c_int {
    changing(
        "mkdir",
        // SAFETY: the path is a C string.
        || Some((Change::Mkdir, unsafe { path(name) })).filter(|(_, path)| !path.exists()),
        || None,
        || real!(mkdir: Mkdir, name, mode),
    )
}
