//! A message drawn for a person: offset, bytes, name and meaning of each field, 16 bytes a line.

use tokenbinding::{
    TokenBindingMessage,
    message::{Field, FieldName, ParseError, TokenBinding},
};

use super::meaning;
use crate::{failure::Failure, output};

/// Bytes on a line.
const WIDTH: usize = 16;

pub(super) fn draw(
    message: &[u8],
    parsed: &Result<TokenBindingMessage<'_>, ParseError>,
    fields: &[Field<'_>],
) -> Result<(), Failure> {
    let bindings = parsed
        .as_ref()
        .map_or(&[][..], |message| message.token_bindings());
    output::line(&format!("TokenBindingMessage, {} bytes", message.len()))?;
    for field in fields {
        if let (FieldName::TokenBindingType, Some(index)) = (field.name, field.binding) {
            output::line(&heading(index, bindings.get(index)))?;
        }
        draw_field(field)?;
    }
    if let Err(error) = parsed {
        output::line(&format!(
            "{:>6}  here it breaks off: {}",
            error.offset, error.kind
        ))?;
    }
    Ok(())
}

fn heading(index: usize, binding: Option<&TokenBinding<'_>>) -> String {
    match binding {
        Some(binding) => format!("\nTokenBinding {index}, tbh {}", binding.id().tbh()),
        None => format!("\nTokenBinding {index}"),
    }
}

fn draw_field(field: &Field<'_>) -> Result<(), Failure> {
    let name = field.name.rfc_name();
    let meaning = meaning(field);
    let mut lines = field.bytes.chunks(WIDTH);
    let first = hex(lines.next().unwrap_or_default());
    let text = format!("{:>6}  {first:<47}  {name:<22} {meaning}", field.offset);
    output::line(text.trim_end())?;
    for (row, bytes) in lines.enumerate() {
        let offset = field.offset + WIDTH * (row + 1);
        output::line(&format!("{offset:>6}  {}", hex(bytes)))?;
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(" ")
}
