//! `providers`: what each provider is on this machine.

use std::collections::BTreeMap;

use serde::Serialize;
use tokenbinding::{
    KeyType,
    survey::{ProviderState, ProviderStatus, survey},
};

use crate::{args::Global, failure::Failure, output};

#[derive(Serialize)]
struct ProviderJson {
    provider: &'static str,
    usable: bool,
    model: Option<String>,
    hardware: Option<bool>,
    device: Option<String>,
    key_types: Vec<&'static str>,
    details: BTreeMap<&'static str, String>,
    note: Option<String>,
}

pub(super) fn run(global: Global, json: bool) -> Result<(), Failure> {
    let documents: Vec<_> = survey(&global.config()?)
        .into_iter()
        .map(document)
        .collect();
    if json {
        return output::json(&documents);
    }
    for document in &documents {
        show(document)?;
    }
    Ok(())
}

fn document(status: ProviderStatus) -> ProviderJson {
    let mut document = ProviderJson {
        provider: status.provider.name(),
        usable: status.state.is_usable(),
        model: None,
        hardware: None,
        device: None,
        key_types: Vec::new(),
        details: BTreeMap::new(),
        note: None,
    };
    match status.state {
        ProviderState::Usable {
            info,
            key_types,
            details,
        } => {
            document.model = Some(info.model);
            document.hardware = Some(info.hardware);
            document.device = Some(info.device);
            document.key_types = key_types.into_iter().map(KeyType::name).collect();
            document.details = details.into_iter().collect();
        }
        ProviderState::MadeAtFirstUse => {
            document.note = Some("its keystore is made at first use".to_owned());
        }
        ProviderState::NotConfigured { remedy } => {
            document.note = Some(format!("not configured: {remedy}"));
        }
        ProviderState::Unusable(error) => document.note = Some(error.to_string()),
    }
    document
}

fn show(document: &ProviderJson) -> Result<(), Failure> {
    let state = if document.usable {
        "usable"
    } else {
        "not usable"
    };
    output::line(&format!("{}: {state}", document.provider))?;
    let kind = document
        .hardware
        .map(|hardware| if hardware { "hardware" } else { "software" });
    let types = document.key_types.join(", ");
    let lines = [
        ("model", document.model.as_deref()),
        ("kept in", kind),
        ("device", document.device.as_deref()),
        (
            "key types",
            Some(types.as_str()).filter(|types| !types.is_empty()),
        ),
        ("note", document.note.as_deref()),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            output::line(&format!("  {name}: {value}"))?;
        }
    }
    for (name, value) in &document.details {
        output::line(&format!("  {name}: {value}"))?;
    }
    Ok(())
}
