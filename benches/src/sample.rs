//! Timing by rounds.

use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

/// How long one batch of calls takes at least, so that the clock's own cost and grain do not count.
const BATCH: Duration = Duration::from_millis(2);
/// How long one round of [`speedup`] lasts.
const SHARED_ROUND: Duration = Duration::from_millis(150);

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

/// How much more two threads do than one, round by round: `whole` is nanoseconds of each call with
/// two threads, `bare` with one.
pub fn speedup(rounds: usize, work: impl Fn() + Sync) -> Paired {
    work();
    let mut times = (Vec::new(), Vec::new());
    for round in 0..rounds {
        if round % 2 == 0 {
            times.1.push(shared(1, &work));
            times.0.push(shared(2, &work));
        } else {
            times.0.push(shared(2, &work));
            times.1.push(shared(1, &work));
        }
    }
    let ratios = times.0.iter().zip(&times.1);
    let ratio = Spread::of(ratios.map(|(two, one)| one / two).collect());
    Paired {
        whole: Spread::of(times.0),
        bare: Spread::of(times.1),
        ratio,
    }
}

/// Nanoseconds of each call when `threads` of them call at once.
fn shared(threads: usize, work: &(impl Fn() + Sync)) -> f64 {
    let together = Barrier::new(threads);
    let call = || {
        together.wait();
        let start = Instant::now();
        let mut calls = 0_u32;
        while start.elapsed() < SHARED_ROUND {
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
