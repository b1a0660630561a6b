//! The `tokenbinding` command.
//!
//! Standard output carries the result alone; everything else goes to standard error. The exit
//! status is 0 for done or valid, 1 for an invalid message or a failed operation, 2 for usage.

mod args;
mod commands;
mod failure;
mod input;
mod output;
mod process;
mod progress;
mod prompt;

use std::process::ExitCode;

use clap::Parser as _;

use self::{args::Args, failure::Failure};

fn main() -> ExitCode {
    process::close();
    let outcome = match Args::try_parse() {
        Ok(args) => run(args),
        Err(error) => Failure::of_usage(error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(args: Args) -> Result<(), Failure> {
    output::start_logging(&args.global);
    commands::run(args)
}
