//! A simulated token behind a module that fails on command.

use std::{env, fs, path::PathBuf};

use tempfile::TempDir;
use tokenbinding::{Config, ProviderChoice, config::Pkcs11Config};
use tokenbinding_devices::{
    own_process,
    softhsm::{self, SoftHsm},
    this_test,
};
use tokenbinding_pkcs11_shim::Shim;

use super::{
    document::{self, Matrix},
    scenario::{Device, Lasts, Seen, first_and_last, rehearse, run},
};

const LABEL: &str = "work";

/// What a call does wrong.
#[derive(Clone, Copy)]
enum Fault {
    /// It answers so and does nothing.
    Fails(u64),
    /// It does what it should, and answers so.
    AnswerLost(u64),
    Wrong,
    Short,
    Slow,
}

struct Trouble {
    column: &'static str,
    fault: Fault,
    code: &'static str,
    /// Whether the token is taken for one without the key when it keeps answering so.
    lies: bool,
}

const fn trouble(column: &'static str, fault: Fault, code: &'static str) -> Trouble {
    Trouble {
        column,
        fault,
        code,
        lies: false,
    }
}

/// PKCS#11 v2.40, `pkcs11t.h`.
const TROUBLES: [Trouble; 10] = [
    trouble("CKR_GENERAL_ERROR", Fault::Fails(0x5), "CKR_GENERAL_ERROR"),
    trouble("CKR_DEVICE_ERROR", Fault::Fails(0x30), "CKR_DEVICE_ERROR"),
    trouble("CKR_DEVICE_MEMORY", Fault::Fails(0x31), "CKR_DEVICE_MEMORY"),
    trouble(
        "CKR_DEVICE_REMOVED",
        Fault::Fails(0x32),
        "CKR_DEVICE_REMOVED",
    ),
    trouble(
        "stale session",
        Fault::Fails(0xb3),
        "CKR_SESSION_HANDLE_INVALID",
    ),
    trouble(
        "stale object",
        Fault::Fails(0x82),
        "CKR_OBJECT_HANDLE_INVALID",
    ),
    trouble("answer lost", Fault::AnswerLost(0x30), "CKR_DEVICE_ERROR"),
    trouble("delay", Fault::Slow, ""),
    Trouble {
        lies: true,
        ..trouble("wrong answer", Fault::Wrong, "")
    },
    Trouble {
        lies: true,
        ..trouble("short answer", Fault::Short, "")
    },
];

struct Broken<'a> {
    shim: &'a Shim,
    tokens: PathBuf,
    function: &'a str,
    skip: u32,
    times: u32,
    fault: Option<Fault>,
}

impl Device for Broken<'_> {
    fn break_down(&self) {
        // Taking the token out ends every session and the login, so that each run begins the same.
        self.shim.remove_token();
        self.shim.insert_token();
        let (function, skip, times) = (self.function, self.skip, self.times);
        match self.fault {
            Some(Fault::Fails(rv)) => self.shim.fail(function, skip, times, rv),
            Some(Fault::AnswerLost(rv)) => self.shim.lose_answer(function, skip, times, rv),
            Some(Fault::Wrong) => self.shim.answer_wrongly(function, skip, times),
            Some(Fault::Short) => self.shim.answer_short(function, skip, times),
            Some(Fault::Slow) => self
                .shim
                .delay(function, std::time::Duration::from_millis(2)),
            None => (),
        }
    }

    fn repair(&self) {
        self.shim.forget_faults();
    }

    fn has_broken(&self) -> bool {
        match self.fault {
            None => false,
            Some(Fault::Slow) => true,
            Some(_) => !self.shim.is_untouched(self.function, self.skip, self.times),
        }
    }

    /// SoftHSM keeps each object in a file; a pair is two, and the token itself is one.
    fn keys(&self) -> Option<usize> {
        let token = fs::read_dir(&self.tokens).unwrap().next().unwrap().unwrap();
        let files = fs::read_dir(token.path()).unwrap();
        let objects = files
            .filter(|file| {
                let name = file.as_ref().unwrap().file_name();
                let name = name.to_str().unwrap();
                name.ends_with(".object") && name != "token.object"
            })
            .count();
        assert_eq!(objects % 2, 0, "half a pair is on the token");
        Some(objects / 2)
    }
}

/// A wrong or short answer means something for these calls alone.
fn applies(fault: Fault, function: &str) -> bool {
    match fault {
        Fault::Wrong => ["C_Sign", "C_GetAttributeValue", "C_FindObjects"].contains(&function),
        Fault::Short => ["C_Sign", "C_GetAttributeValue"].contains(&function),
        _ => true,
    }
}

#[test]
fn no_fault_of_a_token_loses_or_doubles_a_key() {
    if !own_process::is_child(this_test!()) {
        let softhsm = SoftHsm::start(&[LABEL]);
        let shim = Shim::new(&softhsm.path().join("shim"), softhsm::MODULE);
        let environment = [softhsm.environment(), shim.environment()].concat();
        return own_process::run(this_test!(), &environment);
    }
    let shim = Shim::here();
    let configuration: PathBuf = env::var_os(softhsm::CONFIGURATION).unwrap().into();
    let tokens = configuration.with_file_name("tokens");
    let config = |store: &TempDir| {
        let pin = store.path().join("pin");
        if !pin.exists() {
            tokenbinding_backend::private::create(&pin, softhsm::PIN.as_bytes()).unwrap();
        }
        Config {
            provider: Some(ProviderChoice::Pkcs11),
            store: Some(store.path().join("store")),
            pin_file: Some(pin),
            pkcs11: Pkcs11Config {
                uri: Some(format!("pkcs11:token={LABEL}?module-path={}", Shim::library()).into()),
                ..Pkcs11Config::default()
            },
            ..Config::default()
        }
    };
    let sound = Broken {
        shim: &shim,
        tokens: tokens.clone(),
        function: "",
        skip: 0,
        times: 0,
        fault: None,
    };
    sound.break_down();
    shim.forget_calls();
    let log = rehearse(&config, &sound, || shim.calls());
    let mut matrix = Matrix::default();
    for (function, skip) in first_and_last(&log) {
        for trouble in TROUBLES.iter().filter(|t| applies(t.fault, &function)) {
            for lasts in Lasts::at(skip) {
                let times = if *lasts == Lasts::Once { 1 } else { 10_000 };
                let skip = u32::try_from(skip).unwrap();
                let device = Broken {
                    tokens: tokens.clone(),
                    function: &function,
                    skip,
                    times,
                    fault: Some(trouble.fault),
                    ..sound
                };
                println!("{} {}: {lasts:?}, after {skip}", function, trouble.column);
                let lies = trouble.lies && *lasts == Lasts::UntilAStepFails;
                // A signature that was begun and not made is found to be active.
                let code = match (trouble.fault, &*function) {
                    (Fault::Fails(_), "C_Sign") => "CKR_",
                    _ => trouble.code,
                };
                let seen = run(&config, &device, code, lies);
                // How often a call is made depends on what has failed before.
                if seen == Seen::NotMet {
                    assert_ne!(skip, 0, "the fault was not met");
                    continue;
                }
                matrix.add(&function, trouble.column, *lasts, seen);
            }
        }
    }
    let columns = TROUBLES.map(|trouble| trouble.column);
    document::check_matrix("pkcs11", &matrix, &columns);
}
