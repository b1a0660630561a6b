//! The software keystore, whose device is a file and whose keys are rows.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use rusqlite::Connection;
use tokenbinding::{
    Binder, Config, Ekm, Error, KeyType, ProviderChoice, TokenBindingId, TokenBindingType, Verifier,
};

use super::document;

/// The master's file in the store.
const MASTER: &str = "software.master";
const TARGET: &str = "https://a.example/";

/// What is damaged, and how.
struct Damage {
    what: What,
    how: &'static str,
}

enum What {
    /// The master's file.
    Master(fn(&Path)),
    /// The folder of the store.
    Folder(fn(&Path)),
    /// The stored key in the row of a key of this type.
    Row(KeyType, fn(&mut Vec<u8>)),
}

const P256: KeyType = KeyType::EcdsaP256;
const RSA: KeyType = KeyType::Rsa2048Pss;

const DAMAGES: [Damage; 18] = [
    Damage::master("missing", |file| fs::remove_file(file).unwrap()),
    Damage::master("empty", |file| fs::write(file, "").unwrap()),
    Damage::master("short", |file| fs::write(file, [7; 31]).unwrap()),
    Damage::master("long", |file| fs::write(file, [7; 33]).unwrap()),
    Damage::master("another's", |file| fs::write(file, [7; 32]).unwrap()),
    Damage::master("a folder", |file| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    }),
    Damage::master("readable by others", |file| mode(file, 0o644)),
    Damage::folder("writable by others", |dir| mode(dir, 0o777)),
    Damage::row(P256, "short", |stored| stored.truncate(stored.len() - 1)),
    Damage::row(P256, "long", |stored| stored.push(7)),
    Damage::row(P256, "later version", |stored| stored[0] = 2),
    Damage::row(P256, "later version inside", |stored| stored[98] = 2),
    Damage::row(P256, "wrong bit of the salt", |stored| stored[100] ^= 1),
    Damage::row(P256, "wrong bit of the public key", |stored| {
        stored[40] ^= 1;
    }),
    Damage::row(RSA, "short", |stored| stored.truncate(stored.len() - 1)),
    Damage::row(RSA, "later version inside", |stored| stored[298] = 2),
    Damage::row(RSA, "wrong bit of the sealed key", |stored| {
        *stored.last_mut().unwrap() ^= 1;
    }),
    Damage::row(RSA, "wrong bit of the name", |stored| stored[3] ^= 1),
];

impl Damage {
    const fn master(how: &'static str, damage: fn(&Path)) -> Self {
        let what = What::Master(damage);
        Self { what, how }
    }

    const fn folder(how: &'static str, damage: fn(&Path)) -> Self {
        let what = What::Folder(damage);
        Self { what, how }
    }

    const fn row(kind: KeyType, how: &'static str, damage: fn(&mut Vec<u8>)) -> Self {
        let what = What::Row(kind, damage);
        Self { what, how }
    }

    fn apply(&self, store: &Path) {
        match self.what {
            What::Master(damage) => damage(&store.join(MASTER)),
            What::Folder(damage) => damage(store),
            What::Row(kind, damage) => {
                let map = Connection::open(store.join("keys.db")).unwrap();
                let octet = kind.octet();
                let select = "SELECT stored FROM keys WHERE key_type = ?1";
                let mut stored: Vec<u8> = map.query_row(select, [octet], |row| row.get(0)).unwrap();
                damage(&mut stored);
                let update = "UPDATE keys SET stored = ?1 WHERE key_type = ?2";
                assert_eq!(map.execute(update, (stored, octet)).unwrap(), 1);
            }
        }
    }

    const fn kind(&self) -> KeyType {
        match self.what {
            What::Row(kind, _) => kind,
            _ => P256,
        }
    }

    const fn name(&self) -> &'static str {
        match self.what {
            What::Master(_) => "the master",
            What::Folder(_) => "the folder",
            What::Row(P256, _) => "the row of a P-256 key",
            What::Row(..) => "the row of an RSA key",
        }
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn open(store: &Path) -> Result<Binder, Error> {
    Binder::open(&Config {
        provider: Some(ProviderChoice::Software),
        store: Some(store.to_owned()),
        ..Config::default()
    })
}

/// A binding by the key of [`TARGET`] in a new process, which verifies.
fn generate(store: &Path, kind: KeyType) -> Result<TokenBindingId, Error> {
    let ekm = Ekm::new([0x5a; Ekm::LEN]);
    let binder = open(store)?;
    let binding = binder.generate_binding(TARGET, kind, TokenBindingType::Provided, &ekm)?;
    let message = Binder::generate_message(&[&binding]).unwrap();
    Verifier::new(kind).verify(&message, &ekm).unwrap();
    Ok(binding.key().id.clone())
}

/// Copies the files of a folder with their modes.
fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir(to).unwrap();
    mode(to, 0o700);
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// What comes of a damage, in the words of the document.
fn outcome(damage: &Damage, sound: &Path, id: &TokenBindingId) -> String {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    copy(sound, &store);
    damage.apply(&store);
    let kind = damage.kind();
    match generate(&store, kind) {
        Ok(found) if found == *id => "not noticed".to_owned(),
        Ok(new) => {
            let listed = open(&store).unwrap().list().unwrap();
            let aside: Vec<_> = listed
                .iter()
                .filter(|key| key.set_aside.is_some())
                .collect();
            assert_eq!(generate(&store, kind).unwrap(), new, "the new key stays");
            match aside.len() {
                0 => "a new key; the old row waits for its master".to_owned(),
                _ => "the key is set aside, a new one made".to_owned(),
            }
        }
        Err(error) => {
            let text = error.to_string().replace(dir.path().to_str().unwrap(), "");
            assert!(!text.contains('\n'), "{text}");
            // Nothing was changed: with the damage undone, all is as before.
            copy(sound, &store);
            assert_eq!(generate(&store, kind).unwrap(), *id);
            text
        }
    }
}

#[test]
fn no_damage_of_the_software_keystore_loses_or_doubles_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let sound = dir.path().join("store");
    let ids = [P256, RSA].map(|kind| generate(&sound, kind).unwrap());
    let mut lines = vec![
        "| what | how | what comes of it |".to_owned(),
        "|---|---|---|".to_owned(),
    ];
    for damage in &DAMAGES {
        let id = &ids[usize::from(damage.kind() != P256)];
        let outcome = outcome(damage, &sound, id);
        lines.push(format!(
            "| {} | {} | {outcome} |",
            damage.name(),
            damage.how
        ));
    }
    document::check("software", &lines.join("\n"));
}
