//! Options structs of any bytes, length and alignment, through the C functions that take them. Nothing is
//! sent: a client is made lazily, and what would send has its cancel token triggered.
#![allow(unsafe_code)]

use crate::ffi::*;
use libc::{c_char, c_void, size_t};
use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::ptr;
use std::sync::LazyLock;

/// An input: which function, what is NULL, how far off alignment, and the bytes of the options. Those behind
/// them are a field's text, and of larger options a later release's fields.
struct Input<'a> {
    call: u8,
    flags: u8,
    shift: usize,
    bytes: &'a [u8],
}

const NO_OPTIONS: u8 = 1;
const NO_OUT: u8 = 2;
const NO_ERROR: u8 = 4;
const NO_CLIENT: u8 = 8;
const API_KEY: u8 = 16;

/// A chat key of the organisation `acme`.
const KEY: &CStr = c"e30.eyJvcmdOYW1lIjoiYWNtZSJ9.e30";

/// What a pointer of the input stands for, and whether all of them stand for something good.
struct Pool {
    own: CString,
    long: CString,
    triggered: *mut kustomer_cancel,
    untriggered: *mut kustomer_cancel,
    good: Cell<bool>,
}

impl Pool {
    fn new(own: &[u8]) -> Pool {
        let own: Vec<u8> = own.iter().copied().take_while(|&b| b != 0).collect();
        let triggered = kustomer_cancel_new();
        // SAFETY: just made.
        unsafe { kustomer_cancel_trigger(triggered) };
        Pool {
            own: CString::new(own).unwrap_or_default(),
            long: CString::new(vec![b'a'; 20_000]).unwrap_or_default(),
            triggered,
            untriggered: kustomer_cancel_new(),
            good: Cell::new(true),
        }
    }

    /// NULL, the given text (also good), or one that may be anything.
    fn text(&self, garbage: *const c_char, good: &'static CStr) -> *const c_char {
        let text = match garbage as usize % 8 {
            0 => return ptr::null(),
            1 => return good.as_ptr(),
            2..5 => self.own.as_ptr(),
            5 => c"".as_ptr(),
            6 => c"a\xffb".as_ptr(),
            _ => self.long.as_ptr(),
        };
        self.good.set(false);
        text
    }

    fn cancel(&self, garbage: *mut kustomer_cancel) -> *mut kustomer_cancel {
        match garbage as usize % 4 {
            0 => ptr::null_mut(),
            1 => self.untriggered,
            _ => self.triggered,
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: made by `new`, and no call is left that uses them.
        unsafe {
            kustomer_cancel_free(self.triggered);
            kustomer_cancel_free(self.untriggered);
        }
    }
}

/// Options whose pointers are made ones that may be followed.
///
/// # Safety
/// The type is `repr(C)`, begins with a `size_t`, and every pattern of bytes is a value of it.
unsafe trait Options: Copy {
    fn mend(&mut self, pool: &Pool);
    /// Whether every number is one that the header allows.
    fn in_range(&self) -> bool;
}

unsafe extern "C-unwind" fn on_visitor(_: *const kustomer_visitor, _: *mut c_void) {
    unreachable!("nothing was sent");
}

unsafe extern "C-unwind" fn on_log(level: i32, message: *const c_char, _: *mut c_void) {
    assert!((1..=4).contains(&level) && !message.is_null());
}

/// Counts in what `user_data` points to.
unsafe extern "C-unwind" fn count(user_data: *mut c_void) {
    // SAFETY: `init` points it to a counter that outlives the client.
    unsafe { *user_data.cast::<u32>() += 1 };
}

// SAFETY: repr(C), `struct_size` first, integers, pointers and nullable functions only.
unsafe impl Options for kustomer_init_options {
    fn mend(&mut self, pool: &Pool) {
        self.api_key = pool.text(self.api_key, KEY);
        self.base_url = pool.text(self.base_url, c"https://acme.test:8443/");
        self.host_domain = pool.text(self.host_domain, c"kustomerapp.com");
        self.brand_id = pool.text(self.brand_id, c"5f1d");
        self.lang = pool.text(self.lang, c"de");
        self.tracking_token = pool.text(self.tracking_token, c"");
        self.user_agent = pool.text(self.user_agent, c"kiosk/1");
        self.proxy = pool.text(self.proxy, c"http://u:p@proxy.test:3128");
        self.ca_file = pool.text(self.ca_file, c"/");
        if !self.ca_file.is_null() {
            // Not any file: to open one can have effects.
            self.ca_file = c"/".as_ptr();
            pool.good.set(false);
        }
        self.on_visitor = self.on_visitor.map(|_| on_visitor as _);
        self.log = self.log.map(|_| on_log as _);
        self.user_data_free = self.user_data_free.map(|_| count as _);
        self.cancel = pool.cancel(self.cancel);
        if self.auth == KUSTOMER_AUTH_CHAT_KEY && self.lazy_init == 0 {
            self.lazy_init = 1;
        }
        // NULL is what the environment says.
        if self.api_key.is_null() || self.proxy.is_null() || self.cancel == pool.triggered {
            pool.good.set(false);
        }
    }

    fn in_range(&self) -> bool {
        (0..=1).contains(&self.auth)
            && self.lazy_init <= 1
            && self.connect_timeout_ms <= 600_000
            && self.timeout_ms <= 86_400_000
            && (-1..=10).contains(&self.max_retries)
            && (self.max_response_bytes == 0 || (1 << 10..=1 << 30).contains(&self.max_response_bytes))
            && (0..=4).contains(&self.log_level)
            && self.reserved == 0
    }
}

// SAFETY: repr(C), `struct_size` first, integers and a pointer only.
unsafe impl Options for kustomer_call_options {
    fn mend(&mut self, pool: &Pool) {
        self.cancel = pool.triggered;
    }

    fn in_range(&self) -> bool {
        self.timeout_ms <= 86_400_000 && self.reserved == 0
    }
}

// SAFETY: repr(C), `struct_size` first, integers and pointers only.
unsafe impl Options for kustomer_get_conversations_options {
    fn mend(&mut self, pool: &Pool) {
        self.brand_id = pool.text(self.brand_id, c"");
        self.customer_id = pool.text(self.customer_id, c"5f1d");
        self.tracking_id = pool.text(self.tracking_id, c"5f1e");
        self.cancel = pool.triggered;
    }

    fn in_range(&self) -> bool {
        self.page >= 0
            && (0..=1000).contains(&self.page_size)
            && self.max_pages >= 0
            && self.prefetch <= 16
            && [self.all_pages, self.active_only, self.keep_json].iter().all(|&flag| flag <= 1)
            && self.timeout_ms <= 86_400_000
    }
}

/// Options where the caller has them: as long as they say, and not a byte longer.
struct Placed<T> {
    memory: Box<[u8]>,
    shift: usize,
    options: T,
    /// What their size says of them; `None`: that they are read.
    verdict: Option<kustomer_code>,
}

impl<T: Options> Placed<T> {
    fn new(input: &Input<'_>) -> (Placed<T>, Pool) {
        let known = size_of::<T>();
        let (head, tail) = input.bytes.split_at(known.min(input.bytes.len()));
        let pool = Pool::new(tail);
        let mut image = head.to_vec();
        image.resize(known, 0);
        // SAFETY: every pattern of bytes is a value of it, and there are as many as it has.
        let mut options = unsafe { image.as_ptr().cast::<T>().read_unaligned() };
        options.mend(&pool);
        // SAFETY: it begins with its size.
        let size = unsafe { ptr::from_ref(&options).cast::<size_t>().read() };
        let (len, verdict) = match size {
            _ if size < known => (size.max(size_of::<size_t>()), Some(KUSTOMER_ERROR_INVALID_ARGUMENT)),
            4097.. => (known, Some(KUSTOMER_ERROR_INVALID_ARGUMENT)),
            _ => {
                let zero = tail.iter().take(size - known).all(|&byte| byte == 0);
                (size, (!zero).then_some(KUSTOMER_ERROR_UNSUPPORTED))
            }
        };
        let mut memory = vec![0xa5; input.shift + len];
        let place = &mut memory[input.shift..];
        // SAFETY: as many bytes as it has, none of them padding.
        let own = unsafe { std::slice::from_raw_parts(ptr::from_ref(&options).cast::<u8>(), known) };
        let bytes = own.iter().chain(tail).chain(std::iter::repeat(&0));
        place.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        (Placed { memory: memory.into_boxed_slice(), shift: input.shift, options, verdict }, pool)
    }

    fn at(&self, input: &Input<'_>) -> *const T {
        if input.flags & NO_OPTIONS != 0 { ptr::null() } else { self.memory[self.shift..].as_ptr().cast() }
    }
}

/// What a call may answer that sends nothing; the options' own verdict comes first.
fn check(code: kustomer_code, verdict: Option<kustomer_code>) {
    assert!((KUSTOMER_OK..=KUSTOMER_ERROR_CANCELLED).contains(&code), "code {code}");
    assert!(verdict.is_none_or(|verdict| verdict == code), "code {code}, not {verdict:?}");
}

/// An out-pointer that was not written to would keep this.
fn unwritten<T>() -> *mut T {
    ptr::NonNull::dangling().as_ptr()
}

/// Looks at the error that came with a code, and frees it.
unsafe fn check_error(code: kustomer_code, error: *mut kustomer_error, asked_for: bool) {
    if !asked_for {
        assert_eq!(error, unwritten());
        return;
    }
    assert_ne!(error, unwritten());
    assert_eq!(error.is_null(), code == KUSTOMER_OK);
    // SAFETY: NULL, or an error that the call handed out.
    unsafe {
        assert_eq!(kustomer_error_code(error), code);
        let mut len = 0;
        let message = kustomer_error_message(error, &mut len);
        assert_eq!(CStr::from_ptr(message).to_bytes().len(), len, "a message has no NUL in it");
        assert!((len > 0) == (code != KUSTOMER_OK) && len < 500);
        assert_eq!((kustomer_error_http_status(error), kustomer_error_retryable(error)), (0, 0));
        kustomer_error_free(error);
    }
}

/// Two clients, chat key and API key, whose service is a port that nobody listens on: if they sent something,
/// their calls would end with `KUSTOMER_ERROR_NETWORK`.
static CLIENTS: LazyLock<[usize; 2]> = LazyLock::new(|| {
    [KUSTOMER_AUTH_CHAT_KEY, KUSTOMER_AUTH_API_KEY].map(|auth| {
        // SAFETY: all bytes zero are a value of it.
        let mut options: kustomer_init_options = unsafe { std::mem::zeroed() };
        options.struct_size = size_of_val(&options);
        options.api_key = KEY.as_ptr();
        options.auth = auth;
        options.lazy_init = 1;
        options.base_url = c"http://127.0.0.1:9".as_ptr();
        options.proxy = c"".as_ptr();
        let mut client = ptr::null_mut();
        // SAFETY: good options and an out-pointer of ours.
        let code = unsafe { kustomer_init(&options, &mut client, ptr::null_mut()) };
        assert_eq!(code, KUSTOMER_OK);
        client as usize
    })
});

impl Input<'_> {
    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// With NULL for options no token can be triggered: then only a client that refuses the call.
    fn is_api_key(&self) -> bool {
        self.has(API_KEY) || self.has(NO_OPTIONS)
    }

    fn client(&self) -> *mut kustomer_client {
        if self.has(NO_CLIENT) {
            return ptr::null_mut();
        }
        CLIENTS[usize::from(self.is_api_key())] as *mut kustomer_client
    }

    /// The address of an out-pointer, or NULL.
    fn out<T>(&self, out: &mut *mut T, missing: u8) -> *mut *mut T {
        if self.has(missing) { ptr::null_mut() } else { out }
    }

    /// What is looked at before the options, and then their size.
    fn verdict<T>(&self, placed: &Placed<T>, out: bool) -> Option<kustomer_code> {
        match () {
            () if self.has(NO_CLIENT) => Some(KUSTOMER_ERROR_NOT_INITIALIZED),
            () if out && self.has(NO_OUT) => Some(KUSTOMER_ERROR_INVALID_ARGUMENT),
            () if self.has(NO_OPTIONS) => None,
            () => placed.verdict,
        }
    }
}

/// The options of every function that has some.
pub fn options(data: &[u8]) {
    let (head, bytes) = data.split_at(data.len().min(3));
    let byte = |at: usize| head.get(at).copied().unwrap_or_default();
    let input = Input { call: byte(0) % 6, flags: byte(1), shift: usize::from(byte(2) % 16), bytes };
    match input.call {
        0 => init(&input),
        1 | 2 => login_or_logout(&input),
        3 => get_conversations(&input),
        4 => get_conversations_page(&input),
        _ => pager(&input),
    }
}

fn init(input: &Input<'_>) {
    let (mut placed, pool) = Placed::<kustomer_init_options>::new(input);
    let mut freed = 0u32;
    placed.options.user_data = ptr::from_mut(&mut freed).cast();
    let at = placed.shift + std::mem::offset_of!(kustomer_init_options, user_data);
    if let Some(place) = placed.memory.get_mut(at..at + size_of::<usize>()) {
        place.copy_from_slice(&(placed.options.user_data as usize).to_ne_bytes());
    }
    let (mut client, mut error) = (unwritten(), unwritten());
    // SAFETY: the options are as long as they say, their pointers may be followed.
    unsafe {
        let code = kustomer_init(placed.at(input), input.out(&mut client, NO_OUT), input.out(&mut error, NO_ERROR));
        // There is no client yet that could be missing.
        let flags = input.flags & !NO_CLIENT;
        let verdict = Input { flags, ..*input }.verdict(&placed, true);
        check(code, verdict);
        if verdict.is_none() && !input.has(NO_OPTIONS) {
            assert!(code != KUSTOMER_OK || placed.options.in_range());
            assert!(code == KUSTOMER_OK || !(placed.options.in_range() && pool.good.get()), "good options, {code}");
        }
        check_error(code, error, !input.has(NO_ERROR));
        if !input.has(NO_OUT) {
            assert_ne!(client, unwritten());
            assert_eq!(client.is_null(), code != KUSTOMER_OK);
            assert!(kustomer_client_settings(client).is_null() && kustomer_client_visitor(client).is_null());
            kustomer_client_free(client);
        }
        let frees = code == KUSTOMER_OK && placed.options.user_data_free.is_some();
        assert_eq!(freed, u32::from(frees));
    }
}

fn login_or_logout(input: &Input<'_>) {
    let (placed, pool) = Placed::<kustomer_call_options>::new(input);
    let verdict = input.verdict(&placed, false);
    let mut error = unwritten();
    let out_error = input.out(&mut error, NO_ERROR);
    // SAFETY: the options are as long as they say, their pointers may be followed.
    unsafe {
        let code = if input.call == 1 {
            kustomer_login(input.client(), pool.own.as_ptr(), placed.at(input), out_error)
        } else {
            kustomer_logout(input.client(), placed.at(input), out_error)
        };
        check(code, verdict);
        assert_ne!(code, KUSTOMER_OK);
        if verdict.is_none() && !input.has(NO_OPTIONS) && !placed.options.in_range() {
            assert_eq!(code, KUSTOMER_ERROR_INVALID_ARGUMENT);
        }
        check_error(code, error, !input.has(NO_ERROR));
    }
}

/// A call that its options let come so far ends by its token, or, of a pager, begins.
fn check_conversations(
    input: &Input<'_>,
    placed: &Placed<kustomer_get_conversations_options>,
    pool: &Pool,
    code: kustomer_code,
    out: bool,
    walk: bool,
) {
    let verdict = input.verdict(placed, out);
    check(code, verdict);
    if verdict.is_some() {
        return;
    }
    if input.has(NO_OPTIONS) {
        // An API key needs a customer.
        assert_eq!(code, KUSTOMER_ERROR_INVALID_ARGUMENT);
        return;
    }
    let options = &placed.options;
    let named = !options.customer_id.is_null() || !options.tracking_id.is_null();
    let alone = options.max_pages == 0 && options.prefetch == 0;
    let fits = options.in_range() && named == input.is_api_key() && (walk || alone);
    let passed = matches!(code, KUSTOMER_OK | KUSTOMER_ERROR_CANCELLED);
    assert!(!passed || fits, "code {code} for options that cannot be");
    assert!(passed || !(fits && pool.good.get()), "code {code} for good options");
}

fn get_conversations(input: &Input<'_>) {
    unsafe extern "C-unwind" fn on_page(
        response: *const kustomer_response,
        error: *const kustomer_error,
        user_data: *mut c_void,
    ) -> i32 {
        assert!(response.is_null());
        // SAFETY: the error lives until this returns, `user_data` is below.
        unsafe { (*user_data.cast::<Vec<kustomer_code>>()).push(kustomer_error_code(error)) };
        0
    }
    let (placed, pool) = Placed::new(input);
    let mut codes: Vec<kustomer_code> = Vec::new();
    let callback: kustomer_get_conversations_fn = if input.has(NO_OUT) { None } else { Some(on_page) };
    // SAFETY: the options are as long as they say, their pointers may be followed.
    let code = unsafe {
        kustomer_get_conversations(input.client(), placed.at(input), callback, ptr::from_mut(&mut codes).cast())
    };
    let all_pages = placed.options.all_pages == 1;
    check_conversations(input, &placed, &pool, code, false, all_pages);
    assert_ne!(code, KUSTOMER_OK);
    assert_eq!(codes, if callback.is_some() { vec![code] } else { vec![] });
}

fn get_conversations_page(input: &Input<'_>) {
    let (placed, pool) = Placed::<kustomer_get_conversations_options>::new(input);
    let (mut response, mut error) = (unwritten(), unwritten());
    // SAFETY: the options are as long as they say, their pointers may be followed.
    unsafe {
        let code = kustomer_get_conversations_page(
            input.client(),
            placed.at(input),
            input.out(&mut response, NO_OUT),
            input.out(&mut error, NO_ERROR),
        );
        check_error(code, error, !input.has(NO_ERROR));
        assert_ne!(code, KUSTOMER_OK);
        assert_eq!(response, if input.has(NO_OUT) { unwritten() } else { ptr::null_mut() });
        if placed.options.all_pages == 1 && input.verdict(&placed, true).is_none() && !input.has(NO_OPTIONS) {
            assert_eq!(code, KUSTOMER_ERROR_INVALID_ARGUMENT);
            return;
        }
        check_conversations(input, &placed, &pool, code, true, false);
    }
}

fn pager(input: &Input<'_>) {
    let (placed, pool) = Placed::<kustomer_get_conversations_options>::new(input);
    let (mut pager, mut error) = (unwritten(), unwritten());
    // SAFETY: the options are as long as they say, their pointers may be followed.
    unsafe {
        let code = kustomer_pager_new(
            input.client(),
            placed.at(input),
            input.out(&mut pager, NO_OUT),
            input.out(&mut error, NO_ERROR),
        );
        check_error(code, error, !input.has(NO_ERROR));
        check_conversations(input, &placed, &pool, code, true, true);
        if input.has(NO_OUT) {
            return;
        }
        assert_ne!(pager, unwritten());
        assert_eq!(pager.is_null(), code != KUSTOMER_OK);
        let (mut response, mut error) = (unwritten(), unwritten());
        let next = kustomer_pager_next(pager, &mut response, &mut error);
        check_error(next, error, true);
        assert!(response.is_null());
        let ended = if pager.is_null() { KUSTOMER_ERROR_INVALID_ARGUMENT } else { KUSTOMER_ERROR_CANCELLED };
        assert_eq!(next, ended);
        kustomer_pager_free(pager);
    }
}
