//! Client: deleting keys for good.

use tokenbinding::binder::Deleted;

use crate::{
    abi::{PCWSTR, SECURITY_STATUS},
    call::call,
    failure::{Failure, Result},
    input,
    process::with_binder,
    status::Cause,
};

/// Deletes the keys of a target, of every type.
///
/// # Safety
/// `targetURL` ends in a zero unit. It may be NULL, which is an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TokenBindingDeleteBinding(targetURL: PCWSTR) -> SECURITY_STATUS {
    call(|| {
        // SAFETY: it is NULL or ends in a zero unit.
        let target = unsafe { input::target(targetURL) }?;
        complete(&with_binder(|binder| binder.delete(&target))?)
    })
}

/// Deletes every key of the user's profile. That there is none is no failure.
#[unsafe(no_mangle)]
pub extern "C" fn TokenBindingDeleteAllBindings() -> SECURITY_STATUS {
    call(|| complete(&with_binder(tokenbinding::Binder::delete_all)?))
}

/// Nobody must believe that keys are gone which are still there.
fn complete(deleted: &Deleted) -> Result<()> {
    let Some(key) = deleted.unreachable.first() else {
        return Ok(());
    };
    let text = format!(
        "{} keys were not deleted, among them one on the {} device {}, which is not there: connect \
         it and try again",
        deleted.unreachable.len(),
        key.provider,
        key.device
    );
    Err(Failure::new(Cause::KeysOutOfReach, text))
}
