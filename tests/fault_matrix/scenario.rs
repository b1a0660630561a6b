//! What a user does, and what must hold whatever the device does meanwhile.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    sync::atomic::{AtomicUsize, Ordering},
};

use tempfile::TempDir;
use tokenbinding::{
    Binder, Config, Ekm, Error, KeyType, TokenBindingId, TokenBindingType, Verifier,
    binder::ListedKey,
};

use super::document::is_written;

static TARGETS: AtomicUsize = AtomicUsize::new(0);
const P256: KeyType = KeyType::EcdsaP256;

/// How long a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasts {
    /// One call.
    Once,
    /// Until a step has failed.
    UntilAStepFails,
}

impl Lasts {
    /// What is tried where a call comes first, and where it comes last.
    pub(crate) fn at(skip: usize) -> &'static [Self] {
        match (skip, is_written()) {
            (0, true) => &[Self::Once, Self::UntilAStepFails],
            (0, false) | (_, true) => &[Self::Once],
            (_, false) => &[],
        }
    }
}

/// A device with something wrong.
pub(crate) trait Device {
    /// Lets the fault begin.
    fn break_down(&self);
    /// Takes back what has not happened yet.
    fn repair(&self);
    /// Whether the fault has happened.
    fn has_broken(&self) -> bool;
    /// How many key pairs of the user's the device keeps by itself; `None` where it keeps none.
    fn keys(&self) -> Option<usize>;
}

/// What one run showed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Seen {
    /// The fault was not met.
    NotMet,
    /// No step failed.
    Recovers,
    /// A step failed so, and succeeded when it was done again.
    Fails(String),
    /// A step did not fail, and a key was set aside.
    SetsAside,
}

/// The user, who does each step again when it fails.
struct User<'a> {
    store: TempDir,
    config: Configure<'a>,
    device: &'a dyn Device,
    binder: Option<Binder>,
    /// Text that an error of the device must contain.
    code: &'a str,
    errors: BTreeSet<String>,
    set_aside: bool,
    lies: bool,
    targets: [String; 2],
    keys_before: Option<usize>,
}

/// How the binder of a store is configured.
pub(crate) type Configure<'a> = &'a dyn Fn(&TempDir) -> Config;

/// Runs the scenario and says what was seen. A device that `lies` keeps saying that it is another, or
/// holds other keys: it is believed, and its keys are not compared until it is sound again.
pub(crate) fn run(config: Configure<'_>, device: &dyn Device, code: &str, lies: bool) -> Seen {
    let mut user = User::new(config, device, code);
    user.lies = lies;
    device.break_down();
    user.scenario();
    let met = device.has_broken();
    device.repair();
    user.ends_consistent();
    assert!(lies || !user.set_aside, "a key was set aside");
    match user.errors {
        errors if !errors.is_empty() => Seen::Fails(join(&errors)),
        _ if user.set_aside => Seen::SetsAside,
        _ if met => Seen::Recovers,
        _ => Seen::NotMet,
    }
}

/// Runs the scenario on a sound device; `log` takes what the device was asked for in it.
pub(crate) fn rehearse<L>(
    config: Configure<'_>,
    device: &dyn Device,
    log: impl FnOnce() -> L,
) -> L {
    let mut user = User::new(config, device, "");
    user.scenario();
    let log = log();
    user.ends_consistent();
    assert!(user.errors.is_empty() && !user.set_aside, "a sound device");
    log
}

/// Each call of a log where it comes first and where it comes last: how many of its kind are before.
pub(crate) fn first_and_last<C: Clone + PartialEq>(log: &[C]) -> Vec<(C, usize)> {
    let mut places = Vec::new();
    for (at, call) in log.iter().enumerate() {
        if log[..at].contains(call) {
            continue;
        }
        places.push((call.clone(), 0));
        let count = log.iter().filter(|other| *other == call).count();
        if count > 1 {
            places.push((call.clone(), count - 1));
        }
    }
    places
}

fn join(texts: &BTreeSet<String>) -> String {
    texts.iter().fold(String::new(), |mut joined, text| {
        let comma = if joined.is_empty() { "" } else { ", " };
        write!(joined, "{comma}{text}").unwrap();
        joined
    })
}

impl<'a> User<'a> {
    fn new(config: Configure<'a>, device: &'a dyn Device, code: &'a str) -> Self {
        // These tests are about devices: no disk need take part.
        let memory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        Self {
            store: memory.unwrap(),
            config,
            device,
            binder: None,
            code,
            errors: BTreeSet::new(),
            set_aside: false,
            lies: false,
            // Of their own, so that what a device that lied has kept is nobody's.
            targets: ["a", "b"].map(|name| {
                let number = TARGETS.fetch_add(1, Ordering::Relaxed);
                format!("https://{name}{number}.example/")
            }),
            keys_before: device.keys(),
        }
    }

    fn scenario(&mut self) {
        let [target_a, target_b] = &self.targets.clone();
        let a = self.generate(target_a);
        self.still_has(target_a, &a);
        let b = self.generate(target_b);
        assert_ne!(a, b);
        self.still_has(target_a, &a);
        // The next process.
        self.binder = None;
        self.still_has(target_a, &a);
        self.still_has(target_b, &b);
        self.delete(target_a);
        let new = self.generate(target_a);
        assert_ne!(new, a, "a deleted key came back");
        self.binder = None;
        self.still_has(target_a, &new);
        self.still_has(target_b, &b);
    }

    fn still_has(&mut self, target: &str, id: &TokenBindingId) {
        let found = self.generate(target);
        assert!(self.lies || found == *id, "{target} has a second key");
    }

    /// Every target has one key, which signs; the device has those and no others. What a device has
    /// whose keys were not found, or were another's, it keeps.
    fn ends_consistent(&mut self) {
        self.binder = None;
        for target in &self.targets.clone() {
            let id = self.generate(target);
            assert_eq!(self.generate(target), id);
        }
        let in_use = self.in_use();
        assert_eq!(in_use, 2, "rows in use");
        let made = |user: &Self| Some(user.device.keys()? - user.keys_before?);
        if !self.lies {
            assert_eq!(made(self).unwrap_or(in_use), in_use, "keys on the device");
        }
        self.binder().delete_all().unwrap();
        assert_eq!(self.in_use(), 0);
        if !self.lies {
            assert_eq!(made(self).unwrap_or(0), 0, "keys that stayed");
        }
        self.binder = None;
    }

    fn binder(&mut self) -> &Binder {
        self.binder
            .get_or_insert_with(|| Binder::open(&(self.config)(&self.store)).unwrap())
    }

    /// How many keys are in use on the present device. Another one's are as good as set aside.
    fn in_use(&mut self) -> usize {
        let listed = self.binder().list().unwrap();
        let Ok(backend) = self.binder().backend() else {
            return 0;
        };
        let device = &backend.info().device;
        let is_in_use = |key: &&ListedKey| key.set_aside.is_none() && key.device == *device;
        let in_use = listed.iter().filter(is_in_use).count();
        self.set_aside |= in_use < listed.len();
        in_use
    }

    fn generate(&mut self, target: &str) -> TokenBindingId {
        self.step(|binder| generate(binder, target)).unwrap()
    }

    fn delete(&mut self, target: &str) {
        match self.step(|binder| binder.delete(target)) {
            // What failed first had deleted it already.
            Ok(_) | Err(Error::NotFound { .. }) => (),
            Err(error) => panic!("{error}"),
        }
    }

    /// Does a step, and again when it fails.
    fn step<T>(&mut self, step: impl Fn(&Binder) -> Result<T, Error>) -> Result<T, Error> {
        let first = step(self.binder());
        let _ = self.in_use();
        let Err(error) = first else {
            return first;
        };
        let text = error.to_string();
        assert!(text.contains(self.code), "{text:?} lacks {:?}", self.code);
        self.errors.insert(kind(&error));
        self.device.repair();
        step(self.binder())
    }
}

/// A binding of `target`, which verifies whatever the device does.
fn generate(binder: &Binder, target: &str) -> Result<TokenBindingId, Error> {
    let ekm = Ekm::new([0x5a; Ekm::LEN]);
    let binding = binder.generate_binding(target, P256, TokenBindingType::Provided, &ekm)?;
    let message = Binder::generate_message(&[&binding]).unwrap();
    let verified = Verifier::new(P256).verify(&message, &ekm).unwrap();
    assert_eq!(*verified.provided().unwrap().id(), binding.key().id);
    Ok(binding.key().id.clone())
}

/// The name of an error's kind.
fn kind(error: &Error) -> String {
    match error {
        Error::Backend(error) => {
            let kind = format!("{:?}", error.kind());
            kind.split([' ', '{']).next().unwrap().to_owned()
        }
        Error::BadDeviceSignature { .. } => "BadDeviceSignature".to_owned(),
        error => panic!("no error of the device: {error}"),
    }
}
