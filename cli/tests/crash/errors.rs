//! The disk fills up, fails, becomes read-only or writes short at each change of a job.

use tokenbinding_disk_shim::Plan;

use crate::{
    common::{stderr, told},
    job::{Job, NEW, OLD, OTHER, Run, changes, rounds},
};

/// A way to fail, and words of what the person is told to do.
struct Fault {
    errno: i32,
    lasting: bool,
    advice: &'static str,
}

const FULL: Fault = Fault {
    errno: libc::ENOSPC,
    lasting: true,
    advice: "free some",
};
const OVER_QUOTA: Fault = Fault {
    errno: libc::EDQUOT,
    lasting: true,
    advice: "free some",
};
const BROKEN_ONCE: Fault = Fault {
    errno: libc::EIO,
    lasting: false,
    advice: "sound",
};
const BROKEN: Fault = Fault {
    errno: libc::EIO,
    lasting: true,
    advice: "sound",
};
const READ_ONLY: Fault = Fault {
    errno: libc::EROFS,
    lasting: true,
    advice: "writable",
};

/// Runs `job` for each of its changes, lets it fail, and looks at what is told and at the store.
fn fail_everywhere(name: &str, job: &Job, faults: &[Fault], check: impl Fn(&Run<'_>)) {
    let log = job.log();
    let count = u32::try_from(log.len()).unwrap();
    let (mut failed, mut told_so) = (0, 0);
    for at in changes(count, 150) {
        for (number, fault) in faults.iter().enumerate() {
            if rounds() == 1 && at as usize % faults.len() != number {
                continue;
            }
            let &Fault {
                errno,
                lasting,
                advice,
            } = fault;
            let run = job.run(Plan::Fail { at, errno, lasting });
            let place = format!(
                "{name}: error {errno} at {} ({at} of {count})",
                log[at as usize - 1]
            );
            failed += 1;
            if !run.output.status.success() {
                let text = stderr(&run.output);
                assert!(text.contains(advice), "{place}: {text}");
                told(&run.output, 1);
                told_so += 1;
            }
            println!("{place}: {}", stderr(&run.output).trim_end());
            check(&run);
        }
    }
    println!("{name}: {count} changes, {failed} errors, {told_so} of them told");
}

fn assert_new_key_is_kept_if_shown(run: &Run<'_>, others: &[&str]) {
    let kept = run.key(NEW);
    if run.output.status.success() {
        assert_eq!(kept, run.shown(), "a key that was shown is lost");
    }
    run.assert_store_is_sound(others);
    assert!(!run.works(&["id", NEW]).is_empty());
}

#[test]
fn a_first_key_on_a_full_disk_is_told_and_can_be_made_later() {
    let job = Job::on_nothing(&["id", NEW]);
    fail_everywhere("first key", &job, &[FULL, OVER_QUOTA], |run| {
        assert_new_key_is_kept_if_shown(run, &[]);
    });
}

#[test]
fn a_first_key_on_a_failing_disk_is_told_and_can_be_made_later() {
    let job = Job::on_nothing(&["id", NEW]);
    fail_everywhere(
        "first key",
        &job,
        &[BROKEN_ONCE, BROKEN, READ_ONLY],
        |run| {
            assert_new_key_is_kept_if_shown(run, &[]);
        },
    );
}

#[test]
fn another_key_on_a_full_or_failing_disk_is_told_and_no_key_is_lost() {
    let job = Job::on_two_keys(&["id", NEW]);
    let faults = [FULL, BROKEN_ONCE, BROKEN, READ_ONLY];
    fail_everywhere("another key", &job, &faults, |run| {
        assert_new_key_is_kept_if_shown(run, &[OLD, OTHER]);
    });
}

#[test]
fn a_deletion_on_a_full_or_failing_disk_is_told_and_can_be_done_later() {
    let job = Job::on_two_keys(&["keys", "delete", OLD]);
    let faults = [FULL, BROKEN_ONCE, BROKEN, READ_ONLY];
    fail_everywhere("delete", &job, &faults, |run| {
        if run.output.status.success() {
            assert_eq!(run.key(OLD), None, "a deleted key came back");
        } else if run.key(OLD).is_some() {
            run.works(&["keys", "delete", OLD]);
        }
        run.assert_store_is_sound(&[OTHER]);
        assert_eq!(run.key(OLD), None);
    });
}

#[test]
fn a_disk_that_writes_short_is_written_to_again() {
    for job in [
        Job::on_nothing(&["id", NEW]),
        Job::on_two_keys(&["id", NEW]),
    ] {
        let run = job.run(Plan::Short { at: 1 });
        assert!(run.output.status.success(), "{}", stderr(&run.output));
        assert_new_key_is_kept_if_shown(&run, &[]);
    }
}
