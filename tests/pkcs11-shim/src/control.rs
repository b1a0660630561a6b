//! The files through which tests and the module talk.

use std::{
    env,
    ffi::OsString,
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// Names the directory.
const VARIABLE: &str = "TOKENBINDING_SHIM";

/// The directory of one shim.
#[derive(Clone, Debug)]
pub struct Shim {
    directory: PathBuf,
}

/// What tests say.
#[allow(
    clippy::missing_panics_doc,
    reason = "a test that cannot write its files is over"
)]
impl Shim {
    /// A shim before the module at `real`, told what to do in `directory`.
    #[must_use]
    pub fn new(directory: &Path, real: &str) -> Self {
        fs::create_dir_all(directory).expect("a directory for the shim");
        let shim = Self {
            directory: directory.to_owned(),
        };
        shim.write("module", real);
        shim
    }

    /// The shim of this process.
    #[must_use]
    pub fn here() -> Self {
        Self::from_environment().expect("the shim is in the environment")
    }

    /// What a process must have in its environment to use it.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, OsString); 1] {
        [(VARIABLE, self.directory.clone().into())]
    }

    /// The shared library, which cargo builds next to the tests.
    #[must_use]
    pub fn library() -> String {
        let test = env::current_exe().expect("a test knows its own file");
        let places = test.ancestors().skip(1).take(2);
        let mut files = places.map(|place| place.join("libtokenbinding_pkcs11_shim.so"));
        let found = files.find(|file| file.exists());
        let library = found.expect("cargo has built the shim");
        library.to_str().expect("a plain path").to_owned()
    }

    /// After `skip` more calls of `function`, the next `times` fail with `rv`.
    pub fn fail(&self, function: &str, skip: u32, times: u32, rv: u64) {
        self.write(&format!("fail.{function}"), &format!("{skip} {times} {rv}"));
    }

    /// After `skip` more calls of `function`, the next `times` are done and then answered with `rv`.
    pub fn lose_answer(&self, function: &str, skip: u32, times: u32, rv: u64) {
        self.write(&format!("lose.{function}"), &format!("{skip} {times} {rv}"));
    }

    /// After `skip` more calls of `function`, the next `times` answer wrongly: one bit of a
    /// signature or an attribute, or an object that is not found.
    pub fn answer_wrongly(&self, function: &str, skip: u32, times: u32) {
        self.write(&format!("spoil.{function}"), &format!("{skip} {times} 0"));
    }

    /// After `skip` more calls of `function`, the next `times` tell a length that is one too short.
    pub fn answer_short(&self, function: &str, skip: u32, times: u32) {
        self.write(&format!("short.{function}"), &format!("{skip} {times} 0"));
    }

    /// Takes back every fault that has not happened yet.
    pub fn forget_faults(&self) {
        let files = fs::read_dir(&self.directory).expect("the shim's directory");
        for file in files {
            let name = file.expect("a file").file_name();
            let name = name.to_string_lossy();
            if ["fail.", "lose.", "spoil.", "short.", "delay."]
                .iter()
                .any(|fault| name.starts_with(fault))
            {
                self.clear(&name);
            }
        }
    }

    /// Whether no call has met the fault that was asked for with these numbers.
    #[must_use]
    pub fn is_untouched(&self, function: &str, skip: u32, times: u32) -> bool {
        ["fail", "lose", "spoil", "short"].iter().any(|fault| {
            let asked = self.read(&format!("{fault}.{function}"));
            let numbers = asked.as_deref().unwrap_or_default().split_whitespace();
            let mut numbers = numbers.map(|number| number.parse().unwrap_or(0));
            let [left, still] = [numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)];
            left <= skip && still == times && (left > 0 || still > 0)
        })
    }

    /// Whether the failures asked for have happened.
    #[must_use]
    pub fn has_failed(&self, function: &str) -> bool {
        self.read(&format!("fail.{function}")).is_none()
    }

    /// Each call of `function` takes this much longer.
    pub fn delay(&self, function: &str, by: Duration) {
        self.write(&format!("delay.{function}"), &by.as_millis().to_string());
    }

    /// Every call so far, by its function's name.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.lines("calls")
    }

    /// How many calls of `function` there were.
    #[must_use]
    pub fn count(&self, function: &str) -> usize {
        self.calls().iter().filter(|call| *call == function).count()
    }

    /// Each call that began while another one, which lists or changes the objects too, was running.
    #[must_use]
    pub fn overlaps(&self) -> Vec<String> {
        self.lines("overlaps")
    }

    /// Begins to count anew.
    pub fn forget_calls(&self) {
        self.write("calls", "");
    }

    /// Takes the token out of its slot.
    pub fn remove_token(&self) {
        let removals = self.removals() + 1;
        self.write("removals", &removals.to_string());
        self.write("removed", "");
    }

    /// Puts it back.
    pub fn insert_token(&self) {
        self.clear("removed");
    }

    /// Each signature wants a login of its own, with this PIN (`CKA_ALWAYS_AUTHENTICATE`).
    pub fn always_authenticate(&self, pin: &str) {
        self.write("always_authenticate", pin);
    }

    /// The token has these `CKF_` flags besides its own.
    pub fn token_flags(&self, flags: u64) {
        self.write("token_flags", &flags.to_string());
    }

    /// The person at the pad enters this PIN.
    pub fn pad_pin(&self, pin: &str) {
        self.write("pad_pin", pin);
    }

    /// Every object answers so for a yes-or-no attribute.
    pub fn attribute(&self, kind: u64, value: bool) {
        self.write(&format!("attribute.{kind}"), if value { "1" } else { "0" });
    }

    /// The token does not list this mechanism.
    pub fn hide_mechanism(&self, mechanism: u64) {
        self.write(&format!("hidden.{mechanism}"), "");
    }

    /// ECDSA signatures come in DER, points without.
    pub fn spell_differently(&self) {
        self.write("spelling", "");
    }

    /// Takes back whatever `what` said: a file's name in the directory.
    pub fn clear(&self, what: &str) {
        let _ = fs::remove_file(self.directory.join(what));
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = self.read(name).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn write(&self, name: &str, text: &str) {
        // Whole or not at all: the module may be reading.
        let file = self.directory.join(name);
        let new = self.directory.join(format!(".{name}"));
        fs::write(&new, text).expect("the shim's directory can be written");
        fs::rename(new, file).expect("the shim's directory can be written");
    }
}

/// What the module does.
impl Shim {
    pub(crate) fn from_environment() -> Option<Self> {
        let directory = env::var_os(VARIABLE)?.into();
        Some(Self { directory })
    }

    pub(crate) fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.directory.join(name)).ok()
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.read(name)?.trim().parse().ok()
    }

    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.directory.join(name).exists()
    }

    pub(crate) fn removals(&self) -> u64 {
        self.number("removals").unwrap_or(0)
    }

    /// Notes a call, waits as long as it is to take, and returns what it is to fail with.
    pub(crate) fn call(&self, function: &str) -> Option<u64> {
        self.note("calls", function);
        if let Some(by) = self.number(&format!("delay.{function}")) {
            thread::sleep(Duration::from_millis(by));
        }
        self.failure(&format!("fail.{function}"))
    }

    /// Adds a line to the file `log`.
    pub(crate) fn note(&self, log: &str, line: &str) {
        let log = self.directory.join(log);
        if let Ok(mut log) = OpenOptions::new().append(true).create(true).open(log) {
            // By one write: other threads and processes add theirs.
            let _ = log.write_all(format!("{line}\n").as_bytes());
        }
    }

    /// What a call that was done is answered with in place of its own answer.
    pub(crate) fn lost(&self, function: &str) -> Option<u64> {
        self.failure(&format!("lose.{function}"))
    }

    /// Whether the answer of a call is to be wrong.
    pub(crate) fn spoils(&self, function: &str) -> bool {
        self.failure(&format!("spoil.{function}")).is_some()
    }

    /// Whether the answer of a call is to be short.
    pub(crate) fn shortens(&self, function: &str) -> bool {
        self.failure(&format!("short.{function}")).is_some()
    }

    fn failure(&self, name: &str) -> Option<u64> {
        let text = self.read(name)?;
        let mut numbers = text
            .split_whitespace()
            .map(|number| number.parse::<u64>().ok());
        let [skip, times, rv] = [numbers.next()??, numbers.next()??, numbers.next()??];
        match (skip, times) {
            (0, 0 | 1) => self.clear(name),
            (0, _) => self.write(name, &format!("0 {} {rv}", times - 1)),
            _ => self.write(name, &format!("{} {times} {rv}", skip - 1)),
        }
        (skip == 0 && times > 0).then_some(rv)
    }
}
