//! Stopping calls from another thread.

use super::{give, guard, look, take};
use crate::cancel::Cancel;
use std::ptr;

/// Stops calls from another thread. May be used from any number of threads at once, and freed while calls use it:
/// each call keeps a reference of its own.
pub struct kustomer_cancel(pub(super) Cancel);

/// A new token, not triggered; never NULL. Free it with kustomer_cancel_free.
#[unsafe(no_mangle)]
pub extern "C" fn kustomer_cancel_new() -> *mut kustomer_cancel {
    guard(ptr::null_mut(), || give(kustomer_cancel(Cancel::new())))
}

/// The same token, for another thread; free each. NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_cancel_clone(c: *const kustomer_cancel) -> *mut kustomer_cancel {
    guard(ptr::null_mut(), || {
        // SAFETY: see the module's contract.
        unsafe { look(c) }.map_or(ptr::null_mut(), |c| give(kustomer_cancel(c.0.clone())))
    })
}

/// Ends every call that uses the token, within 50 ms, and every later one, with KUSTOMER_ERROR_CANCELLED. From any
/// thread, any number of times; not from a signal handler. There is no way back.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_cancel_trigger(c: *mut kustomer_cancel) {
    guard((), || {
        // SAFETY: see the module's contract.
        if let Some(c) = unsafe { look(c) } {
            c.0.trigger();
        }
    });
}

/// Frees the token; calls that use it go on. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_cancel_free(c: *mut kustomer_cancel) {
    // SAFETY: see the module's contract.
    unsafe { take(c) };
}

/// The token of an options struct, for the time of a call.
pub(super) unsafe fn cancel_in(cancel: *const kustomer_cancel) -> Option<Cancel> {
    // SAFETY: NULL, or a token that lives at least until the call has begun.
    unsafe { look(cancel) }.map(|c| c.0.clone())
}
