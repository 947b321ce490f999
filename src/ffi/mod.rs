//! The C face: what `include/kustomer.h` declares, and nothing else. The doc comments here are the header.
//!
//! Each file is a noun. What they share is here: no panic crosses the border, what `NULL` means, who owns
//! a handle, how text and options come in and text goes out.
//!
//! # Safety
//! Every function takes pointers from C and relies on what the header promises of them: a handle is one
//! that this library handed out and that was not freed, text is NUL-terminated, an out-pointer may be
//! written to, options are `struct_size` bytes long.
#![allow(unsafe_code, non_camel_case_types)]
#![allow(clippy::missing_safety_doc)] // said once, above

mod cancel;
mod client;
mod conversations;
mod error;
mod pager;
mod response;
mod settings;
#[cfg(feature = "test-hooks")]
pub(crate) mod test_hooks;
mod version;
mod visitor;

pub use cancel::*;
pub use client::*;
pub use conversations::*;
pub use error::*;
pub use pager::*;
pub use response::*;
pub use settings::*;
pub use version::*;
pub use visitor::*;

use crate::error::{Error, ErrorKind, Result};
use crate::log::Level;
use crate::text::Text;
use client::Hooks;
use libc::{c_char, size_t};
use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

/// Runs what may panic; `absent` is the answer if it does. What a panic leaves behind is never looked at
/// again: the locks of this crate ignore poisoning and guard values that are whole at every step.
fn guard<T>(absent: T, f: impl FnOnce() -> T) -> T {
    caught(f).unwrap_or(absent)
}

fn caught<T>(f: impl FnOnce() -> T) -> std::thread::Result<T> {
    catch_unwind(AssertUnwindSafe(|| {
        crate::step();
        f()
    }))
}

/// Runs a call that can fail; a panic is one more way to, and the client's log hears of it.
fn run<T>(hooks: Option<&Hooks>, f: impl FnOnce() -> Result<T>) -> Result<T> {
    caught(f).unwrap_or_else(|_| {
        // Not with the panic's own message, which may quote anything.
        let message = "a bug in libkustomer was caught; please report it with what the program did";
        if let Some(hooks) = hooks {
            hooks.log(Level::Error, message);
        }
        Err(Error::new(ErrorKind::Internal, message))
    })
}

/// Runs a call that can fail and says how it ended, by code and, where the caller wants it, by object.
unsafe fn finish(
    out_error: *mut *mut kustomer_error,
    hooks: Option<&Hooks>,
    f: impl FnOnce() -> Result<()>,
) -> kustomer_code {
    // SAFETY: `out_error` is NULL or the caller's to be written to.
    unsafe { write(out_error, ptr::null_mut()) };
    match run(hooks, f) {
        Ok(()) => KUSTOMER_OK,
        Err(e) => {
            let code = e.kind().code();
            if !out_error.is_null() {
                // SAFETY: as above.
                unsafe { write(out_error, give(kustomer_error(e))) };
            }
            code
        }
    }
}

/// Writes to an out-pointer, if there is one.
unsafe fn write<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: it is the caller's to be written to.
        unsafe { out.write(value) };
    }
}

/// An out-pointer that a call cannot do without.
fn required<T>(out: *mut T, name: &str) -> Result<()> {
    if out.is_null() {
        return Err(Error::invalid(format!("{name} is NULL; give the address of a pointer to fill")));
    }
    Ok(())
}

/// Hands an object out; it comes back by [`take`].
fn give<T>(object: T) -> *mut T {
    Box::into_raw(Box::new(object))
}

/// Ends an object that [`give`] handed out; NULL is nothing to end.
unsafe fn take<T>(object: *mut T) {
    if !object.is_null() {
        // SAFETY: it was made by `give`, and its owner uses it no more.
        guard((), || drop(unsafe { Box::from_raw(object) }));
    }
}

/// What a handle stands for, for the time of a call.
unsafe fn look<'a, T>(object: *const T) -> Option<&'a T> {
    // SAFETY: NULL, or an object that was handed out and lives at least until the call returns.
    unsafe { object.as_ref() }
}

/// Text for the caller: it stays the object's. `out_len` is 0 for what is absent.
unsafe fn text_out(text: Option<&str>, out_len: *mut size_t) -> *const c_char {
    debug_assert!(text.is_none_or(|t| t.ends_with('\0')));
    // SAFETY: `out_len` is NULL or the caller's to be written to.
    unsafe { write(out_len, text.map_or(0, |t| t.len() - 1)) };
    text.map_or(ptr::null(), |t| t.as_ptr().cast())
}

fn with_nul(text: &Option<Text>) -> Option<&str> {
    text.as_ref().map(Text::with_nul)
}

/// Text from the caller; NULL is none.
unsafe fn text_in(field: &str, text: *const c_char) -> Result<Option<String>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: text from C is NUL-terminated.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(e) => Err(Error::invalid(format!("`{field}` is not UTF-8 at byte {}; give UTF-8 text", e.valid_up_to()))),
    }
}

fn flag(field: &str, value: u32) -> Result<bool> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Error::invalid(format!("`{field}` is {value}; give 0 or 1"))),
    }
}

fn reserved(value: u32) -> Result<()> {
    match value {
        0 => Ok(()),
        _ => Err(Error::invalid(format!("`reserved` is {value}; leave it 0"))),
    }
}

fn tristate(value: Option<bool>) -> kustomer_tristate {
    value.map_or(KUSTOMER_UNKNOWN, i32::from)
}

/// An options struct of the C API: `struct_size` first, all bytes zero are its defaults.
///
/// # Safety
/// The type is `repr(C)`, begins with a `size_t`, and every pattern of bytes is a value of it.
unsafe trait Options: Copy {
    /// The macro that fills it.
    const INIT: &'static str;
}

/// The largest options struct a later release may have.
const LARGEST_OPTIONS: usize = 4096;

/// A copy of the caller's options, made by bytes (they may be unaligned); NULL is all defaults.
unsafe fn options_in<T: Options>(options: *const T) -> Result<T> {
    if options.is_null() {
        // SAFETY: all bytes zero are a value of it.
        return Ok(unsafe { std::mem::zeroed() });
    }
    let known = size_of::<T>();
    // SAFETY: options begin with their size, and are that long.
    let size: size_t = unsafe { options.cast::<size_t>().read_unaligned() };
    if size < known || size > LARGEST_OPTIONS {
        let init = T::INIT;
        return Err(Error::invalid(format!("`struct_size` is {size}, not {known}; fill the options with {init}")));
    }
    // SAFETY: `size` bytes can be read, of which `known` are this release's.
    let (options, tail) = unsafe {
        (options.read_unaligned(), std::slice::from_raw_parts(options.cast::<u8>().add(known), size - known))
    };
    if tail.iter().any(|&byte| byte != 0) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "the options have a field beyond the {known} bytes this library knows; use a newer libkustomer or leave it out"
            ),
        ));
    }
    Ok(options)
}
