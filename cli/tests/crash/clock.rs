//! A clock that goes backwards, far ahead, or stands before 1970. Times are for people to read.

use tokenbinding_disk_shim::Disk;

use crate::common::{Sandbox, stderr};

/// Seconds since 1970: now and then, in the order in which the clock shows them.
const CLOCK: [i64; 6] = [
    1_800_000_000,
    1_000_000_000,
    0,
    -1_000_000_000,
    300_000_000_000,
    i64::MAX / 2_000_000_000,
];

#[test]
fn keys_are_made_found_and_deleted_whatever_the_clock_shows() {
    let sandbox = Sandbox::new();
    let at = |seconds: i64, arguments: &[&str]| {
        let mut command = sandbox.command();
        command.args(arguments).envs(Disk::clock(seconds));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{seconds}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let mut made = Vec::new();
    for (number, seconds) in CLOCK.into_iter().enumerate() {
        let target = format!("t{number}.example");
        made.push((target.clone(), at(seconds, &["id", &target])));
        for (target, id) in &made {
            assert_eq!(at(seconds, &["id", target]), *id);
        }
        assert_eq!(
            at(seconds, &["keys", "list"]).lines().count(),
            made.len() + 1
        );
    }
    let listed = sandbox.ok(&["keys", "list", "--json"]);
    assert!(
        listed.contains("2001-09-09T01:46:40Z"),
        "the clock was set: {listed}"
    );
    at(CLOCK[1], &["keys", "delete", "t0.example"]);
    at(CLOCK[3], &["keys", "delete", "--all"]);
    assert_eq!(sandbox.ok(&["keys", "list"]).lines().count(), 1);
}
