//! Listing conversations: by callback, and one owned page.

use super::cancel::cancel_in;
use super::client::{client_in, hooks_of};
use super::{
    KUSTOMER_OK, Options, finish, flag, kustomer_cancel, kustomer_client, kustomer_code, kustomer_error,
    kustomer_response, options_in, required, run, text_in, write,
};
use crate::error::{Error, ErrorKind, Result};
use crate::options::GetConversationsOptions;
use libc::{c_char, c_void, size_t};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;

/// Options of kustomer_get_conversations, kustomer_get_conversations_page and kustomer_pager_new. Fill them with
/// KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT; zero and NULL mean the default. Text is copied.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct kustomer_get_conversations_options {
    /// Set by KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT.
    pub struct_size: size_t,
    /// The page to ask for, from 1. Default 1.
    pub page: i32,
    /// Conversations a page, 1 to 1000. Default 100. The service may give fewer.
    pub page_size: i32,
    /// 1: walk on from `page` to the end, one callback a page.
    pub all_pages: u32,
    /// Pages after which a walk ends, with KUSTOMER_OK, also above 1000. Default: to the end, but 1000 pages with more to
    /// come is KUSTOMER_ERROR_LIMIT.
    pub max_pages: i32,
    /// Pages asked for ahead while you look at this one, 0 to 16, each by a thread that is gone when the call returns
    /// or the pager is freed. The rows and their order are the same. Default 0; for walks only.
    pub prefetch: u32,
    /// 1: only conversations that have not ended.
    pub active_only: u32,
    /// 1: kustomer_conversation_json answers.
    pub keep_json: u32,
    /// Milliseconds; default: the client's; at most 86400000.
    pub timeout_ms: u32,
    /// Default: the client's; "": every brand.
    pub brand_id: *const c_char,
    /// API key only: whose conversations. One of customer_id and tracking_id is needed; with both, either matches.
    pub customer_id: *const c_char,
    /// API key only.
    pub tracking_id: *const c_char,
    /// Ends the call; borrowed for it.
    pub cancel: *mut kustomer_cancel,
}

// SAFETY: repr(C), `struct_size` first, integers and pointers only.
unsafe impl Options for kustomer_get_conversations_options {
    const INIT: &'static str = "KUSTOMER_GET_CONVERSATIONS_OPTIONS_INIT";
}

/// Exactly one of response and error is non-NULL; both are valid only until you return (clone what you keep). Return 0
/// to go on, anything else to stop. No C++ exception, longjmp, pthread_exit or pthread_cancel may leave it.
pub type kustomer_get_conversations_fn = Option<
    unsafe extern "C-unwind" fn(
        response: *const kustomer_response,
        error: *const kustomer_error,
        user_data: *mut c_void,
    ) -> i32,
>;

/// The options, and whether they ask for all pages.
pub(super) unsafe fn get_options(
    options: *const kustomer_get_conversations_options,
) -> Result<(GetConversationsOptions, bool)> {
    // SAFETY: see the module's contract.
    unsafe {
        let raw = options_in(options)?;
        let options = GetConversationsOptions {
            page: raw.page,
            page_size: raw.page_size,
            max_pages: raw.max_pages,
            prefetch: raw.prefetch,
            active_only: flag("active_only", raw.active_only)?,
            keep_json: flag("keep_json", raw.keep_json)?,
            timeout_ms: raw.timeout_ms,
            brand_id: text_in("brand_id", raw.brand_id)?,
            customer_id: text_in("customer_id", raw.customer_id)?,
            tracking_id: text_in("tracking_id", raw.tracking_id)?,
            cancel: cancel_in(raw.cancel),
        };
        Ok((options, flag("all_pages", raw.all_pages)?))
    }
}

/// KustomerCore.getConversations. callback and options may be NULL. Blocks; callbacks come on this thread before it
/// returns. Every failure but KUSTOMER_ERROR_STOPPED reaches callback exactly once, as the last call; with a callback
/// there is no other way the call ends without one. Returns the error's code, KUSTOMER_OK, or KUSTOMER_ERROR_STOPPED when
/// the callback returned non-zero for a response.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_get_conversations(
    client: *mut kustomer_client,
    options: *const kustomer_get_conversations_options,
    callback: kustomer_get_conversations_fn,
    user_data: *mut c_void,
) -> kustomer_code {
    // SAFETY: see the module's contract.
    let hooks = unsafe { hooks_of(client) };
    // SAFETY: as above.
    let walked = run(hooks.as_deref(), || unsafe { walk(client, options, callback, user_data) });
    let Err(e) = walked else { return KUSTOMER_OK };
    let code = e.kind().code();
    if let Some(callback) = callback.filter(|_| e.kind() != ErrorKind::Stopped) {
        let e = kustomer_error(e);
        // Outside of what is guarded above, so that it is called exactly once, whatever happens in it.
        // SAFETY: the application's function, with an error that lives until it returns.
        let _ = catch_unwind(AssertUnwindSafe(|| unsafe { callback(ptr::null(), &e, user_data) }));
    }
    code
}

unsafe fn walk(
    client: *const kustomer_client,
    options: *const kustomer_get_conversations_options,
    callback: kustomer_get_conversations_fn,
    user_data: *mut c_void,
) -> Result<()> {
    // SAFETY: see the module's contract. The client is ours for the walk, also when its callback frees it.
    let (client, (options, all_pages)) = unsafe { (client_in(client)?, get_options(options)?) };
    let deliver = |response| {
        let Some(callback) = callback else { return Ok(()) };
        let response = kustomer_response::new(response);
        // SAFETY: the application's function, with a response that lives until it returns.
        let answer = unsafe { callback(Arc::as_ptr(&response), ptr::null(), user_data) };
        if answer != 0 || client.hooks.freed() {
            return Err(Error::new(ErrorKind::Stopped, "the callback asked to stop"));
        }
        Ok(())
    };
    if all_pages {
        let mut pages = client.client.pages(&options)?;
        let mut walked = Ok(());
        while walked.is_ok() && !pages.is_at_end() {
            walked = pages.next().map_or(Ok(()), |page| deliver(page?));
        }
        pages.end();
        walked
    } else {
        deliver(client.client.get_conversations(&options)?)
    }
}

/// The same for one page, owned, without a callback; all_pages must be 0. Free the response with
/// kustomer_response_free, the error with kustomer_error_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_get_conversations_page(
    client: *mut kustomer_client,
    options: *const kustomer_get_conversations_options,
    out_response: *mut *mut kustomer_response,
    out_error: *mut *mut kustomer_error,
) -> kustomer_code {
    // SAFETY: see the module's contract.
    unsafe {
        write(out_response, ptr::null_mut());
        finish(out_error, hooks_of(client).as_deref(), || {
            let client = client_in(client)?;
            required(out_response, "out_response")?;
            let (options, all_pages) = get_options(options)?;
            if all_pages {
                return Err(Error::invalid("`all_pages` is 1, and this call is for one page; give 0, or use a pager"));
            }
            let response = kustomer_response::new(client.client.get_conversations(&options)?);
            write(out_response, Arc::into_raw(response).cast_mut());
            Ok(())
        })
    }
}
