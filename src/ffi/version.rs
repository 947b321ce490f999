//! Version, codes and constants.

use crate::error::ErrorKind;
use libc::c_char;

/// How a call ended. Numbers are never reused; a failure keeps its code from release to release.
pub type kustomer_code = i32;

/// Done.
pub const KUSTOMER_OK: kustomer_code = 0;
/// An argument or option is not what its comment asks for. Nothing was sent.
pub const KUSTOMER_ERROR_INVALID_ARGUMENT: kustomer_code = 1;
/// No client: kustomer_init comes first.
pub const KUSTOMER_ERROR_NOT_INITIALIZED: kustomer_code = 2;
/// An option this library lacks, a call this kind of key cannot make, a client from before fork().
pub const KUSTOMER_ERROR_UNSUPPORTED: kustomer_code = 3;
/// The call's cancel token was triggered.
pub const KUSTOMER_ERROR_CANCELLED: kustomer_code = 4;
/// Your callback asked to stop.
pub const KUSTOMER_ERROR_STOPPED: kustomer_code = 5;
/// timeout_ms passed; the message names what the call was doing.
pub const KUSTOMER_ERROR_TIMEOUT: kustomer_code = 6;
/// Name lookup, connection, proxy, or a connection that ended early.
pub const KUSTOMER_ERROR_NETWORK: kustomer_code = 7;
/// The server could not prove that it is the host that was asked for.
pub const KUSTOMER_ERROR_TLS: kustomer_code = 8;
/// HTTP 401 or 403, or the visitor changed under the call.
pub const KUSTOMER_ERROR_UNAUTHORIZED: kustomer_code = 9;
/// HTTP 429.
pub const KUSTOMER_ERROR_RATE_LIMITED: kustomer_code = 10;
/// Any other 4xx, or a status with no meaning here (3xx too).
pub const KUSTOMER_ERROR_HTTP: kustomer_code = 11;
/// HTTP 5xx.
pub const KUSTOMER_ERROR_SERVER: kustomer_code = 12;
/// The answer was not what the API promises.
pub const KUSTOMER_ERROR_DECODE: kustomer_code = 13;
/// The answer is too large, or there are more pages than the runaway limit.
pub const KUSTOMER_ERROR_LIMIT: kustomer_code = 14;
/// A bug in this library, caught.
pub const KUSTOMER_ERROR_INTERNAL: kustomer_code = 15;

/// Each code with its kind and its name.
const CODES: [(kustomer_code, ErrorKind, &[u8]); 15] = {
    macro_rules! codes {
        ($($code:ident $kind:ident),*) => { [$(($code, ErrorKind::$kind, concat!(stringify!($code), "\0").as_bytes())),*] };
    }
    codes![
        KUSTOMER_ERROR_INVALID_ARGUMENT InvalidArgument,
        KUSTOMER_ERROR_NOT_INITIALIZED NotInitialized,
        KUSTOMER_ERROR_UNSUPPORTED Unsupported,
        KUSTOMER_ERROR_CANCELLED Cancelled,
        KUSTOMER_ERROR_STOPPED Stopped,
        KUSTOMER_ERROR_TIMEOUT Timeout,
        KUSTOMER_ERROR_NETWORK Network,
        KUSTOMER_ERROR_TLS Tls,
        KUSTOMER_ERROR_UNAUTHORIZED Unauthorized,
        KUSTOMER_ERROR_RATE_LIMITED RateLimited,
        KUSTOMER_ERROR_HTTP Http,
        KUSTOMER_ERROR_SERVER Server,
        KUSTOMER_ERROR_DECODE Decode,
        KUSTOMER_ERROR_LIMIT Limit,
        KUSTOMER_ERROR_INTERNAL Internal
    ]
};

// The header's numbers are written out, since cbindgen evaluates nothing; the kinds decide what they are.
const _: () = {
    let mut i = 0;
    while i < CODES.len() {
        assert!(CODES[i].0 == CODES[i].1.code());
        i += 1;
    }
};

/// Yes, no or unknown. Compare with == KUSTOMER_TRUE and never test by truth: unknown is not 0.
pub type kustomer_tristate = i32;

// The negative constants stand in cbindgen.toml, in parentheses; tests/header.rs holds the two together.
pub(super) const KUSTOMER_UNKNOWN: kustomer_tristate = -1;
pub(super) const KUSTOMER_NO_PAGE: i32 = -1;
pub(super) const KUSTOMER_NO_TIME: i64 = i64::MIN;

/// No.
pub const KUSTOMER_FALSE: kustomer_tristate = 0;
/// Yes.
pub const KUSTOMER_TRUE: kustomer_tristate = 1;

/// The visitor of this device: a chat key and a tracking token.
pub const KUSTOMER_AUTH_CHAT_KEY: i32 = 0;
/// A server: a bearer key, the customer named in each call.
pub const KUSTOMER_AUTH_API_KEY: i32 = 1;

/// Log level: a bug in this library.
pub const KUSTOMER_LOG_ERROR: i32 = 1;
/// Log level: a request that is repeated, a saved tracking token that was refused.
pub const KUSTOMER_LOG_WARNING: i32 = 2;
/// Log level: another visitor.
pub const KUSTOMER_LOG_INFO: i32 = 3;
/// Log level: every request.
pub const KUSTOMER_LOG_DEBUG: i32 = 4;

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");

/// The version of the library you run against, as KUSTOMER_MAKE_VERSION makes it.
#[unsafe(no_mangle)]
pub extern "C" fn kustomer_version_number() -> u32 {
    VERSION.trim_end_matches('\0').split('.').fold(0, |number, part| number * 256 + part.parse().unwrap_or(0))
}

/// The version of the library you run against, such as "0.1.0". Static.
#[unsafe(no_mangle)]
pub extern "C" fn kustomer_version() -> *const c_char {
    VERSION.as_ptr().cast()
}

/// A code's name, such as "KUSTOMER_ERROR_TIMEOUT"; "unknown code" for a number that is none. Static, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn kustomer_code_name(code: kustomer_code) -> *const c_char {
    if code == KUSTOMER_OK {
        return c"KUSTOMER_OK".as_ptr();
    }
    let found = CODES.iter().find(|(number, ..)| *number == code);
    found.map_or(c"unknown code".as_ptr(), |(.., name)| name.as_ptr().cast())
}
