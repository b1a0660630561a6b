//! The places that C gave us for outputs: all of them are emptied before any argument is looked at.

#![allow(unsafe_code, reason = "C's outputs are pointers")]

use crate::failure::{Failure, Result};

/// A value that an output has when there is none.
pub(crate) trait Empty: Copy {
    const EMPTY: Self;
}

impl Empty for u8 {
    const EMPTY: Self = 0;
}

impl Empty for u32 {
    const EMPTY: Self = 0;
}

impl<T> Empty for *mut T {
    const EMPTY: Self = std::ptr::null_mut();
}

/// A place for an output, which is empty so far. `NULL` is no place.
#[derive(Debug)]
pub(crate) struct Output<T>(Option<Place<T>>);

/// A place that is there.
#[derive(Debug)]
pub(crate) struct Place<T>(*mut T);

impl<T: Empty> Output<T> {
    /// Empties the place.
    ///
    /// # Safety
    /// `place` is NULL, or a `T` may be written there until the call ends.
    pub(crate) unsafe fn new(place: *mut T) -> Self {
        if place.is_null() {
            return Self(None);
        }
        let place = Place(place);
        place.set(T::EMPTY);
        Self(Some(place))
    }

    /// The place of an output that the caller must want.
    pub(crate) fn required(self, name: &str) -> Result<Place<T>> {
        self.0
            .ok_or_else(|| Failure::argument(format!("{name} is NULL: give a place for it")))
    }

    /// The place of an output that the caller may not want.
    pub(crate) fn optional(self) -> Option<Place<T>> {
        self.0
    }
}

impl<T: Copy> Place<T> {
    pub(crate) fn set(&self, value: T) {
        // SAFETY: who made the `Output` has promised that a T may be written there. Programs that
        // pack their structures need not align it.
        unsafe { self.0.write_unaligned(value) }
    }
}
