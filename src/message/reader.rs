//! A cursor over a message that knows where it is and tells an observer what it reads.

use super::{Field, FieldName, ParseError, ParseErrorKind};

/// What is left to read of a message or of a vector in it.
pub(super) struct Reader<'a, 'o, O> {
    rest: &'a [u8],
    offset: usize,
    binding: Option<usize>,
    observe: &'o mut O,
}

impl<'a, 'o, O: FnMut(Field<'a>)> Reader<'a, 'o, O> {
    pub(super) fn new(bytes: &'a [u8], observe: &'o mut O) -> Self {
        Self {
            rest: bytes,
            offset: 0,
            binding: None,
            observe,
        }
    }

    pub(super) fn set_binding(&mut self, binding: usize) {
        self.binding = Some(binding);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left, without reading it.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Where the next byte is, in bytes from the start of the message.
    pub(super) const fn offset(&self) -> usize {
        self.offset
    }

    /// An error of the field that comes next.
    pub(super) fn error(&self, field: FieldName, kind: ParseErrorKind) -> ParseError {
        self.error_at(self.offset, field, kind)
    }

    /// An error of the field `read` that was read last.
    pub(super) fn error_in(
        &self,
        read: &[u8],
        field: FieldName,
        kind: ParseErrorKind,
    ) -> ParseError {
        self.error_at(self.offset - read.len(), field, kind)
    }

    fn error_at(&self, offset: usize, field: FieldName, kind: ParseErrorKind) -> ParseError {
        ParseError {
            offset,
            binding: self.binding,
            field,
            kind,
        }
    }

    /// Steps over the next `count` bytes.
    fn step(&mut self, count: usize, name: FieldName) -> Result<Field<'a>, ParseError> {
        let Some((bytes, rest)) = self.rest.split_at_checked(count) else {
            let (needed, left) = (count, self.rest.len());
            return Err(self.error(name, ParseErrorKind::Truncated { needed, left }));
        };
        let field = Field {
            offset: self.offset,
            bytes,
            name,
            binding: self.binding,
        };
        self.rest = rest;
        self.offset += count;
        Ok(field)
    }

    /// Reads `count` bytes.
    pub(super) fn take(&mut self, count: usize, name: FieldName) -> Result<&'a [u8], ParseError> {
        let field = self.step(count, name)?;
        (self.observe)(field);
        Ok(field.bytes)
    }

    /// Reads a number of one octet.
    pub(super) fn u8(&mut self, name: FieldName) -> Result<u8, ParseError> {
        Ok(self.take(1, name)?[0])
    }

    /// Reads a big-endian number of two octets.
    pub(super) fn u16(&mut self, name: FieldName) -> Result<u16, ParseError> {
        let bytes = self.take(2, name)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// Fails unless everything was read; `length`, which starts at `offset`, told where the end is.
    pub(super) fn finish(&self, length: FieldName, offset: usize) -> Result<(), ParseError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(self.error_at(offset, length, ParseErrorKind::LeftOver { count })),
        }
    }

    /// Steps over the next `count` bytes and gives a reader for them alone.
    pub(super) fn inner(
        &mut self,
        count: usize,
        name: FieldName,
    ) -> Result<Reader<'a, '_, O>, ParseError> {
        let field = self.step(count, name)?;
        Ok(Reader {
            rest: field.bytes,
            offset: field.offset,
            binding: field.binding,
            observe: &mut *self.observe,
        })
    }
}
