//! What is to happen, as text in the environment of the process.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
};

/// Names the folder whose changes are watched.
const FOLDER: &str = "TOKENBINDING_DISK";
/// Says what happens to them.
const PLAN: &str = "TOKENBINDING_DISK_PLAN";
/// Names a file outside the folder that gets a line for each change.
const LOG: &str = "TOKENBINDING_DISK_LOG";
/// The time in seconds since 1970 that the process takes for now.
pub(crate) const CLOCK: &str = "TOKENBINDING_DISK_CLOCK";

/// What survives of that which was not synced when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// All of it: the process ends, the machine does not.
    All,
    /// None of it.
    Synced,
    /// Some names and some sectors of 512 bytes, by this seed.
    Some(u64),
}

/// What happens at a change. They are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing: changes are only counted.
    Count,
    /// The process ends instead of making change `at`.
    Cut {
        /// The change.
        at: u32,
        /// What is kept of the changes before it.
        keep: Keep,
    },
    /// Change `at` fails with `errno`, and if it is `lasting` those after it that `errno` concerns.
    Fail {
        /// The change.
        at: u32,
        /// The error.
        errno: i32,
        /// Whether those after it fail, too.
        lasting: bool,
    },
    /// Each write from `at` on stores half of its bytes and says so.
    Short {
        /// The first change of which this is true.
        at: u32,
    },
}

impl Plan {
    fn text(self) -> String {
        match self {
            Self::Count => "count".to_owned(),
            Self::Cut { at, keep } => match keep {
                Keep::All => format!("cut {at} all"),
                Keep::Synced => format!("cut {at} synced"),
                Keep::Some(seed) => format!("cut {at} {seed}"),
            },
            Self::Fail { at, errno, lasting } => format!("fail {at} {errno} {lasting}"),
            Self::Short { at } => format!("short {at}"),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let words: Vec<_> = text.split(' ').collect();
        Some(match *words {
            ["count"] => Self::Count,
            ["cut", at, keep] => Self::Cut {
                at: at.parse().ok()?,
                keep: match keep {
                    "all" => Keep::All,
                    "synced" => Keep::Synced,
                    seed => Keep::Some(seed.parse().ok()?),
                },
            },
            ["fail", at, errno, lasting] => Self::Fail {
                at: at.parse().ok()?,
                errno: errno.parse().ok()?,
                lasting: lasting.parse().ok()?,
            },
            ["short", at] => Self::Short {
                at: at.parse().ok()?,
            },
            _ => return None,
        })
    }
}

/// The disk under one folder, as a test sees it.
#[derive(Clone, Debug)]
pub struct Disk {
    folder: PathBuf,
    log: PathBuf,
}

/// What tests say.
#[allow(
    clippy::missing_panics_doc,
    reason = "a test that cannot read its files is over"
)]
impl Disk {
    /// The disk under `folder`; the changes are logged to the file `log` outside it.
    #[must_use]
    pub fn new(folder: &Path, log: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            log: log.to_owned(),
        }
    }

    /// What a process must have in its environment for `plan` to happen to it.
    #[must_use]
    pub fn environment(&self, plan: Plan) -> [(&'static str, OsString); 4] {
        [
            ("LD_PRELOAD", library().into()),
            (FOLDER, self.folder.clone().into()),
            (PLAN, plan.text().into()),
            (LOG, self.log.clone().into()),
        ]
    }

    /// What a process must have in its environment to take `seconds` since 1970 for now.
    #[must_use]
    pub fn clock(seconds: i64) -> [(&'static str, OsString); 2] {
        [
            ("LD_PRELOAD", library().into()),
            (CLOCK, seconds.to_string().into()),
        ]
    }

    /// The changes of the processes since the last time this was asked: call and path of each.
    #[must_use]
    pub fn take_log(&self) -> Vec<String> {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        drop(fs::remove_file(&self.log));
        log.lines().map(str::to_owned).collect()
    }

    /// What the environment of this process says.
    pub(crate) fn here() -> Option<(Self, Plan)> {
        let path = |name| env::var_os(name).map(PathBuf::from);
        let disk = Self {
            folder: path(FOLDER)?,
            log: path(LOG)?,
        };
        let plan = env::var_os(PLAN)?;
        let parsed = plan.to_str().and_then(Plan::parse);
        Some((disk, parsed.expect("a plan that a test wrote")))
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn log(&self) -> &OsStr {
        self.log.as_os_str()
    }
}

/// The shared library, which cargo builds next to the tests.
fn library() -> PathBuf {
    let test = env::current_exe().expect("a test knows its own file");
    let places = test.ancestors().skip(1).take(2);
    let mut files = places.map(|place| place.join("libtokenbinding_disk_shim.so"));
    files
        .find(|file| file.exists())
        .expect("cargo has built the shim")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let cut = |keep| Plan::Cut { at: 7, keep };
        let fail = Plan::Fail {
            at: 3,
            errno: 28,
            lasting: true,
        };
        let cuts = [Keep::All, Keep::Synced, Keep::Some(9)].map(cut);
        for plan in [Plan::Count, fail, Plan::Short { at: 1 }]
            .into_iter()
            .chain(cuts)
        {
            assert_eq!(Plan::parse(&plan.text()), Some(plan));
        }
    }
}
