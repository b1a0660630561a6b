//! One module for each command.

mod bench;
#[cfg(feature = "https")]
mod fetch;
mod generate;
mod id;
mod inspect;
mod keys;
mod providers;
#[cfg(feature = "https")]
mod serve;
mod verify;

use std::{io, sync::Arc};

use clap::CommandFactory as _;
use clap_complete::{generate as write_completions, shells};
use serde::Serialize;
use tokenbinding::{Binder, Scope, TokenBindingId, TokenBindingType};

use crate::{
    args::{Args, Command, Global, Shell},
    failure::Failure,
    output,
    prompt::Terminal,
};

/// Runs the command that was asked for.
pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let Args { global, command } = args;
    match command {
        Command::Generate(command) => generate::run(global, &command),
        Command::Verify(command) => verify::run(&command),
        Command::Inspect(command) => inspect::run(&command),
        Command::Id(command) => id::run(global, &command),
        Command::Keys(command) => keys::run(global, &command),
        Command::Providers { json } => providers::run(global, json),
        Command::Bench(command) => bench::run(global, &command),
        #[cfg(feature = "https")]
        Command::Fetch(command) => fetch::run(global, &command),
        #[cfg(feature = "https")]
        Command::Serve(command) => serve::run(&command),
        #[cfg(not(feature = "https"))]
        Command::Fetch(_) | Command::Serve(_) => Err(Failure::Usage(
            "this command is not built in: build it with --features https, which needs OpenSSL"
                .to_owned(),
        )),
        Command::Completions { shell } => completions(shell),
    }
}

/// Opens the store and the provider for `targets`, all of which must be sound: no store is made
/// for a slip of the pen.
fn open<'a>(
    global: Global,
    targets: impl IntoIterator<Item = &'a String>,
) -> Result<Binder, Failure> {
    let config = global.config()?;
    for target in targets {
        Scope::of(target, config.scope.unwrap_or_default()).map_err(tokenbinding::Error::from)?;
    }
    Ok(Binder::open_with(&config, Arc::new(Terminal))?)
}

/// A binding as the JSON documents of `generate`, `verify` and `inspect` show it.
#[derive(Serialize)]
struct BindingJson {
    r#type: String,
    key_type: String,
    id: String,
    tbh: String,
}

impl BindingJson {
    fn new(binding_type: TokenBindingType, id: &TokenBindingId) -> Self {
        Self {
            r#type: binding_type.to_string(),
            key_type: id.key_parameters().to_string(),
            id: id.to_string(),
            tbh: id.tbh().to_string(),
        }
    }
}

fn completions(shell: Shell) -> Result<(), Failure> {
    let mut command = Args::command();
    let mut script = io::Cursor::new(Vec::new());
    match shell {
        Shell::Bash => write_completions(shells::Bash, &mut command, "tokenbinding", &mut script),
        Shell::Zsh => write_completions(shells::Zsh, &mut command, "tokenbinding", &mut script),
        Shell::Fish => write_completions(shells::Fish, &mut command, "tokenbinding", &mut script),
    }
    output::bytes(script.get_ref())
}
