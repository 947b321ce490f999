//! Page after page, when the caller asks for it.

use super::client::{Hooks, client_in, hooks_of};
use super::conversations::get_options;
use super::{
    finish, give, guard, kustomer_client, kustomer_code, kustomer_error, kustomer_get_conversations_options,
    kustomer_response, look, required, take, write,
};
use crate::conversations::Pager;
use crate::error::{Error, ErrorKind};
use std::ptr;
use std::sync::Arc;

/// Page after page, when you ask for it. One thread at a time. It may outlive its client, and is of no use then.
pub struct kustomer_pager {
    pager: Pager,
    hooks: Arc<Hooks>,
}

/// The walk of kustomer_get_conversations, pulled: checks the options and sends nothing. all_pages may be 0 or 1. Free it
/// with kustomer_pager_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_pager_new(
    client: *mut kustomer_client,
    options: *const kustomer_get_conversations_options,
    out_pager: *mut *mut kustomer_pager,
    out_error: *mut *mut kustomer_error,
) -> kustomer_code {
    // SAFETY: see the module's contract.
    unsafe {
        write(out_pager, ptr::null_mut());
        finish(out_error, hooks_of(client).as_deref(), || {
            let client = client_in(client)?;
            required(out_pager, "out_pager")?;
            let (options, _) = get_options(options)?;
            let pager = client.client.pages(&options)?;
            write(out_pager, give(kustomer_pager { pager, hooks: client.hooks.clone() }));
            Ok(())
        })
    }
}

/// Hands out the next page, owned; KUSTOMER_OK and NULL at the end (and ever after, unless its token is triggered).
/// timeout_ms counts for each call. After an error the next call asks for the same page again. Counts as a use of the
/// client; once that is freed, KUSTOMER_ERROR_NOT_INITIALIZED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_pager_next(
    pager: *mut kustomer_pager,
    out_response: *mut *mut kustomer_response,
    out_error: *mut *mut kustomer_error,
) -> kustomer_code {
    // SAFETY: see the module's contract; a pager is used by one thread at a time.
    unsafe {
        write(out_response, ptr::null_mut());
        let hooks = look(pager).map(|pager| pager.hooks.clone());
        finish(out_error, hooks.as_deref(), || {
            let missing = || Error::invalid("the pager is NULL; make one with kustomer_pager_new");
            let pager = pager.as_mut().ok_or_else(missing)?;
            pager.pager.check_process()?;
            if pager.hooks.freed() {
                return Err(Error::new(
                    ErrorKind::NotInitialized,
                    "the pager's client was freed; call kustomer_init and make a new pager",
                ));
            }
            required(out_response, "out_response")?;
            if let Some(page) = pager.pager.next() {
                write(out_response, Arc::into_raw(kustomer_response::new(page?)).cast_mut());
            }
            Ok(())
        })
    }
}

/// Frees the pager; before or after its client. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_pager_free(pager: *mut kustomer_pager) {
    // SAFETY: see the module's contract.
    unsafe {
        // In a forked child the pager's connections and locks are the parent's: it is left as it is.
        if guard(false, || look(pager).is_some_and(|p| p.pager.check_process().is_ok())) {
            take(pager);
        }
    }
}
