//! Work that takes a device long: a line on a terminal, nothing in a pipe, a clean end on Ctrl-C.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use signal_hook::{consts::SIGINT, flag};

use crate::failure::Failure;

/// Work that takes less is not worth a line.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How often the line changes.
const STEP: Duration = Duration::from_millis(500);

/// Runs `work` on a device. Ctrl-C lets the device finish what it is at and then ends the command;
/// a second one ends it at once.
pub(crate) fn while_device_works<T>(
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let interrupted = Arc::new(AtomicBool::new(false));
    // In this order: the second signal finds the flag set by the first.
    flag::register_conditional_shutdown(
        SIGINT,
        Failure::INTERRUPTED.into(),
        Arc::clone(&interrupted),
    )
    .and_then(|_| flag::register(SIGINT, Arc::clone(&interrupted)))
    .map_err(|error| Failure::Operation(format!("cannot listen for Ctrl-C: {error}")))?;
    let (done, waiting) = mpsc::channel::<()>();
    let outcome = thread::scope(|scope| {
        if io::stderr().is_terminal() {
            scope.spawn(move || show(&waiting));
        }
        let outcome = work();
        drop(done);
        outcome
    });
    if interrupted.load(Ordering::SeqCst) {
        return Err(Failure::Interrupted);
    }
    outcome
}

/// Draws the line until the other end of `waiting` is dropped.
fn show(waiting: &mpsc::Receiver<()>) {
    let start = Instant::now();
    let mut pause = PATIENCE;
    let mut stderr = io::stderr();
    while waiting.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        let seconds = start.elapsed().as_secs();
        // Nobody is left to tell when it fails.
        let _ = write!(
            stderr,
            "\rtokenbinding: the device is at work, {seconds} s (an RSA key may take it minutes)"
        );
        pause = STEP;
    }
    if pause == STEP {
        let _ = write!(stderr, "\r\x1b[K");
    }
}
