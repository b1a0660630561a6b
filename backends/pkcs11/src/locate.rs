//! Which file is the module.

use std::path::{Path, PathBuf};

use tokenbinding_backend::{ErrorKind, private};

use crate::{
    Pkcs11Uri,
    fault::{Fault, Result},
    uri::ModuleName,
};

/// Where distributions put PKCS#11 modules.
const DIRECTORIES: [&str; 7] = [
    "/usr/lib/x86_64-linux-gnu/pkcs11",
    "/usr/lib/aarch64-linux-gnu/pkcs11",
    "/usr/lib64/pkcs11",
    "/usr/lib/pkcs11",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib/softhsm",
];

/// The file of the module that `uri` names. A path must be absolute: another would be looked for
/// in the directories of the dynamic linker, or in whichever directory is the current one. Nobody
/// but this user and root may be able to change the module, whose code runs in this process.
pub(crate) fn module(uri: &Pkcs11Uri) -> Result<PathBuf> {
    let path = named(uri)?;
    match private::check_code(&path) {
        Err(error) if error.is_open_to_others() => Err(Fault::new(
            ErrorKind::Denied,
            format!("the module is not loaded: {error}"),
        )),
        // What is missing or no library is told by the loader.
        _ => Ok(path),
    }
}

fn named(uri: &Pkcs11Uri) -> Result<PathBuf> {
    let unavailable = |text: String| Fault::new(ErrorKind::Unavailable, text);
    match &uri.module {
        Some(ModuleName::Path(path)) if path.is_absolute() => Ok(path.clone()),
        Some(ModuleName::Path(path)) => Err(unavailable(format!(
            "module-path={} is not an absolute path",
            path.display()
        ))),
        Some(ModuleName::Name(name)) => {
            let file = format!("{name}.so");
            let mut candidates = DIRECTORIES.iter().map(|dir| Path::new(dir).join(&file));
            candidates.find(|path| path.exists()).ok_or_else(|| {
                let places = DIRECTORIES.join(", ");
                unavailable(format!("there is no {file} in {places}; give module-path"))
            })
        }
        None => Err(unavailable(format!(
            "{uri} names no module: add ?module-path=/path/to/module.so"
        ))),
    }
}
