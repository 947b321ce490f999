//! Who is asking.

use super::{KUSTOMER_UNKNOWN, kustomer_tristate, look, take, text_out, tristate, with_nul};
use crate::visitor::Visitor;
use libc::{c_char, size_t};

/// Who is asking, as of now. Immutable; independent of the client. Text lives as long as it.
pub struct kustomer_visitor(pub(super) Visitor);

/// The token to save: handing it back to the next kustomer_init keeps the visitor's history. NULL: erase what you saved.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_visitor_tracking_token(
    v: *const kustomer_visitor,
    out_len: *mut size_t,
) -> *const c_char {
    // SAFETY: see the module's contract.
    unsafe { text_out(look(v).and_then(|v| with_nul(&v.0.fields().tracking_token)), out_len) }
}

/// The visitor's id; NULL: the service left it out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_visitor_tracking_id(
    v: *const kustomer_visitor,
    out_len: *mut size_t,
) -> *const c_char {
    // SAFETY: see the module's contract.
    unsafe { text_out(look(v).and_then(|v| with_nul(&v.0.fields().tracking_id)), out_len) }
}

/// KUSTOMER_TRUE: logged in.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_visitor_verified(v: *const kustomer_visitor) -> kustomer_tristate {
    // SAFETY: see the module's contract.
    unsafe { look(v) }.map_or(KUSTOMER_UNKNOWN, |v| tristate(v.0.verified()))
}

/// Frees a visitor you own; the one a hook is handed is not yours. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_visitor_free(v: *mut kustomer_visitor) {
    // SAFETY: see the module's contract.
    unsafe { take(v) };
}
