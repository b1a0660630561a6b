//! Timing by rounds.

use std::{
    hint::black_box,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

/// How long one batch of calls takes at least, so that the clock's own cost and grain do not count.
const BATCH: Duration = Duration::from_millis(2);
/// How long each half of a round of [`speedup`] lasts.
const SHARED_ROUND: Duration = Duration::from_millis(100);
/// How long each half of a look at the machine lasts.
const MACHINE_ROUND: Duration = Duration::from_millis(20);
/// What two threads that share nothing do at least where two cores are free.
const FREE: f64 = 1.9;
/// How many times the rounds that are wanted are tried.
const PATIENCE: usize = 10;

/// The median of some figures and the quartiles around it.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// A quarter of the figures is below.
    pub low: f64,
    /// Half of the figures is below.
    pub median: f64,
    /// A quarter of the figures is above.
    pub high: f64,
}

impl Spread {
    /// Of at least one figure.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn of(mut figures: Vec<f64>) -> Self {
        assert!(!figures.is_empty(), "nothing was measured");
        figures.sort_by(f64::total_cmp);
        let at = |quarter: usize| figures[(figures.len() - 1) * quarter / 4];
        Self {
            low: at(1),
            median: at(2),
            high: at(3),
        }
    }
}

/// Two ways to do one thing: nanoseconds of each call, and how many times the second the first is.
#[derive(Clone, Copy, Debug)]
pub struct Paired {
    /// What is measured.
    pub whole: Spread,
    /// What it is measured against.
    pub bare: Spread,
    /// The one by the other, round by round.
    pub ratio: Spread,
}

/// Times `whole` and `bare` in turn.
pub fn paired(rounds: usize, mut whole: impl FnMut(), mut bare: impl FnMut()) -> Paired {
    let (whole_calls, bare_calls) = (calls_of_a_batch(&mut whole), calls_of_a_batch(&mut bare));
    let mut times = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let mut time_whole = || times.0.push(batch(whole_calls, &mut whole));
        let mut time_bare = || times.1.push(batch(bare_calls, &mut bare));
        if round % 2 == 0 {
            time_bare();
            time_whole();
        } else {
            time_whole();
            time_bare();
        }
    }
    let ratios = times.0.iter().zip(&times.1);
    let ratio = Spread::of(ratios.map(|(whole, bare)| whole / bare).collect());
    Paired {
        whole: Spread::of(times.0),
        bare: Spread::of(times.1),
        ratio,
    }
}

/// Nanoseconds of each call of `work`.
pub fn alone(rounds: usize, mut work: impl FnMut()) -> Spread {
    let calls = calls_of_a_batch(&mut work);
    Spread::of((0..rounds).map(|_| batch(calls, &mut work)).collect())
}

/// What two threads do against one.
#[derive(Clone, Copy, Debug)]
pub struct Speedup {
    /// `whole` is nanoseconds of each call with two threads, `bare` with one; the ratio is how many
    /// times more two threads do.
    pub times: Paired,
    /// The same ratio for work that shares nothing: what the machine had to give.
    pub machine: f64,
}

/// Times one thread and two in turn. A round counts when the machine had two cores to give: others
/// may use it meanwhile. Where it never has, all rounds count, and [`Speedup::machine`] tells.
pub fn speedup(rounds: usize, work: impl Fn() + Sync) -> Speedup {
    work();
    let mut all = Vec::new();
    let is_free = |round: &[f64; 3]| round[2] >= FREE;
    while all.len() < rounds * PATIENCE && all.iter().filter(|r| is_free(r)).count() < rounds {
        let before = machine();
        let (one, two) = if all.len() % 2 == 0 {
            let one = shared(1, SHARED_ROUND, &work);
            (one, shared(2, SHARED_ROUND, &work))
        } else {
            let two = shared(2, SHARED_ROUND, &work);
            (shared(1, SHARED_ROUND, &work), two)
        };
        all.push([one, two, before.min(machine())]);
    }
    let mut counted: Vec<_> = all.iter().copied().filter(is_free).collect();
    if counted.len() < rounds / 2 {
        counted = all;
    }
    let column = |at: fn(&[f64; 3]) -> f64| Spread::of(counted.iter().map(at).collect());
    Speedup {
        times: Paired {
            whole: column(|[_, two, _]| *two),
            bare: column(|[one, ..]| *one),
            ratio: column(|[one, two, _]| one / two),
        },
        machine: column(|[.., machine]| *machine).median,
    }
}

/// What two threads do against one that share nothing.
fn machine() -> f64 {
    let count = || {
        for number in 0..10_000_u32 {
            black_box(number);
        }
    };
    shared(1, MACHINE_ROUND, &count) / shared(2, MACHINE_ROUND, &count)
}

/// Nanoseconds of each call when `threads` of them call at once.
fn shared(threads: usize, time: Duration, work: &(impl Fn() + Sync)) -> f64 {
    let together = Barrier::new(threads);
    let call = || {
        together.wait();
        let start = Instant::now();
        let mut calls = 0_u32;
        while start.elapsed() < time {
            work();
            calls += 1;
        }
        f64::from(calls) / nanos(start.elapsed())
    };
    let rates = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(call)).collect();
        let rates = threads.into_iter().map(thread::ScopedJoinHandle::join);
        rates
            .map(|rate| rate.expect("the work does not panic"))
            .sum::<f64>()
    });
    rates.recip()
}

fn calls_of_a_batch(work: &mut impl FnMut()) -> u32 {
    let mut calls = 1;
    loop {
        let start = Instant::now();
        (0..calls).for_each(|_| work());
        if start.elapsed() >= BATCH {
            return calls;
        }
        calls *= 2;
    }
}

fn batch(calls: u32, work: &mut impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..calls).for_each(|_| work());
    nanos(start.elapsed()) / f64::from(calls)
}

fn nanos(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}
