//! What is safe on disk, and what a power cut leaves.
//!
//! What an `fsync` of a file covers is its contents; what an `fsync` of a folder covers is the names
//! in it. All else may be there after a cut or not: each sector of 512 bytes by itself, each name by
//! itself, except that the two halves of a rename come together, which journaling file systems
//! promise. Nothing is expected of the order of writes between two syncs.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File, Metadata},
    io::Write as _,
    os::{
        fd::RawFd,
        unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{calls, plan::Keep};

const SECTOR: usize = 512;

/// Tells a file from another that got its number later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Inode {
    number: u64,
    born: Option<SystemTime>,
    folder: bool,
}

impl From<&Metadata> for Inode {
    fn from(metadata: &Metadata) -> Self {
        Self {
            number: metadata.ino(),
            born: metadata.created().ok(),
            folder: metadata.is_dir(),
        }
    }
}

type Names = BTreeMap<PathBuf, Inode>;

/// What is safe on disk of a folder and everything below.
pub(crate) struct Image {
    names: Names,
    contents: HashMap<Inode, Vec<u8>>,
}

impl Image {
    /// Everything that is there now.
    pub(crate) fn of(folder: &Path) -> Self {
        let mut names = Names::new();
        walk(folder, &mut names);
        let files = names.iter().filter(|(_, inode)| !inode.folder);
        let contents = files.map(|(path, inode)| (*inode, fs::read(path).unwrap_or_default()));
        Self {
            contents: contents.collect(),
            names,
        }
    }

    /// The file or folder that `fd` is open on was synced.
    pub(crate) fn synced(&mut self, fd: RawFd, path: &Path) {
        let Ok(metadata) = fs::metadata(format!("/proc/self/fd/{fd}")) else {
            return;
        };
        if metadata.is_dir() {
            self.names.retain(|name, _| name.parent() != Some(path));
            list(path, &mut self.names);
        } else {
            // Not opened again: to close it would let go of the locks that the process has on it.
            let contents = calls::read_all(fd, metadata.len());
            self.contents.insert(Inode::from(&metadata), contents);
        }
    }

    /// Leaves of the folder what the power cut leaves.
    pub(crate) fn cut(&self, folder: &Path, keep: Keep) {
        let mut random = match keep {
            Keep::All => return,
            Keep::Synced => Random::Never,
            Keep::Some(seed) => Random::new(seed),
        };
        let mut present = Names::new();
        walk(folder, &mut present);
        let names = self.surviving_names(&present, &mut random);
        let mut contents: HashMap<Inode, Vec<u8>> = HashMap::new();
        for (path, inode) in present.iter().filter(|(_, inode)| !inode.folder) {
            let new = fs::read(path).unwrap_or_default();
            let old = self.contents.get(inode).map(Vec::as_slice);
            let blend = || blend(old.unwrap_or_default(), &new, &mut random);
            contents.entry(*inode).or_insert_with(blend);
        }
        // Deepest first.
        for (path, inode) in present.iter().rev() {
            drop(if inode.folder {
                fs::remove_dir(path)
            } else {
                fs::remove_file(path)
            });
        }
        for (path, inode) in &names {
            if inode.folder {
                drop(fs::DirBuilder::new().mode(0o700).create(path));
                continue;
            }
            let bytes = contents.get(inode).or_else(|| self.contents.get(inode));
            let mut options = File::options();
            // A name whose folder is gone is gone with it.
            let made = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .and_then(|mut file| file.write_all(bytes.map_or(&[][..], Vec::as_slice)));
            drop(made);
        }
    }

    /// The names that are there afterwards: those that lead to one file come or go together.
    fn surviving_names(&self, present: &Names, random: &mut Random) -> Names {
        let mut names = self.names.clone();
        let mut decided: HashMap<Inode, bool> = HashMap::new();
        let changed = |path: &&PathBuf| self.names.get(*path) != present.get(*path);
        let mut paths: Vec<_> = present.keys().chain(self.names.keys()).collect();
        paths.sort();
        paths.dedup();
        for path in paths.into_iter().filter(changed) {
            let ends = [present.get(path), self.names.get(path)];
            let before = ends.iter().flatten().find_map(|inode| decided.get(*inode));
            let new = before.copied().unwrap_or_else(|| random.coin());
            for inode in ends.into_iter().flatten() {
                decided.insert(*inode, new);
            }
            if new {
                names.remove(path);
                names.extend(present.get_key_value(path).map(|(p, i)| (p.clone(), *i)));
            }
        }
        names
    }
}

/// The names directly in a folder.
fn list(folder: &Path, names: &mut Names) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if let Ok(metadata) = entry.path().symlink_metadata() {
            names.insert(entry.path(), Inode::from(&metadata));
        }
    }
}

fn walk(folder: &Path, names: &mut Names) {
    let mut here = Names::new();
    list(folder, &mut here);
    for (path, inode) in &here {
        if inode.folder {
            walk(path, names);
        }
    }
    names.extend(here);
}

/// Each sector old or new, and the length old or new.
fn blend(old: &[u8], new: &[u8], random: &mut Random) -> Vec<u8> {
    let length = if old.len() == new.len() || random.coin() {
        new.len()
    } else {
        old.len()
    };
    let mut bytes = old.to_vec();
    bytes.resize(length, 0);
    for (at, sector) in new.chunks(SECTOR).enumerate() {
        let start = at * SECTOR;
        if start >= length || !random.coin() {
            continue;
        }
        let end = length.min(start + sector.len());
        bytes[start..end].copy_from_slice(&sector[..end - start]);
    }
    bytes
}

/// Coins that fall the same way each time (`SplitMix64`).
pub(crate) enum Random {
    Never,
    Seeded(u64),
}

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self::Seeded(seed)
    }

    pub(crate) const fn coin(&mut self) -> bool {
        let Self::Seeded(state) = self else {
            return false;
        };
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) & 1 == 1
    }
}
