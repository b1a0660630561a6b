//! Where things are, by the XDG base directory specification.

use std::path::PathBuf;

use tokenbinding_backend::environment;

const OURS: &str = "tokenbinding";

/// Neither the environment nor the configuration tells where the store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no place for the store: set HOME or XDG_DATA_HOME, or name one with --store")]
pub struct NoHome;

/// The folder of the store: `$XDG_DATA_HOME/tokenbinding`.
///
/// # Errors
/// [`NoHome`].
pub fn default_store() -> Result<PathBuf, NoHome> {
    base("XDG_DATA_HOME", ".local/share").ok_or(NoHome)
}

/// The files of machine and user, in the order in which they are read.
pub(super) fn config_files() -> impl Iterator<Item = PathBuf> {
    let machine = PathBuf::from("/etc").join(OURS);
    let user = base("XDG_CONFIG_HOME", ".config");
    [Some(machine), user]
        .into_iter()
        .flatten()
        .map(|dir| dir.join("config.toml"))
}

/// Our folder in the one that `variable` names, or in `fallback` of the home folder. Relative
/// paths are not valid there and passed over, as the specification says.
fn base(variable: &str, fallback: &str) -> Option<PathBuf> {
    let absolute = |name: &str| {
        let path = PathBuf::from(environment::variable(name)?);
        path.is_absolute().then_some(path)
    };
    let dir = absolute(variable).or_else(|| Some(absolute("HOME")?.join(fallback)))?;
    Some(dir.join(OURS))
}
