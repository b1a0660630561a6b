//! `id`: the `TokenBindingID` of a target and its hash.

use serde::Serialize;

use super::open;
use crate::{
    args::{Global, Id},
    failure::Failure,
    output,
    progress::while_device_works,
};

#[derive(Serialize)]
struct IdJson<'a> {
    target: &'a str,
    scope: &'a str,
    provider: &'a str,
    key_type: String,
    created: bool,
    id: String,
    tbh: String,
}

pub(super) fn run(global: Global, command: &Id) -> Result<(), Failure> {
    let binder = open(global, [&command.target])?;
    let key = while_device_works(|| Ok(binder.id(&command.target, command.key_type)?))?;
    let (id, tbh) = (key.id.to_string(), key.id.tbh().to_string());
    if command.json {
        return output::json(&IdJson {
            target: &command.target,
            scope: key.scope.name(),
            provider: key.provider,
            key_type: key.key_type.to_string(),
            created: key.created,
            id,
            tbh,
        });
    }
    output::line(&format!("id {id}"))?;
    output::line(&format!("tbh {tbh}"))
}
