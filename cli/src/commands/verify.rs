//! `verify`: check a message against the EKM of its connection.

use serde::Serialize;
use tokenbinding::{Rejection, VerifiedBindings, Verifier};

use super::BindingJson;
use crate::{args::Verify, failure::Failure, input, output};

#[derive(Serialize)]
struct VerifyJson {
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    bindings: Vec<BindingJson>,
}

pub(super) fn run(command: &Verify) -> Result<(), Failure> {
    let ekm = input::ekm_to_check(&command.ekm)?;
    let header = input::header(&command.header)?;
    let verifier = Verifier::new(command.key_type).with_policy(command.policy);
    let verdict = verifier.verify_header(&header, &ekm);
    let shown = match &verdict {
        _ if command.json => output::json(&document(&verdict)),
        Ok(verified) => show(verified),
        Err(_) => Ok(()),
    };
    // Whether or not anybody reads the result, the status is that of the message.
    verdict.map_err(|rejection| Failure::Operation(explain(&rejection)))?;
    shown
}

fn document(verdict: &Result<VerifiedBindings, Rejection>) -> VerifyJson {
    let bindings = verdict.iter().flatten();
    VerifyJson {
        valid: verdict.is_ok(),
        reason: verdict.as_ref().err().map(Rejection::to_string),
        bindings: bindings
            .map(|binding| BindingJson::new(binding.binding_type(), binding.id()))
            .collect(),
    }
}

fn show(verified: &VerifiedBindings) -> Result<(), Failure> {
    output::line("valid")?;
    for binding in verified {
        output::line(&format!(
            "{} {} tbh {} id {}",
            binding.binding_type(),
            binding.key_type(),
            binding.tbh(),
            binding.id()
        ))?;
    }
    Ok(())
}

/// The reason, with what to do about those that the person who calls can change.
fn explain(rejection: &Rejection) -> String {
    let remedy = match rejection {
        Rejection::NotNegotiated { .. } => ": name what was negotiated with --key-type",
        Rejection::NoProvidedBinding
        | Rejection::SeveralProvidedBindings { .. }
        | Rejection::SeveralReferredBindings { .. } => {
            ": --policy protocol accepts it where HTTP's rules do not hold"
        }
        _ => "",
    };
    format!("invalid: {rejection}{remedy}")
}
