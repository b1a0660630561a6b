//! What is run on the failing disk, and what must be true of the store afterwards.

use std::{collections::BTreeMap, env, fs, path::Path, process::Output};

use rusqlite::Connection;
use tokenbinding_disk_shim::{Disk, Plan};

use crate::common::{Sandbox, stderr};

/// How many times more than in the suite.
pub(crate) fn rounds() -> u32 {
    let rounds = env::var("TOKENBINDING_CRASH_ROUNDS");
    rounds.map_or(1, |rounds| rounds.parse().expect("a number"))
}

/// Changes of one job that go wrong in the suite.
const SAMPLE: u32 = 150;

/// Which of the changes 1 to `count` go wrong: all of them, if they are not too many for the suite.
pub(crate) fn changes(count: u32, limit: u32) -> impl Iterator<Item = u32> {
    let step = if rounds() > 1 {
        1
    } else {
        count.div_ceil(limit.min(SAMPLE))
    };
    // The last ones come after the result is shown.
    (1..=count).rev().step_by(step as usize)
}

/// A command on a store that was prepared by others.
pub(crate) struct Job {
    before: Sandbox,
    arguments: Vec<&'static str>,
    /// The keys that are there before, by target.
    keys: BTreeMap<&'static str, String>,
}

pub(crate) const OLD: &str = "old.example";
pub(crate) const OTHER: &str = "other.example";
pub(crate) const NEW: &str = "new.example";

impl Job {
    /// `arguments` on an empty folder.
    pub(crate) fn on_nothing(arguments: &[&'static str]) -> Self {
        Self {
            before: Sandbox::new(),
            arguments: arguments.to_vec(),
            keys: BTreeMap::new(),
        }
    }

    /// `arguments` on a store with keys for [`OLD`] and [`OTHER`].
    pub(crate) fn on_two_keys(arguments: &[&'static str]) -> Self {
        let mut job = Self::on_nothing(arguments);
        for target in [OLD, OTHER] {
            job.keys.insert(target, job.before.ok(&["id", target]));
        }
        job
    }

    /// `arguments` on a store with those and one key that was set aside.
    pub(crate) fn on_a_key_set_aside(arguments: &[&'static str]) -> Self {
        let mut job = Self::on_two_keys(arguments);
        let db = Connection::open(job.before.store().join("keys.db")).unwrap();
        let damage = "UPDATE keys SET stored = substr(stored, 1, 40) WHERE scope LIKE '%old%'";
        assert_eq!(db.execute(damage, []).unwrap(), 1);
        db.close().unwrap();
        job.keys.insert(OLD, job.before.ok(&["id", OLD]));
        job
    }

    /// What the job's command does when nothing goes wrong, change by change.
    pub(crate) fn log(&self) -> Vec<String> {
        let run = self.run(Plan::Count);
        assert!(run.output.status.success(), "{}", stderr(&run.output));
        let log = run.disk.take_log();
        assert!(log.iter().any(|line| line.starts_with("pwrite64 ")));
        log
    }

    /// Runs it on a copy of the prepared store.
    pub(crate) fn run(&self, plan: Plan) -> Run<'_> {
        let sandbox = Sandbox::new();
        let home = sandbox.path("home");
        copy(self.before.home(), &home);
        let disk = Disk::new(&home, &sandbox.path("log"));
        let mut command = sandbox.command_at(&home);
        command.args(&self.arguments).envs(disk.environment(plan));
        let output = command.output().unwrap();
        Run {
            job: self,
            sandbox,
            disk,
            output,
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, from.metadata().unwrap().permissions()).unwrap();
    for entry in from.read_dir().unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// What became of one run of a job.
pub(crate) struct Run<'a> {
    job: &'a Job,
    sandbox: Sandbox,
    disk: Disk,
    pub(crate) output: Output,
}

impl Run<'_> {
    /// What the command printed, if it printed a whole line.
    pub(crate) fn shown(&self) -> Option<String> {
        let text = String::from_utf8(self.output.stdout.clone()).unwrap();
        text.ends_with('\n').then_some(text)
    }

    fn again(&self, arguments: &[&str]) -> Output {
        let mut command = self.sandbox.command_at(&self.disk_folder());
        command.args(arguments).output().unwrap()
    }

    fn disk_folder(&self) -> std::path::PathBuf {
        self.sandbox.path("home")
    }

    /// The key that the store has for a target, on a disk that is sound again.
    pub(crate) fn key(&self, target: &str) -> Option<String> {
        let output = self.again(&["id", target, "--key-type", "any-existing"]);
        match output.status.code() {
            Some(0) => Some(String::from_utf8(output.stdout).unwrap()),
            _ if stderr(&output).contains("there is no key") => None,
            _ => panic!("{}", stderr(&output)),
        }
    }

    /// The command works on a disk that is sound again. What it prints is the answer.
    pub(crate) fn works(&self, arguments: &[&str]) -> String {
        let output = self.again(arguments);
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Whatever happened: the store opens and is sound, its master is whole, the keys that the job
    /// had no business with are there, and the next keys can be made and stay.
    pub(crate) fn assert_store_is_sound(&self, keys_that_stay: &[&str]) {
        self.works(&["keys", "list"]);
        for target in keys_that_stay {
            let before = self.job.keys.get(target).cloned();
            assert_eq!(self.key(target), before, "the key of {target} is lost");
        }
        let made = self.works(&["id", "afterwards.example"]);
        assert_eq!(self.key("afterwards.example"), Some(made));
        let store = self.disk_folder().join("store");
        assert_eq!(fs::read(store.join("software.master")).unwrap().len(), 32);
        assert_integrity(&store);
    }
}

pub(crate) fn assert_integrity(store: &Path) {
    let db = Connection::open(store.join("keys.db")).unwrap();
    let answer: String = db
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(answer, "ok");
}
