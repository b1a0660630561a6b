//! Outputs, each in one block of memory that the caller gives back with `free`.
//!
//! A list, its array and everything that the array points at are carved from one block, because
//! callers free the list alone. Blocks come from `malloc`'s family and are zeroed, so that their
//! padding tells nothing.

#![allow(unsafe_code, reason = "C gets its memory from malloc, in one block")]

use std::{alloc::Layout, ffi::c_void, marker::PhantomData, mem, ptr};

use tokenbinding::{KeyType, TokenBindingId, TokenBindingType};

use crate::{
    abi::{
        TOKENBINDING_EXTENSION_FORMAT_UNDEFINED, TOKENBINDING_IDENTIFIER, TOKENBINDING_KEY_TYPES,
        TOKENBINDING_RESULT_DATA, TOKENBINDING_RESULT_LIST,
    },
    failure::{Failure, Result},
    status::Cause,
};

/// Memory for some values in a row, of which the first `used` bytes are taken.
#[derive(Debug)]
struct Block {
    start: *mut u8,
    size: usize,
    used: usize,
}

impl Block {
    fn new(layout: Layout) -> Result<Self> {
        let size = layout.size().max(1);
        // SAFETY: calloc has no preconditions. What it returns is aligned for every type of C.
        let start: *mut u8 = unsafe { libc::calloc(1, size) }.cast();
        if start.is_null() {
            return Err(no_memory(size));
        }
        Ok(Self {
            start,
            size,
            used: 0,
        })
    }

    /// Takes zeroed room for `count` values, which stays valid until the block is freed.
    fn take<T>(&mut self, count: usize) -> Result<*mut T> {
        let padding = self.used.wrapping_neg() % align_of::<T>();
        let start = self.used + padding;
        let end = size_of::<T>()
            .checked_mul(count)
            .and_then(|size| size.checked_add(start));
        match end {
            Some(end) if end <= self.size => {
                self.used = end;
                // SAFETY: `start` lies inside the block or at its end.
                Ok(unsafe { self.start.add(start) }.cast())
            }
            _ => Err(Failure::new(
                Cause::Internal,
                "an output was measured badly",
            )),
        }
    }

    /// Takes room for `values` and copies them there.
    fn copy<T: Copy>(&mut self, values: &[T]) -> Result<*mut T> {
        let place = self.take(values.len())?;
        // SAFETY: `take` has returned aligned room for as many, which is ours alone.
        unsafe { ptr::copy_nonoverlapping(values.as_ptr(), place, values.len()) };
        Ok(place)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the block came from calloc and was not handed over.
        unsafe { libc::free(self.start.cast()) }
    }
}

/// A block that is filled, with a `T` at its start.
#[derive(Debug)]
pub(crate) struct Filled<T>(Block, PhantomData<*mut T>);

impl<T> Filled<T> {
    const fn new(block: Block) -> Self {
        Self(block, PhantomData)
    }

    /// Hands the block over to C, which frees it.
    pub(crate) fn into_raw(self) -> *mut T {
        let start = self.0.start;
        mem::forget(self);
        start.cast()
    }
}

/// A block of these bytes, and how many they are.
pub(crate) fn bytes(content: &[u8]) -> Result<(Filled<c_void>, u32)> {
    let size = count(content.len())?;
    let mut block = Block::new(array::<u8>(content.len())?)?;
    block.copy(content)?;
    Ok((Filled::new(block), size))
}

/// A block of a result with its id.
pub(crate) fn result_data(
    binding_type: TokenBindingType,
    id: &TokenBindingId,
) -> Result<Filled<TOKENBINDING_RESULT_DATA>> {
    let layout = joined(
        Layout::new::<TOKENBINDING_RESULT_DATA>(),
        array::<u8>(id.as_bytes().len())?,
    )?;
    let mut block = Block::new(layout)?;
    let place = block.take::<TOKENBINDING_RESULT_DATA>(1)?;
    let data = result(&mut block, binding_type, id)?;
    // SAFETY: `take` has returned aligned room for one.
    unsafe { place.write(data) };
    Ok(Filled::new(block))
}

/// A block of a list of results with their ids.
pub(crate) fn result_list(
    bindings: &[(TokenBindingType, &TokenBindingId)],
) -> Result<Filled<TOKENBINDING_RESULT_LIST>> {
    let ids = bindings.iter().map(|(_, id)| id.as_bytes().len()).sum();
    let layout = joined(
        joined(
            Layout::new::<TOKENBINDING_RESULT_LIST>(),
            array::<TOKENBINDING_RESULT_DATA>(bindings.len())?,
        )?,
        array::<u8>(ids)?,
    )?;
    let mut block = Block::new(layout)?;
    let list = block.take::<TOKENBINDING_RESULT_LIST>(1)?;
    let array = block.take::<TOKENBINDING_RESULT_DATA>(bindings.len())?;
    for (index, (binding_type, id)) in bindings.iter().enumerate() {
        let data = result(&mut block, *binding_type, id)?;
        // SAFETY: `take` has returned aligned room for as many as there are bindings.
        unsafe { array.add(index).write(data) };
    }
    let whole = TOKENBINDING_RESULT_LIST {
        resultCount: count(bindings.len())?,
        resultData: array,
    };
    // SAFETY: `take` has returned aligned room for one.
    unsafe { list.write(whole) };
    Ok(Filled::new(block))
}

/// A result whose id is copied into `block`.
fn result(
    block: &mut Block,
    binding_type: TokenBindingType,
    id: &TokenBindingId,
) -> Result<TOKENBINDING_RESULT_DATA> {
    Ok(TOKENBINDING_RESULT_DATA {
        bindingType: binding_type.octet().into(),
        identifierSize: count(id.as_bytes().len())?,
        identifierData: block.copy(id.as_bytes())?.cast::<TOKENBINDING_IDENTIFIER>(),
        extensionFormat: TOKENBINDING_EXTENSION_FORMAT_UNDEFINED,
        extensionSize: 0,
        extensionData: ptr::null_mut(),
    })
}

/// A block of a list of key types.
pub(crate) fn key_types(types: &[KeyType]) -> Result<Filled<TOKENBINDING_KEY_TYPES>> {
    let types: Vec<i32> = types.iter().map(|kind| kind.octet().into()).collect();
    let layout = joined(
        Layout::new::<TOKENBINDING_KEY_TYPES>(),
        array::<i32>(types.len())?,
    )?;
    let mut block = Block::new(layout)?;
    let list = block.take::<TOKENBINDING_KEY_TYPES>(1)?;
    let whole = TOKENBINDING_KEY_TYPES {
        keyCount: count(types.len())?,
        keyType: block.copy(&types)?,
    };
    // SAFETY: `take` has returned aligned room for one.
    unsafe { list.write(whole) };
    Ok(Filled::new(block))
}

fn array<T>(length: usize) -> Result<Layout> {
    Layout::array::<T>(length).map_err(|_| no_memory(usize::MAX))
}

fn joined(first: Layout, then: Layout) -> Result<Layout> {
    let both = first.extend(then).map_err(|_| no_memory(usize::MAX))?;
    Ok(both.0)
}

fn count(length: usize) -> Result<u32> {
    u32::try_from(length).map_err(|_| no_memory(length))
}

fn no_memory(size: usize) -> Failure {
    Failure::new(Cause::NoMemory, format!("no memory for {size} bytes"))
}
