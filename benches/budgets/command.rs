//! The command as a whole process, beside the same command when it only tells its version.

use tokenbinding_benches::{
    Row,
    command::{command, generate, run},
    paired,
};

pub(super) fn rows() -> Vec<Row> {
    let store = tempfile::tempdir().unwrap();
    let generate = || run(generate(store.path()).args(["--provider", "software"]));
    generate();
    let times = paired(60, generate, || run(command().arg("--version")));
    let mut row = Row::alone("process-generate", &times.whole, 15e6);
    row.bare_ns = Some(times.bare.median);
    vec![row]
}
