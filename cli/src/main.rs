//! The `tokenbinding` command.

fn main() {}
