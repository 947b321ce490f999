//! Why a call failed.

use super::{KUSTOMER_OK, give, guard, kustomer_code, look, take, text_out, with_nul};
use crate::error::{Detail, Error};
use crate::text::Text;
use libc::{c_char, size_t};
use std::ptr;

/// Why a call failed. Immutable; independent of the client. No key, token, login JWT or proxy password is ever part
/// of it. Text is the error's: it lives as long as the error.
pub struct kustomer_error(pub(super) Error);

/// The code, the same that the call returned; KUSTOMER_OK for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_error_code(e: *const kustomer_error) -> kustomer_code {
    // SAFETY: see the module's contract.
    unsafe { look(e) }.map_or(KUSTOMER_OK, |e| e.0.kind().code())
}

/// The HTTP status of the answer the error is about; 0: there was none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_error_http_status(e: *const kustomer_error) -> i32 {
    // SAFETY: see the module's contract.
    unsafe { look(e) }.and_then(|e| e.0.http_status()).map_or(0, i32::from)
}

/// One sentence on what happened and what to do about it; never NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_error_message(e: *const kustomer_error, out_len: *mut size_t) -> *const c_char {
    // SAFETY: see the module's contract.
    unsafe { text_out(Some(look(e).map_or("\0", |e| e.0.message_text().with_nul())), out_len) }
}

/// How long the service asks to wait before the next try, in milliseconds from its answer, by `Retry-After`,
/// else for HTTP 429 by `x-ratelimit-reset`; -1: it does not say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_error_retry_after_ms(e: *const kustomer_error) -> i64 {
    // SAFETY: see the module's contract.
    let wait = unsafe { look(e) }.and_then(|e| e.0.retry_after_ms());
    wait.and_then(|ms| ms.try_into().ok()).unwrap_or(-1)
}

/// 1: the same call may succeed later (NETWORK, TIMEOUT, RATE_LIMITED, HTTP 408, 500, 502, 503, 504); else 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_error_retryable(e: *const kustomer_error) -> i32 {
    // SAFETY: see the module's contract.
    unsafe { look(e) }.is_some_and(|e| e.0.retryable()).into()
}

/// How many entries the service's own list of errors has, at most 100; 0: it sent none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_error_detail_count(e: *const kustomer_error) -> size_t {
    // SAFETY: see the module's contract.
    unsafe { look(e) }.map_or(0, |e| e.0.details().len())
}

unsafe fn detail(
    e: *const kustomer_error,
    i: size_t,
    out_len: *mut size_t,
    field: fn(&Detail) -> &Option<Text>,
) -> *const c_char {
    // SAFETY: see the module's contract.
    unsafe { text_out(look(e).and_then(|e| e.0.details().get(i)).and_then(|d| with_nul(field(d))), out_len) }
}

/// An entry's code; NULL: it has none, or there is no such entry.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_error_detail_code(
    e: *const kustomer_error,
    i: size_t,
    out_len: *mut size_t,
) -> *const c_char {
    // SAFETY: see the module's contract.
    unsafe { detail(e, i, out_len, |d| &d.code) }
}

/// An entry's title; NULL: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_error_detail_title(
    e: *const kustomer_error,
    i: size_t,
    out_len: *mut size_t,
) -> *const c_char {
    // SAFETY: see the module's contract.
    unsafe { detail(e, i, out_len, |d| &d.title) }
}

/// What happened: the entry's `detail`, else its `message`; NULL: neither.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_error_detail_message(
    e: *const kustomer_error,
    i: size_t,
    out_len: *mut size_t,
) -> *const c_char {
    // SAFETY: see the module's contract.
    unsafe { detail(e, i, out_len, |d| &d.message) }
}

/// What in the request is meant: a JSON pointer or a parameter's name, else the entry's `source` as JSON; NULL: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_error_detail_source(
    e: *const kustomer_error,
    i: size_t,
    out_len: *mut size_t,
) -> *const c_char {
    // SAFETY: see the module's contract.
    unsafe { detail(e, i, out_len, |d| &d.source) }
}

/// A copy that outlives the callback; free it with kustomer_error_free. NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_error_clone(e: *const kustomer_error) -> *mut kustomer_error {
    guard(ptr::null_mut(), || {
        // SAFETY: see the module's contract.
        unsafe { look(e) }.map_or(ptr::null_mut(), |e| give(kustomer_error(e.0.clone())))
    })
}

/// Frees an error you own. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_error_free(e: *mut kustomer_error) {
    // SAFETY: see the module's contract.
    unsafe { take(e) };
}
