//! Files of the configuration: who may have changed them, and the passphrase that one may hold.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use tempfile::TempDir;
use tokenbinding::{Config, ProviderChoice, config::ConfigError};

fn file(contents: &[u8], mode: u32) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, contents).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    (dir, path)
}

fn pin(contents: &[u8], mode: u32) -> Result<Option<String>, ConfigError> {
    let (_dir, path) = file(contents, mode);
    let pin_file = Some(path);
    let config = Config {
        pin_file,
        ..Config::default()
    };
    Ok(config.pin()?.map(|pin| pin.to_string()))
}

#[test]
fn a_file_that_anybody_may_read_is_read() {
    let (_dir, path) = file(b"provider = 'software'", 0o644);
    let config = Config::read(path).unwrap();
    assert_eq!(config.provider, Some(ProviderChoice::Software));
}

#[test]
fn a_file_that_others_may_change_is_refused_with_the_remedy() {
    for mode in [0o664, 0o646] {
        let (_dir, path) = file(b"provider = 'software'", mode);
        let error = Config::read(path).unwrap_err();
        assert!(matches!(error, ConfigError::File(_)), "{error}");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
}

#[test]
fn a_file_that_is_not_understood_is_named_with_the_line() {
    let (_dir, path) = file(b"\nprovider = 'usb'", 0o600);
    let text = Config::read(path.clone()).unwrap_err().to_string();
    assert!(text.contains(path.to_str().unwrap()), "{text}");
    assert!(text.contains("line 2"), "{text}");
}

#[test]
fn a_file_beyond_all_measure_is_not_read() {
    let (_dir, path) = file(&b"# ".repeat(40_000), 0o600);
    let error = Config::read(path).unwrap_err();
    assert!(matches!(error, ConfigError::File(_)), "{error}");
}

#[test]
fn the_pin_is_the_first_line_of_its_file() {
    for contents in ["a b", "a b\n", "a b\r\n", "a b\nnext"] {
        let pin = pin(contents.as_bytes(), 0o600).unwrap();
        assert_eq!(pin.as_deref(), Some("a b"), "{contents:?}");
    }
}

#[test]
fn a_pin_that_others_may_read_is_refused() {
    for mode in [0o640, 0o604] {
        let error = pin(b"a", mode).unwrap_err();
        assert!(matches!(error, ConfigError::File(_)), "{error}");
    }
}

#[test]
fn a_pin_that_is_no_text_is_refused_and_not_shown() {
    let error = pin(b"secret\xff", 0o600).unwrap_err();
    assert!(matches!(error, ConfigError::File(_)), "{error}");
    assert!(!format!("{error} {error:?}").contains("secret"));
}
