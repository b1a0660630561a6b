//! `generate`: sign an EKM and print the message.

use std::iter;

use data_encoding::HEXLOWER;
use serde::Serialize;
use tokenbinding::{Binder, Ekm, GeneratedBinding, KeyChoice, TokenBindingType, header};

use super::{BindingJson, open};
use crate::{
    args::{Format, Generate, Global},
    failure::Failure,
    input::{self, EkmSource},
    output,
    progress::while_device_works,
};

#[derive(Serialize)]
struct GenerateJson<'a> {
    target: &'a str,
    scope: &'a str,
    provider: &'a str,
    key_type: String,
    created: bool,
    ekm: String,
    message: String,
    bindings: Vec<BindingJson>,
}

pub(super) fn run(global: Global, command: &Generate) -> Result<(), Failure> {
    let ekm = input::ekm_to_sign(&command.ekm)?;
    let quiet = global.quiet;
    let targets = iter::once(&command.target).chain(&command.referred);
    let binder = open(global, targets)?;
    let (ekm, random) = match ekm {
        EkmSource::Given(ekm) => (ekm, false),
        EkmSource::Random(ekm) => (ekm, true),
    };
    let bindings = while_device_works(|| bindings(&binder, command, &ekm))?;
    let message = Binder::generate_message(&bindings)?;
    if random && command.format != Format::Json && !quiet {
        let digits = HEXLOWER.encode(ekm.as_bytes());
        output::tell(&format!("the random EKM is {digits}"));
    }
    match command.format {
        Format::Header => output::line(&header::encode(&message)),
        Format::Hex => output::line(&HEXLOWER.encode(&message)),
        Format::Raw => output::bytes(&message),
        Format::Json => output::json(&document(command, &ekm, &message, &bindings)),
    }
}

/// The provided binding first, then the referred one.
fn bindings(
    binder: &Binder,
    command: &Generate,
    ekm: &Ekm,
) -> Result<Vec<GeneratedBinding>, Failure> {
    let sign = |target: &str, choice, binding_type| {
        binder.generate_binding(target, choice, binding_type, ekm)
    };
    let provided = sign(
        &command.target,
        command.key_type,
        TokenBindingType::Provided,
    )?;
    let mut bindings = vec![provided];
    if let Some(referred) = &command.referred {
        let choice = match command.key_type {
            KeyChoice::Type(kind) => KeyChoice::Prefer(kind),
            other => other,
        };
        bindings.push(sign(referred, choice, TokenBindingType::Referred)?);
    }
    Ok(bindings)
}

fn document<'a>(
    command: &'a Generate,
    ekm: &Ekm,
    message: &[u8],
    bindings: &'a [GeneratedBinding],
) -> GenerateJson<'a> {
    let provided = bindings[0].key();
    GenerateJson {
        target: &command.target,
        scope: provided.scope.name(),
        provider: provided.provider,
        key_type: provided.key_type.to_string(),
        created: provided.created,
        ekm: HEXLOWER.encode(ekm.as_bytes()),
        message: header::encode(message),
        bindings: bindings
            .iter()
            .map(|binding| BindingJson::new(binding.binding_type(), &binding.key().id))
            .collect(),
    }
}
