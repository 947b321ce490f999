//! The client: init, login and logout.

use super::cancel::cancel_in;
use super::{
    KUSTOMER_AUTH_API_KEY, KUSTOMER_AUTH_CHAT_KEY, Options, finish, flag, give, guard, kustomer_cancel, kustomer_code,
    kustomer_error, kustomer_settings, kustomer_visitor, look, options_in, required, reserved, run, text_in, write,
};
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::log::{Level, LogFn};
use crate::options::{Auth, CallOptions, InitOptions, VisitorFn};
use libc::{c_char, c_void, size_t};
use std::ffi::CString;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A client for one organisation. It may be used from any number of threads at once. Calls block.
pub struct kustomer_client {
    pub(super) client: Client,
    pub(super) hooks: Arc<Hooks>,
}

/// Gets one line of UTF-8 without secrets, controls escaped; `message` is valid until it returns. Called on a thread
/// that is inside a call of yours on that client, with no lock held; it must not make calls that send.
pub type kustomer_log_fn =
    Option<unsafe extern "C-unwind" fn(level: i32, message: *const c_char, user_data: *mut c_void)>;

/// Gets the visitor when the tracking token is another than the last one known: save the token, since handing it back
/// to the next kustomer_init keeps the visitor's history. `visitor` is valid until it returns. One call at a time, on a
/// thread that is inside a call of yours on that client, with no lock held: it may call back into the library.
pub type kustomer_visitor_fn =
    Option<unsafe extern "C-unwind" fn(visitor: *const kustomer_visitor, user_data: *mut c_void)>;

/// Options of kustomer_init. Fill them with KUSTOMER_INIT_OPTIONS_INIT; zero and NULL mean the default. Text is copied.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct kustomer_init_options {
    /// Set by KUSTOMER_INIT_OPTIONS_INIT.
    pub struct_size: size_t,
    /// Required: the chat key, or with KUSTOMER_AUTH_API_KEY the server's key. At most 16 KiB.
    pub api_key: *const c_char,
    /// KUSTOMER_AUTH_CHAT_KEY (default) or KUSTOMER_AUTH_API_KEY.
    pub auth: i32,
    /// 1: send nothing now; the first call does it.
    pub lazy_init: u32,
    /// The whole origin, `https://host[:port]`; `http://` only to loopback. Default: `https://{org}.api.{host_domain}`, the
    /// organisation from the key.
    pub base_url: *const c_char,
    /// Default "kustomerapp.com".
    pub host_domain: *const c_char,
    /// Default: every brand.
    pub brand_id: *const c_char,
    /// The visitor's language, for the settings' texts.
    pub lang: *const c_char,
    /// The token on_visitor was handed earlier; "" is as NULL. Chat key only.
    pub tracking_token: *const c_char,
    /// Put in front of "kustomer-c/x.y.z".
    pub user_agent: *const c_char,
    /// `http://[user:password@]host[:port]`, used by CONNECT. NULL: from the environment, read once in kustomer_init
    /// (https_proxy, HTTPS_PROXY, all_proxy, ALL_PROXY; no_proxy, NO_PROXY); "": none.
    pub proxy: *const c_char,
    /// A PEM file of certificate authorities, in place of the built-in roots.
    pub ca_file: *const c_char,
    /// One connection: lookup, TCP, proxy, TLS. Milliseconds; default 10000; at most 600000.
    pub connect_timeout_ms: u32,
    /// The longest a call goes without returning or calling back. Milliseconds; default 30000; at most 86400000.
    pub timeout_ms: u32,
    /// How often a request that failed is repeated, where that is safe and may help: connection failures, HTTP 408, 429,
    /// 500, 502, 503, 504. Default 2; -1: none; at most 10. Between tries it waits as long as the service asks for, else
    /// up to 0.5 s, 1 s, 2 s and so on to 8 s at random; a wait that does not fit the deadline is not begun.
    pub max_retries: i32,
    /// The largest answer, decompressed. Default 16 MiB; 1 KiB to 1 GiB.
    pub max_response_bytes: u32,
    /// Save the visitor's tracking token here.
    pub on_visitor: kustomer_visitor_fn,
    /// Gets log lines.
    pub log: kustomer_log_fn,
    /// Which: KUSTOMER_LOG_*; default (0) KUSTOMER_LOG_WARNING.
    pub log_level: i32,
    /// 0.
    pub reserved: u32,
    /// Handed to both hooks.
    pub user_data: *mut c_void,
    /// Called once with user_data, after the last hook, when the client is freed; not when kustomer_init fails.
    pub user_data_free: Option<unsafe extern "C-unwind" fn(user_data: *mut c_void)>,
    /// Ends kustomer_init itself; borrowed.
    pub cancel: *mut kustomer_cancel,
}

// SAFETY: repr(C), `struct_size` first, integers, pointers and nullable functions only.
unsafe impl Options for kustomer_init_options {
    const INIT: &'static str = "KUSTOMER_INIT_OPTIONS_INIT";
}

/// Options of kustomer_login and kustomer_logout. Fill them with KUSTOMER_CALL_OPTIONS_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct kustomer_call_options {
    /// Set by KUSTOMER_CALL_OPTIONS_INIT.
    pub struct_size: size_t,
    /// The longest the call takes. Milliseconds; default: the client's; at most 86400000.
    pub timeout_ms: u32,
    /// 0.
    pub reserved: u32,
    /// Ends the call; borrowed for it.
    pub cancel: *mut kustomer_cancel,
}

// SAFETY: repr(C), `struct_size` first, integers and a pointer only.
unsafe impl Options for kustomer_call_options {
    const INIT: &'static str = "KUSTOMER_CALL_OPTIONS_INIT";
}

/// The application's hooks and what they are handed.
pub(super) struct Hooks {
    on_visitor: kustomer_visitor_fn,
    log: kustomer_log_fn,
    user_data: *mut c_void,
    user_data_free: Option<unsafe extern "C-unwind" fn(user_data: *mut c_void)>,
    freed: AtomicBool,
}

// SAFETY: the header says that hooks run on whichever thread makes a call, so that both they and `user_data`
// are the application's to share between threads.
unsafe impl Send for Hooks {}
// SAFETY: as above.
unsafe impl Sync for Hooks {}

impl Hooks {
    /// Whether the client is gone.
    pub fn freed(&self) -> bool {
        self.freed.load(Ordering::SeqCst)
    }

    fn visitor_hook(self: &Arc<Hooks>) -> Option<VisitorFn> {
        let (hooks, call) = (self.clone(), self.on_visitor?);
        Some(Box::new(move |visitor| {
            if !hooks.freed() {
                let visitor = kustomer_visitor(visitor.clone());
                // SAFETY: the application's function, with a visitor that lives until it returns.
                unsafe { call(&visitor, hooks.user_data) };
            }
        }))
    }

    fn log_hook(self: &Arc<Hooks>) -> Option<LogFn> {
        self.log?;
        let hooks = self.clone();
        Some(Box::new(move |level, line| hooks.log(level, line)))
    }

    /// Hands the log one line, whatever its level.
    pub fn log(&self, level: Level, line: &str) {
        // A line has its controls escaped, so there is no NUL in it.
        if let (Some(call), Ok(line), false) = (self.log, CString::new(line), self.freed()) {
            // SAFETY: the application's function, with text that lives until it returns.
            unsafe { call(level as i32, line.as_ptr(), self.user_data) };
        }
    }

    /// After this no hook runs any more. Once only.
    fn free(&self) {
        self.freed.store(true, Ordering::SeqCst);
        if let Some(free) = self.user_data_free {
            // SAFETY: the application's function, with its own data, after the last hook.
            unsafe { free(self.user_data) };
        }
    }
}

unsafe fn init_options(raw: &kustomer_init_options, hooks: &Arc<Hooks>) -> Result<InitOptions> {
    // SAFETY (this function): the options' texts are NULL or NUL-terminated, its token NULL or live.
    let text = |field, text| unsafe { text_in(field, text) };
    let auth = match raw.auth {
        KUSTOMER_AUTH_CHAT_KEY => Auth::ChatKey,
        KUSTOMER_AUTH_API_KEY => Auth::ApiKey,
        other => {
            return Err(Error::invalid(format!(
                "`auth` is {other}; give KUSTOMER_AUTH_CHAT_KEY (0) or KUSTOMER_AUTH_API_KEY (1)"
            )));
        }
    };
    let log_level = match raw.log_level {
        0 => Level::default(),
        1 => Level::Error,
        2 => Level::Warning,
        3 => Level::Info,
        4 => Level::Debug,
        other => {
            return Err(Error::invalid(format!(
                "`log_level` is {other}; give 1 to 4, or 0 for the default (2, warnings)"
            )));
        }
    };
    reserved(raw.reserved)?;
    Ok(InitOptions {
        api_key: text("api_key", raw.api_key)?.unwrap_or_default(),
        auth,
        lazy_init: flag("lazy_init", raw.lazy_init)?,
        base_url: text("base_url", raw.base_url)?,
        host_domain: text("host_domain", raw.host_domain)?,
        brand_id: text("brand_id", raw.brand_id)?,
        lang: text("lang", raw.lang)?,
        tracking_token: text("tracking_token", raw.tracking_token)?,
        user_agent: text("user_agent", raw.user_agent)?,
        proxy: text("proxy", raw.proxy)?,
        ca_file: text("ca_file", raw.ca_file)?.map(Into::into),
        connect_timeout_ms: raw.connect_timeout_ms,
        timeout_ms: raw.timeout_ms,
        max_retries: raw.max_retries,
        max_response_bytes: raw.max_response_bytes,
        on_visitor: hooks.visitor_hook(),
        log: hooks.log_hook(),
        log_level,
        cancel: unsafe { cancel_in(raw.cancel) },
    })
}

/// KustomerCore.init: reads the key, fetches the chat settings and the visitor's tracking token (with lazy_init or an
/// API key nothing is sent). Returns KUSTOMER_OK and a client, to be freed with kustomer_client_free; else a code, NULL
/// and, where out_error is not NULL, an error to be freed with kustomer_error_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_init(
    options: *const kustomer_init_options,
    out_client: *mut *mut kustomer_client,
    out_error: *mut *mut kustomer_error,
) -> kustomer_code {
    // SAFETY: see the module's contract.
    unsafe {
        write(out_client, ptr::null_mut());
        finish(out_error, None, || {
            required(out_client, "out_client")?;
            let raw = options_in(options)?;
            let hooks = Arc::new(Hooks {
                on_visitor: raw.on_visitor,
                log: raw.log,
                user_data: raw.user_data,
                user_data_free: raw.user_data_free,
                freed: AtomicBool::new(false),
            });
            let options = init_options(&raw, &hooks)?;
            let client = run(Some(&hooks), || Client::init(options))?;
            write(out_client, Arc::into_raw(Arc::new(kustomer_client { client, hooks })).cast_mut());
            Ok(())
        })
    }
}

/// Frees the client. When it returns no hook runs any more and user_data_free has run. It waits for nothing: calls
/// still running in other threads are a mistake, but triggering their cancel token and joining them first is enough.
/// Allowed inside this client's own get_conversations callback, not inside hooks. NULL does nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_client_free(client: *mut kustomer_client) {
    guard((), || {
        if client.is_null() {
            return;
        }
        // SAFETY: made by kustomer_init, and its owner uses it no more. A call that is still in its callback
        // has a reference of its own.
        let client = unsafe { Arc::from_raw(client) };
        client.hooks.free();
        if client.client.check_process().is_err() {
            // A forked child: the connections are the parent's, and so may be the locks.
            std::mem::forget(client);
        } else {
            client.client.stop_ahead();
        }
    });
}

/// The hooks of a client, which outlive it: a callback may free it.
pub(super) unsafe fn hooks_of(client: *const kustomer_client) -> Option<Arc<Hooks>> {
    // SAFETY: NULL, or made by kustomer_init and not freed.
    unsafe { look(client) }.map(|client| client.hooks.clone())
}

/// The client of a call, which keeps it for its own time.
pub(super) unsafe fn client_in(client: *const kustomer_client) -> Result<Arc<kustomer_client>> {
    if client.is_null() {
        return Err(Error::new(ErrorKind::NotInitialized, "there is no client (NULL): call kustomer_init first"));
    }
    // SAFETY: made by kustomer_init by way of Arc::into_raw, and not freed.
    let client = unsafe {
        Arc::increment_strong_count(client);
        Arc::from_raw(client)
    };
    client.client.check_process()?;
    Ok(client)
}

/// The organisation's chat settings, owned: free them with kustomer_settings_free. They are fetched once a client. NULL:
/// API key, or not yet fetched.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_client_settings(client: *const kustomer_client) -> *mut kustomer_settings {
    guard(ptr::null_mut(), || {
        // SAFETY: see the module's contract.
        let settings = unsafe { look(client) }.and_then(|c| c.client.settings());
        settings.map_or(ptr::null_mut(), |settings| give(kustomer_settings(settings)))
    })
}

/// The visitor as of now, owned: free it with kustomer_visitor_free. NULL: API key, or none fetched yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_client_visitor(client: *const kustomer_client) -> *mut kustomer_visitor {
    guard(ptr::null_mut(), || {
        // SAFETY: see the module's contract.
        let visitor = unsafe { look(client) }.and_then(|c| c.client.visitor());
        visitor.map_or(ptr::null_mut(), |visitor| give(kustomer_visitor(visitor)))
    })
}

unsafe fn call_options(options: *const kustomer_call_options) -> Result<CallOptions> {
    // SAFETY: see the module's contract.
    unsafe {
        let raw = options_in(options)?;
        reserved(raw.reserved)?;
        Ok(CallOptions { timeout_ms: raw.timeout_ms, cancel: cancel_in(raw.cancel) })
    }
}

/// Logs the visitor in: their history becomes that of the customer whom a JWT of your own server names (HS256, claims
/// externalId or email, and iat at most 15 minutes old). Never repeated by itself. KUSTOMER_ERROR_UNAUTHORIZED: the JWT
/// or the tracking token was refused, and nothing has changed. After KUSTOMER_ERROR_NETWORK, _TIMEOUT and _CANCELLED the
/// login may have been accepted all the same. Calls and pagers that began before end with KUSTOMER_ERROR_UNAUTHORIZED.
/// With an API key: KUSTOMER_ERROR_UNSUPPORTED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_login(
    client: *mut kustomer_client,
    jwt: *const c_char,
    options: *const kustomer_call_options,
    out_error: *mut *mut kustomer_error,
) -> kustomer_code {
    // SAFETY: see the module's contract.
    unsafe {
        finish(out_error, hooks_of(client).as_deref(), || {
            let client = client_in(client)?;
            let options = call_options(options)?;
            let jwt =
                text_in("jwt", jwt)?.ok_or_else(|| Error::invalid("`jwt` is NULL; give the JWT of your server"))?;
            client.client.login(&jwt, &options)
        })
    }
}

/// Forgets the visitor: on_visitor is called with all fields absent (erase what you saved), then the service is asked for
/// a new visitor, whose history is empty. Whatever it returns, no later call uses the old token. Calls and pagers that
/// began before end with KUSTOMER_ERROR_UNAUTHORIZED. With an API key: KUSTOMER_ERROR_UNSUPPORTED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kustomer_logout(
    client: *mut kustomer_client,
    options: *const kustomer_call_options,
    out_error: *mut *mut kustomer_error,
) -> kustomer_code {
    // SAFETY: see the module's contract.
    unsafe {
        finish(out_error, hooks_of(client).as_deref(), || {
            let client = client_in(client)?;
            client.client.logout(&call_options(options)?)
        })
    }
}
