//! `inspect`: a message drawn field by field.

mod drawing;
mod meaning;

use data_encoding::HEXLOWER;
use serde::Serialize;
use tokenbinding::{
    TokenBindingMessage, header,
    message::{Field, ParseError},
};

use self::meaning::meaning;
use super::BindingJson;
use crate::{args::Inspect, failure::Failure, input, output};

#[derive(Serialize)]
struct InspectJson {
    well_formed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    length: usize,
    bindings: Vec<BindingJson>,
    fields: Vec<FieldJson>,
}

#[derive(Serialize)]
struct FieldJson {
    offset: usize,
    bytes: String,
    name: &'static str,
    meaning: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    binding: Option<usize>,
}

pub(super) fn run(command: &Inspect) -> Result<(), Failure> {
    let header = input::header(&command.header)?;
    let message = header::decode(&header).map_err(|error| Failure::Operation(error.to_string()))?;
    let mut fields = Vec::new();
    let parsed = TokenBindingMessage::parse_observed(&message, &mut |field| fields.push(field));
    if command.json {
        output::json(&document(&message, &parsed, &fields))?;
    } else {
        drawing::draw(&message, &parsed, &fields)?;
    }
    parsed
        .map(drop)
        .map_err(|error| Failure::Operation(format!("the message is malformed: {error}")))
}

fn document(
    message: &[u8],
    parsed: &Result<TokenBindingMessage<'_>, ParseError>,
    fields: &[Field<'_>],
) -> InspectJson {
    let bindings = parsed.iter().flat_map(TokenBindingMessage::token_bindings);
    InspectJson {
        well_formed: parsed.is_ok(),
        reason: parsed.as_ref().err().map(ParseError::to_string),
        length: message.len(),
        bindings: bindings
            .map(|binding| BindingJson::new(binding.binding_type(), &binding.id()))
            .collect(),
        fields: fields.iter().map(field).collect(),
    }
}

fn field(field: &Field<'_>) -> FieldJson {
    FieldJson {
        offset: field.offset,
        bytes: HEXLOWER.encode(field.bytes),
        name: field.name.rfc_name(),
        meaning: meaning(field),
        binding: field.binding,
    }
}
