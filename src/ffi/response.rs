//! One page of conversations, and its rows.

use super::{KUSTOMER_NO_PAGE, KUSTOMER_NO_TIME, KUSTOMER_UNKNOWN, guard, kustomer_tristate, look, text_out, tristate};
use crate::model::{Conversation, Field, Response};
use libc::{c_char, size_t};
use std::ptr;
use std::sync::Arc;

/// One page of conversations. Immutable; independent of the client.
pub struct kustomer_response {
    page: Arc<Response>,
    pages: kustomer_pages,
    rows: Box<[kustomer_conversation]>,
}

/// A row: lives as long as its response, or any clone of it. Text lives as long as the row.
pub struct kustomer_conversation {
    /// Of the response it is a row of, which holds a reference.
    page: *const Response,
    index: usize,
}

// SAFETY: a row is never written to, and neither is the page it points to, which lives as long as the row.
unsafe impl Send for kustomer_conversation {}
// SAFETY: as above.
unsafe impl Sync for kustomer_conversation {}

/// The page numbers around a page, each KUSTOMER_NO_PAGE when there is no such page. Frozen; new facts come as functions.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct kustomer_pages {
    /// This page: what the service says, else the page that was asked for.
    pub current: i32,
    /// The first page.
    pub first: i32,
    /// The next page; KUSTOMER_NO_PAGE on the last one.
    pub next: i32,
    /// The page before; KUSTOMER_NO_PAGE on the first one.
    pub previous: i32,
}

static NO_PAGES: kustomer_pages = kustomer_pages {
    current: KUSTOMER_NO_PAGE,
    first: KUSTOMER_NO_PAGE,
    next: KUSTOMER_NO_PAGE,
    previous: KUSTOMER_NO_PAGE,
};

impl kustomer_response {
    /// In an Arc, since the caller's handle is the Arc's pointer: a clone is one more reference.
    pub(super) fn new(response: Response) -> Arc<kustomer_response> {
        let pages = response.pages();
        let pages = kustomer_pages {
            current: pages.current,
            first: pages.first.unwrap_or(KUSTOMER_NO_PAGE),
            next: pages.next.unwrap_or(KUSTOMER_NO_PAGE),
            previous: pages.previous.unwrap_or(KUSTOMER_NO_PAGE),
        };
        let page = Arc::new(response);
        let row = |index| kustomer_conversation { page: Arc::as_ptr(&page), index };
        let rows = (0..page.len()).map(row).collect();
        Arc::new(kustomer_response { page, pages, rows })
    }
}

/// The same page, owned: free it with kustomer_response_free. Cheap: it is counted, not copied. NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_response_clone(r: *const kustomer_response) -> *mut kustomer_response {
    if !r.is_null() {
        // SAFETY: every response is handed out as the pointer of an Arc that lives at least until this returns.
        unsafe { Arc::increment_strong_count(r) };
    }
    r.cast_mut()
}

/// Frees a response you own; the one a callback is handed is not yours. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_response_free(r: *mut kustomer_response) {
    if !r.is_null() {
        // SAFETY: a reference that the caller was handed, and uses no more.
        guard((), || unsafe { Arc::decrement_strong_count(r) });
    }
}

/// How many conversations the page has; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_response_conversation_count(r: *const kustomer_response) -> size_t {
    // SAFETY: see the module's contract.
    unsafe { look(r) }.map_or(0, |r| r.rows.len())
}

/// A conversation by its place, from 0; NULL past the end. Borrowed: it lives as long as the response or any clone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_response_conversation(
    r: *const kustomer_response,
    index: size_t,
) -> *const kustomer_conversation {
    // SAFETY: see the module's contract.
    unsafe { look(r) }.and_then(|r| r.rows.get(index)).map_or(ptr::null(), ptr::from_ref)
}

/// The page numbers around the page; never NULL (for NULL all are KUSTOMER_NO_PAGE). Lives as long as the response.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_response_pages(r: *const kustomer_response) -> *const kustomer_pages {
    // SAFETY: see the module's contract.
    unsafe { look(r) }.map_or(&NO_PAGES, |r| &r.pages)
}

/// How many conversations there are on all pages; -1: the service does not tell.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_response_total(r: *const kustomer_response) -> i64 {
    // SAFETY: see the module's contract.
    unsafe { look(r) }.and_then(|r| r.page.total()).unwrap_or(-1)
}

/// How many elements of the page are not among its conversations: they were none, or repeats in a walk.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_response_skipped_count(r: *const kustomer_response) -> size_t {
    // SAFETY: see the module's contract.
    unsafe { look(r) }.map_or(0, |r| r.page.skipped())
}

unsafe fn row<'a>(c: *const kustomer_conversation) -> Option<Conversation<'a>> {
    // SAFETY: a row lives as long as its response, and with it the page that the row points to.
    unsafe { look(c).and_then(|c| look(c.page)?.conversation(c.index)) }
}

unsafe fn text(c: *const kustomer_conversation, field: Field, out_len: *mut size_t) -> *const c_char {
    // SAFETY: see the module's contract.
    unsafe { text_out(row(c).and_then(|c| c.with_nul(field)), out_len) }
}

/// conversationId: never empty; NULL for NULL only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_conversation_id(
    c: *const kustomer_conversation,
    out_len: *mut size_t,
) -> *const c_char {
    // SAFETY: see the module's contract.
    unsafe { text(c, Field::Id, out_len) }
}

/// createdAt as the service sent it, yyyy-MM-ddTHH:mm:ss.SSSZ; NULL: it left it out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_conversation_created_at(
    c: *const kustomer_conversation,
    out_len: *mut size_t,
) -> *const c_char {
    // SAFETY: see the module's contract.
    unsafe { text(c, Field::CreatedAt, out_len) }
}

/// createdAt in milliseconds since 1970; KUSTOMER_NO_TIME: absent, or it does not parse.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_conversation_created_at_ms(c: *const kustomer_conversation) -> i64 {
    // SAFETY: see the module's contract.
    unsafe { row(c) }.and_then(Conversation::created_at_ms).unwrap_or(KUSTOMER_NO_TIME)
}

/// The beginning of the last message; "" for a draft without messages; never NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_conversation_preview(
    c: *const kustomer_conversation,
    out_len: *mut size_t,
) -> *const c_char {
    // SAFETY: see the module's contract.
    unsafe { text_out(Some(row(c).and_then(|c| c.with_nul(Field::Preview)).unwrap_or("\0")), out_len) }
}

/// Whether an assistant (a bot) leads the conversation; KUSTOMER_UNKNOWN: the service does not tell. Inferred, since no
/// public source names the field: isInAssistantMode counts; else an `assistant` object means yes until the conversation
/// has ended or was transferred to a person.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_conversation_is_in_assistant_mode(
    c: *const kustomer_conversation,
) -> kustomer_tristate {
    // SAFETY: see the module's contract.
    unsafe { row(c) }.map_or(KUSTOMER_UNKNOWN, |c| tristate(c.is_in_assistant_mode()))
}

/// lastMessageAt as sent; NULL on drafts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_conversation_last_message_at(
    c: *const kustomer_conversation,
    out_len: *mut size_t,
) -> *const c_char {
    // SAFETY: see the module's contract.
    unsafe { text(c, Field::LastMessageAt, out_len) }
}

/// lastMessageAt in milliseconds since 1970; KUSTOMER_NO_TIME: absent, or it does not parse.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_conversation_last_message_at_ms(c: *const kustomer_conversation) -> i64 {
    // SAFETY: see the module's contract.
    unsafe { row(c) }.and_then(Conversation::last_message_at_ms).unwrap_or(KUSTOMER_NO_TIME)
}

/// Whether the conversation has ended (lockedAt is set); KUSTOMER_UNKNOWN: the service left it out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_conversation_ended(c: *const kustomer_conversation) -> kustomer_tristate {
    // SAFETY: see the module's contract.
    unsafe { row(c) }.map_or(KUSTOMER_UNKNOWN, |c| tristate(c.ended()))
}

/// When it ended, as sent; NULL: it has not, or the service left it out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_conversation_ended_at(
    c: *const kustomer_conversation,
    out_len: *mut size_t,
) -> *const c_char {
    // SAFETY: see the module's contract.
    unsafe { text(c, Field::EndedAt, out_len) }
}

/// Why it ended, such as customer_ended or user_ended; NULL: the service left it out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_conversation_end_reason(
    c: *const kustomer_conversation,
    out_len: *mut size_t,
) -> *const c_char {
    // SAFETY: see the module's contract.
    unsafe { text(c, Field::EndReason, out_len) }
}

/// Its name; NULL: the service left it out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_conversation_name(
    c: *const kustomer_conversation,
    out_len: *mut size_t,
) -> *const c_char {
    // SAFETY: see the module's contract.
    unsafe { text(c, Field::Name, out_len) }
}

/// The id of its brand; NULL: the service left it out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_conversation_brand_id(
    c: *const kustomer_conversation,
    out_len: *mut size_t,
) -> *const c_char {
    // SAFETY: see the module's contract.
    unsafe { text(c, Field::BrandId, out_len) }
}

/// How many of its messages the visitor has not read; -1: the service left it out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_conversation_unread_count(c: *const kustomer_conversation) -> i64 {
    // SAFETY: see the module's contract.
    unsafe { row(c) }.and_then(Conversation::unread_count).map_or(-1, i64::from)
}

/// The element as the service sent it, as JSON; NULL without keep_json.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_conversation_json(
    c: *const kustomer_conversation,
    out_len: *mut size_t,
) -> *const c_char {
    // SAFETY: see the module's contract.
    unsafe { text(c, Field::Json, out_len) }
}
