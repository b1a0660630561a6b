//! Attributes of objects, on their way to a module and back.

use cryptoki_sys::*;

/// One attribute of a template.
#[derive(Clone, Debug)]
pub(crate) struct Attribute {
    kind: CK_ATTRIBUTE_TYPE,
    value: Vec<u8>,
}

impl Attribute {
    /// An attribute of bytes.
    pub(crate) fn bytes(kind: CK_ATTRIBUTE_TYPE, value: impl Into<Vec<u8>>) -> Self {
        Self {
            kind,
            value: value.into(),
        }
    }

    /// A yes or no.
    pub(crate) fn flag(kind: CK_ATTRIBUTE_TYPE, value: bool) -> Self {
        Self::bytes(kind, [if value { CK_TRUE } else { CK_FALSE }])
    }

    /// A number, as wide as the platform's `CK_ULONG`.
    pub(crate) fn number(kind: CK_ATTRIBUTE_TYPE, value: CK_ULONG) -> Self {
        Self::bytes(kind, value.to_ne_bytes())
    }

    /// Which attribute it is.
    pub(crate) const fn kind(&self) -> CK_ATTRIBUTE_TYPE {
        self.kind
    }

    /// The form a module reads. It points into `self`, which must outlive the call.
    pub(super) fn raw(&self) -> CK_ATTRIBUTE {
        CK_ATTRIBUTE {
            type_: self.kind,
            pValue: self.value.as_ptr().cast_mut().cast(),
            ulValueLen: self.value.len() as CK_ULONG,
        }
    }
}

/// What a module told of an object's attributes.
#[derive(Debug, Default)]
pub(crate) struct Attributes(Vec<Attribute>);

impl Attributes {
    pub(super) fn push(&mut self, kind: CK_ATTRIBUTE_TYPE, value: &[u8]) {
        self.0.push(Attribute::bytes(kind, value));
    }

    pub(super) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// The value, or `None` where the object has none or the token does not tell.
    pub(crate) fn get(&self, kind: CK_ATTRIBUTE_TYPE) -> Option<&[u8]> {
        let found = self.0.iter().find(|attribute| attribute.kind == kind)?;
        Some(&found.value)
    }

    /// The value of a yes or no.
    pub(crate) fn flag(&self, kind: CK_ATTRIBUTE_TYPE) -> Option<bool> {
        match self.get(kind)? {
            [value] => Some(*value != CK_FALSE),
            _ => None,
        }
    }
}
