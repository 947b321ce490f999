//! A client for Kustomer chat: lists a visitor's conversations, from Rust and, through `include/kustomer.h`, from C.
//!
//! ```no_run
//! use kustomer::{Client, GetConversationsOptions, InitOptions};
//!
//! # fn main() -> Result<(), kustomer::Error> {
//! let client = Client::init(InitOptions {
//!     api_key: std::env::var("KUSTOMER_API_KEY").unwrap_or_default(),
//!     on_visitor: Some(Box::new(|visitor| {
//!         let _token = visitor.tracking_token(); // save it: it keeps the visitor's history
//!     })),
//!     ..InitOptions::default()
//! })?;
//! for page in client.pages(&GetConversationsOptions::default())? {
//!     for conversation in page?.conversations() {
//!         println!("{}  {}", conversation.id(), conversation.preview());
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Everything blocks and nothing runs behind the caller's back: no runtime, no thread at rest. Calls end by their
//! deadline ([`timeout_ms`](InitOptions::timeout_ms)) or by a [`Cancel`] token. TLS is always verified.
//! The `log` output of the libraries underneath (ureq, rustls) at debug and trace level shows URLs, headers and
//! bodies: leave it off in production. This library's own log ([`InitOptions::log`]) shows no secrets.
//!
//! The way of a call is the way down this list of modules: `ffi`, `client`, `conversations`, `visitor`, `http`,
//! `transport`; a page's way is back up, by `model`.
#![deny(unsafe_code, missing_docs)]

mod cancel;
mod client;
mod conversations;
mod error;
pub mod ffi;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod http;
mod json;
mod key;
mod log;
mod model;
mod options;
mod origin;
mod prefetch;
mod retry;
mod scan;
mod text;
mod timestamp;
mod transport;
mod visitor;

/// Where this project's own tests may have a panic (feature `test-hooks`); nothing in a shipped library.
fn step() {
    #[cfg(feature = "test-hooks")]
    ffi::test_hooks::panic_if_told();
}

pub use cancel::Cancel;
pub use client::Client;
pub use conversations::Pager;
pub use error::{Detail, Error, ErrorKind, Result};
pub use log::{Level, LogFn};
pub use model::{Conversation, Pages, Response, Settings};
pub use options::{Auth, CallOptions, GetConversationsOptions, InitOptions, VisitorFn};
pub use visitor::Visitor;
