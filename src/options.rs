//! Options as the caller gives them, their defaults, and the checks before anything is sent.
//!
//! Zero, `None` and `false` mean the default for every field, here as in the C API.

use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::log::{Level, LogFn};
use crate::visitor::Visitor;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// The longest key, token or login JWT, in bytes.
pub(crate) const LONGEST_SECRET: usize = 16 * 1024;
/// The longest other text, in bytes.
pub(crate) const LONGEST_TEXT: usize = 4 * 1024;

/// Who asks, and so which kind of key [`InitOptions::api_key`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// The visitor of this device: a chat key (role `org.tracking`) and a tracking token.
    #[default]
    ChatKey,
    /// A server: a bearer key (role `org.permission.conversation.read`); each call names the customer.
    ApiKey,
}

/// Called when the visitor's tracking token is another than the last one known; see [`InitOptions::on_visitor`].
pub type VisitorFn = Box<dyn Fn(&Visitor) + Send + Sync>;

/// Options of [`Client::init`](crate::Client::init). Only `api_key` is required.
#[derive(Default)]
pub struct InitOptions {
    /// The key, at most 16 KiB.
    pub api_key: String,
    /// Which kind of key it is.
    pub auth: Auth,
    /// Send nothing now: the first call fetches what it needs.
    pub lazy_init: bool,
    /// The whole origin, `https://host[:port]`; `http://` only to loopback. Default:
    /// `https://{organisation of the key}.api.{host_domain}`.
    pub base_url: Option<String>,
    /// Default `kustomerapp.com`.
    pub host_domain: Option<String>,
    /// Show only this brand's conversations. Default: every brand's.
    pub brand_id: Option<String>,
    /// The visitor's language, for the settings' texts.
    pub lang: Option<String>,
    /// The tracking token that `on_visitor` was handed earlier: with it the visitor keeps the history.
    /// Chat key only; `""` is as `None`.
    pub tracking_token: Option<String>,
    /// Put in front of `kustomer-c/x.y.z` in the `User-Agent` header.
    pub user_agent: Option<String>,
    /// `http://[user:password@]host[:port]`, spoken to by CONNECT. `None`: from the environment, read
    /// once by init (`https_proxy`, `HTTPS_PROXY`, `all_proxy`, `ALL_PROXY`; for an `http://` origin only
    /// `http_proxy`; `no_proxy` and `NO_PROXY` name exceptions). `""`: no proxy.
    pub proxy: Option<String>,
    /// A PEM file of certificate authorities, in place of the built-in roots.
    pub ca_file: Option<PathBuf>,
    /// How long one connection may take (name lookup, TCP, proxy, TLS), in milliseconds. Default 10,000;
    /// at most 600,000.
    pub connect_timeout_ms: u32,
    /// The longest a call goes without returning, in milliseconds. Default 30,000; at most 86,400,000.
    pub timeout_ms: u32,
    /// How often a request that failed is repeated, where that is safe and may help: connection failures, HTTP
    /// 408, 429, 500, 502, 503 and 504. Default 2; -1: none; at most 10. Between tries it waits as long as the
    /// service asks for (`Retry-After`, `x-ratelimit-reset`), else up to 0.5 s, 1 s, 2 s … 8 s at random. A
    /// wait that does not fit the deadline is not begun: the error comes at once.
    pub max_retries: i32,
    /// The largest answer, decompressed, in bytes. Default 16 MiB; 1 KiB to 1 GiB.
    pub max_response_bytes: u32,
    /// Called with the visitor when the tracking token is another than the last one known (`tracking_token`
    /// counts as known): save [`Visitor::tracking_token`]. One call at a time, on a thread that is inside
    /// a call on this client; no lock is held.
    pub on_visitor: Option<VisitorFn>,
    /// Gets log lines, each one line of text without secrets, on a thread that is inside a call on this
    /// client. It must not make calls that send.
    pub log: Option<LogFn>,
    /// Which lines it gets. Default [`Level::Warning`].
    pub log_level: Level,
    /// Ends init when triggered.
    pub cancel: Option<Cancel>,
}

impl fmt::Debug for InitOptions {
    /// Without the key, the token and the proxy, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InitOptions")
            .field("auth", &self.auth)
            .field("lazy_init", &self.lazy_init)
            .field("host_domain", &self.host_domain)
            .field("brand_id", &self.brand_id)
            .field("lang", &self.lang)
            .field("user_agent", &self.user_agent)
            .field("ca_file", &self.ca_file)
            .field("connect_timeout_ms", &self.connect_timeout_ms)
            .field("timeout_ms", &self.timeout_ms)
            .field("max_retries", &self.max_retries)
            .field("max_response_bytes", &self.max_response_bytes)
            .field("log_level", &self.log_level)
            .finish_non_exhaustive()
    }
}

/// The numbers of [`InitOptions`], checked, with the defaults put in.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub connect_timeout: Duration,
    pub timeout: Duration,
    pub max_retries: u32,
    pub max_response_bytes: u32,
}

impl InitOptions {
    /// Everything that can be said about the options without looking outside.
    pub(crate) fn check(&self) -> Result<Limits> {
        if self.api_key.is_empty() {
            return Err(Error::invalid("`api_key` is missing; give the chat key from Kustomer's API key settings"));
        }
        check_secret("api_key", &self.api_key)?;
        for (field, text) in [
            ("base_url", &self.base_url),
            ("host_domain", &self.host_domain),
            ("brand_id", &self.brand_id),
            ("lang", &self.lang),
            ("user_agent", &self.user_agent),
        ] {
            if let Some(text) = text {
                check_text(field, text)?;
            }
        }
        if let Some(proxy) = self.proxy.as_deref().filter(|p| !p.is_empty()) {
            check_text("proxy", proxy)?;
        }
        if let Some(file) = &self.ca_file {
            check_length("ca_file", file.as_os_str().len(), LONGEST_TEXT)?;
        }
        if let Some(token) = self.saved_token() {
            check_secret("tracking_token", token)?;
        }
        check_range("max_retries", self.max_retries, -1..=10, "-1 for none, 0 for the default (2) or 1 to 10")?;
        let limits = Limits {
            connect_timeout: millis("connect_timeout_ms", self.connect_timeout_ms, 600_000, 10_000)?,
            timeout: timeout(self.timeout_ms, Duration::from_secs(30), "30000")?,
            max_retries: if self.max_retries == 0 { 2 } else { self.max_retries.try_into().unwrap_or(0) },
            max_response_bytes: or_default("max_response_bytes", self.max_response_bytes, 1024..=1 << 30, 16 << 20)?,
        };
        if self.auth == Auth::ApiKey && self.saved_token().is_some() {
            return Err(Error::invalid(
                "`tracking_token` belongs to a chat key; with an API key name the customer in each call",
            ));
        }
        Ok(limits)
    }

    pub(crate) fn saved_token(&self) -> Option<&str> {
        self.tracking_token.as_deref().filter(|token| !token.is_empty())
    }
}

/// Options of a call that takes no others ([`Client::login`](crate::Client::login),
/// [`Client::logout`](crate::Client::logout)).
#[derive(Clone, Debug, Default)]
pub struct CallOptions {
    /// The longest the call takes, in milliseconds. Default: the client's; at most 86,400,000.
    pub timeout_ms: u32,
    /// Ends the call when triggered.
    pub cancel: Option<Cancel>,
}

impl CallOptions {
    pub(crate) fn check(&self, client: &Limits) -> Result<Duration> {
        timeout(self.timeout_ms, client.timeout, "the client's")
    }
}

/// Options of [`Client::get_conversations`](crate::Client::get_conversations) and
/// [`Client::pages`](crate::Client::pages).
#[derive(Clone, Debug, Default)]
pub struct GetConversationsOptions {
    /// The page to ask for, or to begin a walk with: 1 to 2,147,483,647. Default 1.
    pub page: i32,
    /// Conversations a page: 1 to 1,000. Default 100. The service may give fewer.
    pub page_size: i32,
    /// Pages after which a walk ends. Default: the last page, but 1,000 pages with more to come is
    /// [`ErrorKind::Limit`](crate::ErrorKind::Limit). Walks only.
    pub max_pages: i32,
    /// Pages asked for ahead of the one looked at, 0 to 16, each by a thread that is gone when the walk is. The rows
    /// and their order are the same, it only takes less time. Default 0. Walks only.
    pub prefetch: u32,
    /// Only conversations that have not ended.
    pub active_only: bool,
    /// Keep each conversation's JSON as sent, for [`Conversation::json`](crate::Conversation::json).
    pub keep_json: bool,
    /// The longest until the call returns (for a walk: each page), in milliseconds. Default: the
    /// client's; at most 86,400,000.
    pub timeout_ms: u32,
    /// Only this brand's conversations; `""`: every brand's. Default: the client's.
    pub brand_id: Option<String>,
    /// Whose conversations. API key only, which needs it or `tracking_id`; with both, either matches.
    pub customer_id: Option<String>,
    /// Whose conversations, by the visitor's tracking id. API key only.
    pub tracking_id: Option<String>,
    /// Ends the call when triggered.
    pub cancel: Option<Cancel>,
}

/// How many pages a walk without `max_pages` fetches before it takes the service for a runaway.
pub(crate) const RUNAWAY_PAGES: u32 = 1000;

/// [`GetConversationsOptions`], checked, with the defaults put in.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub page: i32,
    pub page_size: i32,
    pub max_pages: Option<u32>,
    pub prefetch: u32,
    pub active_only: bool,
    pub keep_json: bool,
    pub timeout: Duration,
    pub brand_id: Option<String>,
    pub customer_id: Option<String>,
    pub tracking_id: Option<String>,
    pub cancel: Option<Cancel>,
}

impl GetConversationsOptions {
    /// Checks the options against the client they are for; `walk` says whether more than one page may be asked for.
    pub(crate) fn check(&self, auth: Auth, limits: &Limits, brand_id: Option<&str>, walk: bool) -> Result<Query> {
        let page = or_default("page", self.page, 1..=i32::MAX, 1)?;
        let page_size = or_default("page_size", self.page_size, 1..=1000, 100)?;
        check_range("max_pages", self.max_pages, 0..=i32::MAX, "a number of pages, or 0 for all of them")?;
        check_range("prefetch", self.prefetch, 0..=16, "0 to 16")?;
        let timeout = timeout(self.timeout_ms, limits.timeout, "the client's")?;
        for (field, text) in [
            ("brand_id", self.brand_id.as_deref().filter(|brand| !brand.is_empty())),
            ("customer_id", self.customer_id.as_deref()),
            ("tracking_id", self.tracking_id.as_deref()),
        ] {
            if let Some(text) = text {
                check_text(field, text)?;
            }
        }
        for (field, given) in [("max_pages", self.max_pages > 0), ("prefetch", self.prefetch > 0)] {
            if given && !walk {
                return Err(Error::invalid(format!(
                    "`{field}` is for walks over pages; leave it 0, or ask for all pages"
                )));
            }
        }
        let named = self.customer_id.is_some() || self.tracking_id.is_some();
        match auth {
            Auth::ApiKey if !named => {
                return Err(Error::invalid(
                    "`customer_id` and `tracking_id` are missing; with an API key name one of them",
                ));
            }
            Auth::ChatKey if named => {
                return Err(Error::invalid(
                    "`customer_id` and `tracking_id` are for API keys; a chat key lists its own visitor's conversations",
                ));
            }
            _ => {}
        }
        let brand_id = self.brand_id.as_deref().or(brand_id).filter(|brand| !brand.is_empty());
        Ok(Query {
            page,
            page_size,
            max_pages: u32::try_from(self.max_pages).ok().filter(|&pages| pages > 0),
            prefetch: self.prefetch,
            active_only: self.active_only,
            keep_json: self.keep_json,
            timeout,
            brand_id: brand_id.map(str::to_owned),
            customer_id: self.customer_id.clone(),
            tracking_id: self.tracking_id.clone(),
            cancel: self.cancel.clone(),
        })
    }
}

fn check_range<T: PartialOrd + fmt::Display>(
    field: &str,
    value: T,
    range: RangeInclusive<T>,
    give: &str,
) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(format!("`{field}` is {value}; give {give}")))
}

fn or_default<T>(field: &str, value: T, range: RangeInclusive<T>, default: T) -> Result<T>
where
    T: PartialOrd + fmt::Display + Default + Copy,
{
    if value == T::default() {
        return Ok(default);
    }
    let give = format!("{} to {}, or 0 for the default ({default})", range.start(), range.end());
    check_range(field, value, range, &give)?;
    Ok(value)
}

fn millis(field: &str, value: u32, most: u32, default: u32) -> Result<Duration> {
    Ok(Duration::from_millis(or_default(field, value, 1..=most, default)?.into()))
}

fn timeout(value: u32, default: Duration, name: &str) -> Result<Duration> {
    let give = format!("1 to 86400000, or 0 for the default ({name})");
    check_range("timeout_ms", value, 0..=86_400_000, &give)?;
    Ok(if value == 0 { default } else { Duration::from_millis(value.into()) })
}

fn check_length(field: &str, len: usize, most: usize) -> Result<()> {
    match len {
        0 => Err(Error::invalid(format!("`{field}` is empty; give a value, or leave it out"))),
        _ if len > most => Err(Error::invalid(format!("`{field}` is {len} bytes long; give at most {most}"))),
        _ => Ok(()),
    }
}

/// Text that becomes part of a header or a URL.
fn check_text(field: &str, text: &str) -> Result<()> {
    check_characters(field, text, LONGEST_TEXT, |b| b == b' ' || b.is_ascii_graphic(), "control or non-ASCII character")
}

/// A key, token or JWT: a header's word.
pub(crate) fn check_secret(field: &str, text: &str) -> Result<()> {
    check_characters(field, text, LONGEST_SECRET, |b| b.is_ascii_graphic(), "blank, control or non-ASCII character")
}

fn check_characters(field: &str, text: &str, most: usize, good: fn(u8) -> bool, what: &str) -> Result<()> {
    check_length(field, text.len(), most)?;
    match text.bytes().position(|b| !good(b)) {
        None => Ok(()),
        Some(at) => Err(Error::invalid(format!("`{field}` has a {what} at byte {at}; give printable ASCII"))),
    }
}
