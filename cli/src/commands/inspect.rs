//! `inspect`: a message drawn field by field.

mod drawing;
mod meaning;

use data_encoding::HEXLOWER;
use serde::Serialize;
use tokenbinding::{
    TokenBindingMessage,
    header::{self, InvalidHeader},
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
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<usize>,
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
    // Whether or not anybody reads the result, the status is that of the message.
    let message = match header::decode(&header) {
        Ok(message) => message,
        Err(error) => {
            if command.json {
                let _ = output::json(&InspectJson::undecoded(&error));
            }
            return Err(Failure::Operation(error.to_string()));
        }
    };
    let mut fields = Vec::new();
    let parsed = TokenBindingMessage::parse_observed(&message, &mut |field| fields.push(field));
    let shown = if command.json {
        output::json(&document(&message, &parsed, &fields))
    } else {
        drawing::draw(&message, &parsed, &fields)
    };
    parsed.map_err(|error| Failure::Operation(format!("the message is malformed: {error}")))?;
    shown
}

impl InspectJson {
    /// A header that is not even base64url of a message.
    fn undecoded(error: &InvalidHeader) -> Self {
        Self {
            well_formed: false,
            reason: Some(error.to_string()),
            length: None,
            bindings: Vec::new(),
            fields: Vec::new(),
        }
    }
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
        length: Some(message.len()),
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
