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

    /// Reads `count` bytes.
    pub(super) fn take(&mut self, count: usize, name: FieldName) -> Result<&'a [u8], ParseError> {
        let Some((bytes, rest)) = self.rest.split_at_checked(count) else {
            let left = self.rest.len();
            return Err(self.error(
                name,
                ParseErrorKind::Truncated {
                    needed: count,
                    left,
                },
            ));
        };
        (self.observe)(Field {
            offset: self.offset,
            bytes,
            name,
            binding: self.binding,
        });
        self.rest = rest;
        self.offset += count;
        Ok(bytes)
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

    /// Fails unless everything was read; `name` is what would have ended here.
    pub(super) fn finish(&self, name: FieldName) -> Result<(), ParseError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(self.error(name, ParseErrorKind::LeftOver { count })),
        }
    }

    /// Steps over the next `count` bytes and gives a reader for them alone.
    pub(super) fn inner(
        &mut self,
        count: usize,
        name: FieldName,
    ) -> Result<Reader<'a, '_, O>, ParseError> {
        let Some((bytes, rest)) = self.rest.split_at_checked(count) else {
            let left = self.rest.len();
            return Err(self.error(
                name,
                ParseErrorKind::Truncated {
                    needed: count,
                    left,
                },
            ));
        };
        let offset = self.offset;
        self.rest = rest;
        self.offset += count;
        Ok(Reader {
            rest: bytes,
            offset,
            binding: self.binding,
            observe: &mut *self.observe,
        })
    }
}
