//! The power goes at each change of a job, or the process alone.

use tokenbinding_disk_shim::{Keep, Plan};

use crate::job::{Job, NEW, OLD, OTHER, Run, changes, rounds};

/// Runs `job` for each of its changes, cuts it there, and looks at the store.
fn cut_everywhere(name: &str, job: &Job, limit: u32, check: impl Fn(&Run<'_>)) {
    let count = u32::try_from(job.log().len()).unwrap();
    let mut cuts = 0;
    for at in changes(count, limit) {
        for keep in keeps(at) {
            let plan = Plan::Cut { at, keep };
            let run = job.run(plan);
            assert_eq!(run.output.status.code(), Some(137), "{plan:?} of {count}");
            let told = format!("{name}: {plan:?} of {count}");
            let _tell = OnPanic(&told);
            check(&run);
            cuts += 1;
        }
    }
    println!("{name}: {count} changes, {cuts} cuts");
}

/// Says where the cut was when a check fails.
struct OnPanic<'a>(&'a str);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.0);
        }
    }
}

/// What is kept at each cut: one way to lose some of it in the suite, else as many as rounds.
fn keeps(at: u32) -> Vec<Keep> {
    let seed = |round: u32| Keep::Some(u64::from(at) << 32 | u64::from(round));
    let seeds = (0..rounds()).map(seed);
    [Keep::All, Keep::Synced].into_iter().chain(seeds).collect()
}

fn assert_new_key_is_kept_if_shown(run: &Run<'_>, others: &[&str]) {
    let kept = run.key(NEW);
    if let Some(shown) = run.shown() {
        assert_eq!(kept.as_ref(), Some(&shown), "a key that was shown is lost");
    }
    run.assert_store_is_sound(others);
    assert_eq!(run.key(NEW), kept, "a key that was there is lost");
}

#[test]
fn a_first_key_that_was_shown_survives_a_power_cut_at_any_moment() {
    let job = Job::on_nothing(&["id", NEW]);
    cut_everywhere("first key", &job, 150, |run| {
        assert_new_key_is_kept_if_shown(run, &[]);
    });
}

#[test]
fn another_key_that_was_shown_survives_a_power_cut_at_any_moment() {
    let job = Job::on_two_keys(&["id", NEW]);
    cut_everywhere("another key", &job, 150, |run| {
        assert_new_key_is_kept_if_shown(run, &[OLD, OTHER]);
    });
}

#[test]
fn a_sealed_key_that_was_shown_survives_a_power_cut_at_any_moment() {
    let job = Job::on_two_keys(&["id", NEW, "--key-type", "rsa2048_pss"]);
    cut_everywhere("sealed key", &job, 6, |run| {
        assert_new_key_is_kept_if_shown(run, &[OLD, OTHER]);
    });
}

#[test]
fn a_deleted_key_never_comes_back_after_a_power_cut() {
    let job = Job::on_two_keys(&["keys", "delete", OLD]);
    cut_everywhere("delete", &job, 150, |run| {
        let left = run.key(OLD);
        if run.shown().is_some() {
            assert_eq!(left, None, "a deleted key came back");
        }
        run.assert_store_is_sound(&[OTHER]);
        assert_eq!(run.key(OLD), left, "a key came back later, or went");
    });
}

#[test]
fn deleting_all_keys_deletes_all_or_none_when_the_power_goes() {
    let job = Job::on_two_keys(&["keys", "delete", "--all"]);
    cut_everywhere("delete all", &job, 150, |run| {
        let left = [OLD, OTHER].map(|target| run.key(target));
        let some = left.iter().flatten().count();
        assert!(some == 0 || some == 2 && run.shown().is_none(), "{left:?}");
        run.assert_store_is_sound(&[]);
        assert_eq!([OLD, OTHER].map(|target| run.key(target)), left);
    });
}

#[test]
fn pruning_takes_no_key_in_use_with_it_when_the_power_goes() {
    let job = Job::on_a_key_set_aside(&["keys", "prune"]);
    cut_everywhere("prune", &job, 150, |run| {
        let aside = run.works(&["keys", "list"]).contains("set aside");
        assert!(!aside || run.shown().is_none(), "a pruned key came back");
        run.assert_store_is_sound(&[OLD, OTHER]);
    });
}
