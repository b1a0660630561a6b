#![allow(clippy::print_stderr, reason = "a test says what it leaves out")]

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_created_file_is_private_and_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    create(&path, b"one").unwrap();
    assert_eq!(**read(&path, 3).unwrap(), *b"one");
    assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
    assert!(create(&path, b"two").unwrap_err().is_already_exists());
    assert_eq!(fs::read(&path).unwrap(), b"one");
    assert_eq!(
        dir.path().read_dir().unwrap().count(),
        1,
        "nothing else is left"
    );
}

#[test]
fn a_secret_that_others_may_read_is_refused_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    create(&path, b"one").unwrap();
    for mode in [0o604, 0o640, 0o620, 0o601] {
        set_mode(&path, mode);
        let error = read(&path, 3).unwrap_err();
        assert!(matches!(error, PrivateError::Mode { .. }), "{error}");
        assert!(error.to_string().contains("chmod 600"), "{error}");
        assert!(check_file(&path).is_err());
    }
    set_mode(&path, 0o644);
    assert!(
        read_trusted(&path, 3).is_ok(),
        "anybody may read what is no secret"
    );
    set_mode(&path, 0o664);
    assert!(read_trusted(&path, 3).is_err(), "nobody else may change it");
}

#[test]
fn what_root_hands_over_may_show_the_mask_of_an_acl() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    create(&path, b"one").unwrap();
    set_mode(&path, 0o440);
    let is_roots = path.metadata().unwrap().uid() == 0;
    assert_eq!(read_credential(&path, 3).is_ok(), is_roots);
    assert!(read(&path, 3).is_err(), "it is no ordinary secret");
    for mode in [0o444, 0o460, 0o401] {
        set_mode(&path, mode);
        assert!(read_credential(&path, 3).is_err(), "{mode:03o}");
    }
}

#[test]
fn a_fifo_is_no_file_and_nobody_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fifo");
    let made = std::process::Command::new("mkfifo")
        .args(["-m", "600"])
        .arg(&path)
        .status();
    assert!(made.unwrap().success());
    assert!(matches!(read(&path, 3), Err(PrivateError::Type { .. })));
}

#[test]
fn the_folder_of_a_name_alone_is_the_current_one() {
    assert_eq!(folder_of(Path::new("master")), Path::new("."));
    assert_eq!(folder_of(Path::new("a/master")), Path::new("a"));
    assert_eq!(folder_of(Path::new("/master")), Path::new("/"));
}

#[test]
fn a_folder_that_others_may_write_to_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b");
    ensure_dir(&path).unwrap();
    assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
    set_mode(&path, 0o770);
    assert!(
        ensure_dir(&path)
            .unwrap_err()
            .to_string()
            .contains("chmod 700")
    );
    fs::write(dir.path().join("file"), "").unwrap();
    let error = ensure_dir(&dir.path().join("file")).unwrap_err();
    assert!(matches!(error, PrivateError::Type { .. }), "{error}");
    let error = ensure_dir(&dir.path().join("file/folder")).unwrap_err();
    assert!(error.to_string().contains("folders alone"), "{error}");
}

#[test]
fn a_file_that_is_too_long_or_missing_is_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    assert!(read(&path, 3).unwrap_err().is_not_found());
    create(&path, b"four").unwrap();
    assert!(matches!(
        read(&path, 3),
        Err(PrivateError::TooLong { limit: 3, .. })
    ));
    assert!(matches!(
        read(dir.path(), 3),
        Err(PrivateError::Type { .. })
    ));
}

/// Another user than the one who runs the tests.
const STRANGER: u32 = 65_534;

/// Gives `path` to another user, and no link's target. Only root can; others are told that this part
/// of a test is left out.
fn give_away(path: &Path) -> bool {
    let given = std::os::unix::fs::lchown(path, Some(STRANGER), None).is_ok();
    if !given {
        eprintln!("not root: nothing can be given to another user");
    }
    given
}

/// Folders `outer/inner` with a secret in them.
fn nested() -> (tempfile::TempDir, std::path::PathBuf, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let outer = dir.path().join("outer");
    ensure_dir(&outer.join("inner")).unwrap();
    let secret = outer.join("inner/secret");
    create(&secret, b"one").unwrap();
    (dir, outer, secret)
}

#[test]
fn a_folder_anywhere_on_the_way_that_others_may_write_to_is_refused() {
    let (_dir, outer, secret) = nested();
    for mode in [0o777, 0o770, 0o702] {
        set_mode(&outer, mode);
        let error = read(&secret, 3).unwrap_err();
        assert!(matches!(error, PrivateError::Folder { .. }), "{error}");
        assert!(error.to_string().contains("chmod go-w"), "{error}");
        assert!(read_trusted(&secret, 3).is_err());
        assert!(check_file(&secret).is_err());
        assert!(check_code(&secret).is_err());
        assert!(ensure_dir(secret.parent().unwrap()).is_err());
        assert!(create(&secret.with_file_name("new"), b"two").is_err());
    }
    set_mode(&outer, 0o1777);
    assert!(read(&secret, 3).is_ok(), "nobody else can rename in it");
}

#[test]
fn what_another_user_owns_on_the_way_is_refused() {
    let (dir, outer, secret) = nested();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&outer, &link).unwrap();
    let by_link = link.join("inner/secret");
    assert!(read(&by_link, 3).is_ok(), "a link of one's own");
    for (path, given) in [
        (&by_link, &link),
        (&secret, &outer),
        (&secret, &secret.parent().unwrap().to_owned()),
        (&secret, &secret),
    ] {
        if !give_away(given) {
            return;
        }
        let error = read(path, 3).unwrap_err();
        assert!(
            matches!(&error, PrivateError::Owner { path, uid: STRANGER } if path == given),
            "{error}"
        );
        let me = rustix::process::geteuid().as_raw();
        std::os::unix::fs::lchown(given, Some(me), None).unwrap();
    }
    assert!(read(&by_link, 3).is_ok());
}

#[test]
fn links_are_followed_as_the_system_does() {
    let (dir, _, secret) = nested();
    let link = |name: &str, target: &str| {
        std::os::unix::fs::symlink(target, dir.path().join(name)).unwrap();
    };
    link("a", "outer/inner/../inner/secret");
    link("b", dir.path().join("a").to_str().unwrap());
    link("outer/c", "../b");
    link("outer/up", "..");
    for name in [
        "a",
        "b",
        "outer/c",
        "outer/up/outer/./up/b",
        "outer/inner/secret",
    ] {
        let path = dir.path().join(name);
        let found = follow(&path, Missing::Tell).unwrap();
        assert_eq!(found.path, fs::canonicalize(&path).unwrap(), "{name}");
        assert_eq!(**read(&path, 3).unwrap(), *b"one", "{name}");
    }
    link("loop", "loop");
    let error = read(&dir.path().join("loop"), 3).unwrap_err();
    assert!(matches!(error, PrivateError::Io { .. }), "{error}");
    let error = read(&secret.join("x"), 3).unwrap_err();
    assert!(error.to_string().contains("folders alone"), "{error}");
}

#[test]
fn nothing_is_made_behind_a_link_that_leads_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("elsewhere");
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    assert!(ensure_dir(&link.join("store")).is_err());
    assert!(ensure_dir(&link).is_err());
    assert!(create(&link, b"one").is_err());
    assert!(!target.exists());
}

#[test]
fn a_second_name_counts_where_others_can_have_given_it() {
    let dir = tempfile::tempdir().unwrap();
    let shared = dir.path().join("shared");
    fs::create_dir(&shared).unwrap();
    create(&dir.path().join("key"), b"one").unwrap();
    let pin = shared.join("pin");
    fs::hard_link(dir.path().join("key"), &pin).unwrap();
    assert!(read(&pin, 3).is_ok(), "in a folder of one's own");
    set_mode(&shared, 0o1777);
    let error = read(&pin, 3).unwrap_err();
    assert!(matches!(error, PrivateError::Linked { .. }), "{error}");
    assert!(read(&dir.path().join("key"), 3).is_ok());
}

#[test]
fn a_store_is_not_kept_where_others_make_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.db");
    create(&path, b"one").unwrap();
    check_file(&path).unwrap();
    set_mode(dir.path(), 0o1777);
    assert!(
        check_file(&path).is_err(),
        "SQLite trusts what lies beside it"
    );
    assert!(ensure_dir(dir.path()).is_err());
}

#[test]
fn code_that_others_may_change_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("module.so");
    create(&path, b"one").unwrap();
    for (mode, sound) in [(0o755, true), (0o644, true), (0o775, false), (0o757, false)] {
        set_mode(&path, mode);
        let checked = check_code(&path);
        assert_eq!(checked.is_ok(), sound, "{mode:03o}");
        if let Err(error) = checked {
            assert!(error.is_open_to_others(), "{error}");
            assert!(error.to_string().contains("chmod 755"), "{error}");
        }
    }
}

#[test]
fn a_device_is_no_file() {
    for path in ["/dev/null", "/dev/zero"] {
        let error = read_trusted(Path::new(path), 3).unwrap_err();
        assert!(matches!(error, PrivateError::Type { .. }), "{error}");
    }
}

#[test]
fn what_is_published_replaces_only_what_nobody_else_may_change() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cert.pem");
    publish(&path, b"the first, which is longer").unwrap();
    publish(&path, b"the second").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"the second");
    set_mode(&path, 0o666);
    assert!(publish(&path, b"the third").is_err());
    let other = dir.path().join("other");
    std::os::unix::fs::symlink(dir.path().join("nowhere"), &other).unwrap();
    assert!(publish(&other, b"one").is_err(), "it leads nowhere");
    assert_eq!(fs::read(&path).unwrap(), b"the second");
    assert!(publish(Path::new("/dev/null"), b"one").is_err());
}
