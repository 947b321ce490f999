//! What can go wrong, and the only place where a code number is chosen.

use crate::text::Text;
use std::fmt;
use std::sync::Arc;

/// The kinds of failure. A kind's number is its code in the C API and never changes; new kinds may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum ErrorKind {
    /// An argument or option is not what its documentation asks for. Nothing was sent.
    InvalidArgument = 1,
    /// There is no client: init comes first (C only, and a pager whose client is gone).
    NotInitialized = 2,
    /// An option this library lacks, a call this kind of key cannot make, or a client made before `fork()`.
    Unsupported = 3,
    /// The call's [`Cancel`](crate::Cancel) token was triggered.
    Cancelled = 4,
    /// The callback asked to stop (C only).
    Stopped = 5,
    /// The call's own deadline passed.
    Timeout = 6,
    /// Name lookup, connection, proxy, or a connection that ended early.
    Network = 7,
    /// The server could not prove that it is the host that was asked for.
    Tls = 8,
    /// HTTP 401 or 403, or the visitor changed under the call.
    Unauthorized = 9,
    /// HTTP 429.
    RateLimited = 10,
    /// Any other 4xx, or a status that has no meaning here (3xx too).
    Http = 11,
    /// HTTP 5xx.
    Server = 12,
    /// The answer was not what the API promises.
    Decode = 13,
    /// The answer is larger, or has more pages, than this client accepts.
    Limit = 14,
    /// A bug in this library, caught.
    Internal = 15,
}

impl ErrorKind {
    /// The number of this kind in the C API.
    pub const fn code(self) -> i32 {
        self as i32
    }
}

/// One entry of the service's own list of errors. Every field is absent when the service left it out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    pub(crate) code: Option<Text>,
    pub(crate) title: Option<Text>,
    pub(crate) message: Option<Text>,
    pub(crate) source: Option<Text>,
}

impl Detail {
    /// The service's code for this error.
    pub fn code(&self) -> Option<&str> {
        self.code.as_ref().map(Text::as_str)
    }

    /// A short title, the same for every error of its code.
    pub fn title(&self) -> Option<&str> {
        self.title.as_ref().map(Text::as_str)
    }

    /// What happened: the service's `detail`, else its `message`.
    pub fn message(&self) -> Option<&str> {
        self.message.as_ref().map(Text::as_str)
    }

    /// What in the request is meant: a JSON pointer or a parameter's name, else the object as JSON.
    pub fn source(&self) -> Option<&str> {
        self.source.as_ref().map(Text::as_str)
    }
}

/// Why a call failed. Cheap to clone: the clones share one object.
///
/// No key, token, login JWT or proxy password is ever part of it, not even when the server echoes one.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: Text,
    http_status: Option<u16>,
    retry_after_ms: Option<u64>,
    details: Vec<Detail>,
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Arc::new(Inner {
            kind,
            message: message.into().into(),
            http_status: None,
            retry_after_ms: None,
            details: Vec::new(),
        }))
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::InvalidArgument, message)
    }

    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Error {
        change(Arc::make_mut(&mut self.0));
        self
    }

    pub(crate) fn with_status(self, status: u16) -> Error {
        self.with(|e| e.http_status = Some(status))
    }

    pub(crate) fn with_details(self, details: Vec<Detail>) -> Error {
        self.with(|e| e.details = details)
    }

    pub(crate) fn with_retry_after_ms(self, retry_after_ms: Option<u64>) -> Error {
        self.with(|e| e.retry_after_ms = retry_after_ms)
    }

    /// The same error in other words.
    pub(crate) fn reworded(self, message: impl FnOnce(&str) -> String) -> Error {
        self.with(|e| e.message = message(e.message.as_str()).into())
    }

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// One sentence on what happened and what to do about it.
    pub fn message(&self) -> &str {
        self.0.message.as_str()
    }

    pub(crate) fn message_text(&self) -> &Text {
        &self.0.message
    }

    /// The HTTP status of the answer this error is about; `None` when there was no answer.
    pub fn http_status(&self) -> Option<u16> {
        self.0.http_status
    }

    /// How long the service asks to wait before the next try, in milliseconds from the moment of its answer:
    /// by `Retry-After`, else for HTTP 429 by `x-ratelimit-reset`. `None` when it does not say.
    pub fn retry_after_ms(&self) -> Option<u64> {
        self.0.retry_after_ms
    }

    /// The service's own list of errors; at most 100 of them, empty when it sent none.
    pub fn details(&self) -> &[Detail] {
        &self.0.details
    }

    /// Whether the same call may succeed later: true for `Network`, `Timeout`, `RateLimited` and for
    /// HTTP 408, 500, 502, 503 and 504.
    pub fn retryable(&self) -> bool {
        match self.kind() {
            ErrorKind::Network | ErrorKind::Timeout | ErrorKind::RateLimited => true,
            ErrorKind::Http | ErrorKind::Server => {
                matches!(self.http_status(), Some(408 | 500 | 502 | 503 | 504))
            }
            _ => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("http_status", &self.0.http_status)
            .field("retry_after_ms", &self.0.retry_after_ms)
            .field("details", &self.0.details)
            .finish()
    }
}

impl std::error::Error for Error {}
