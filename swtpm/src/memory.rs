//! What another process has in its memory, read from outside: `/proc/PID/mem` over `/proc/PID/maps`
//! (proc(5)).
//!
//! The process is the same test once more, as in [`own_process`]. It stops at
//! places that it names with [`pause`]; the test that watches it looks for secrets meanwhile. Whoever
//! searches is thus not the one who is searched, and cannot find himself. Freed heap and the dead part
//! of stacks count: whatever is mapped is read.

#![allow(clippy::print_stdout, reason = "a child tells its parent")]

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::FileExt as _,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use memchr::memmem;

use crate::own_process;

/// Bytes that are looked for, and what they are.
pub type Needle = (String, Vec<u8>);

/// Begins the lines that the watched process stops with.
const MARK: &str = "@paused ";

/// A process whose memory is read while it pauses.
#[derive(Debug)]
pub struct Watched {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Watched {
    /// Starts the test that `closure` stands in once more, alone, with the `environment`.
    pub fn start(closure: &str, environment: &[(&str, OsString)]) -> Self {
        Self::spawn(own_process::command(closure).envs(environment.iter().cloned()))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the test runs again");
        Self {
            to: child.stdin.take().expect("it has an input"),
            from: BufReader::new(child.stdout.take().expect("it has an output")),
            child,
        }
    }

    /// Waits until it pauses at `place`.
    pub fn wait_for(&mut self, place: &str) {
        let wanted = format!("{MARK}{place}\n");
        let mut seen = String::new();
        loop {
            let start = seen.len();
            let read = self.from.read_line(&mut seen).expect("it writes text");
            assert_ne!(read, 0, "it ended before it came to {place:?}: {seen}");
            if seen[start..].ends_with(&wanted) {
                return;
            }
        }
    }

    /// Lets it go on from where it pauses.
    pub fn go_on(&mut self) {
        self.to.write_all(b"\n").expect("it waits");
    }

    /// Lets it go on to its end, which must be a good one.
    pub fn finish(mut self) {
        self.go_on();
        let mut rest = String::new();
        while self.from.read_line(&mut rest).expect("it writes text") > 0 {}
        let status = self.child.wait().expect("it is a child");
        assert!(status.success(), "{status}: {rest}");
    }

    /// Where which of the `needles` is found, once for each place.
    #[must_use]
    pub fn find<'a>(&self, needles: &'a [Needle]) -> Vec<(&'a str, String)> {
        let pid = self.child.id();
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("it may be looked at");
        let memory = File::open(format!("/proc/{pid}/mem")).expect("it may be looked at");
        let mut found = Vec::new();
        for line in maps.lines() {
            let (range, rest) = line.split_once(' ').expect("a mapping has a range");
            // A secret can only have been written to what can be written to.
            if !rest.starts_with("rw") {
                continue;
            }
            let (start, end) = range.split_once('-').expect("a range has two ends");
            let address = |text| u64::from_str_radix(text, 16).expect("an address");
            let (start, end) = (address(start), address(end));
            let mut bytes = vec![0; usize::try_from(end - start).expect("it fits")];
            // Some mappings of devices cannot be read.
            if memory.read_exact_at(&mut bytes, start).is_err() {
                continue;
            }
            let name = rest.split_whitespace().nth(4).unwrap_or("anonymous");
            for (what, needle) in needles {
                let hits = memmem::find_iter(&bytes, needle);
                found.extend(
                    hits.map(|at| (&**what, format!("{name} at {:#x}", start + at as u64))),
                );
            }
        }
        found
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In the watched process: stops at `place` until the watcher lets it go on.
pub fn pause(place: &str) {
    println!("\n{MARK}{place}");
    let mut line = String::new();
    std::io::stdin()
        .read_line(&mut line)
        .expect("somebody watches");
}
