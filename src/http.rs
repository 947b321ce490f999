//! Sending one request and reading one answer by ureq, and saying what went wrong.

use crate::error::{Detail, Error, ErrorKind, Result};
use crate::json;
use crate::log::{Level, Logger};
use crate::options::{Auth, InitOptions, Limits};
use crate::origin::Origin;
use crate::retry::{self, Budget};
use crate::scan::is_cut;
use crate::text::Text;
use crate::transport::{
    BUFFER, Call, Connected, Dialler, Exchange, KEPT_CONNECTIONS, KEPT_FOR, NoResolver, Phase, Proxy, Ready, Stop,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::fmt;
use std::io::{self, Read as _};
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};
use ureq::http::header::{
    ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    TRANSFER_ENCODING,
};
use ureq::http::{Method, Request, Response};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::transport::{Connector as _, RustlsConnector};
use ureq::{Agent, AsSendBody as _, Body, SendBody};

/// The largest header of an answer, and the most lines it may have.
const LONGEST_HEADER: usize = 32 * 1024;
const MOST_HEADERS: usize = 100;
/// How much of the service's own list of errors is kept.
const MOST_DETAILS: usize = 100;
/// The most of an error answer's body that is read: enough to explain anything.
const LONGEST_ERROR: u64 = 256 * 1024;
/// How much of what the service says is quoted in a message, in characters.
const LONGEST_QUOTE: usize = 200;

/// What a request shows of who is asking.
#[derive(Clone, Copy)]
pub(crate) enum Credential<'a> {
    None,
    /// A visitor's tracking token (chat key).
    TrackingToken(&'a str),
    /// A server's key.
    Bearer(&'a str),
}

/// A whole answer with a 2xx status.
pub(crate) struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    /// The body ended with the connection, so that only what is in it can tell whether it is whole.
    pub ended_with_connection: bool,
    /// What the body is still encoded as, in the service's own words.
    pub coding: Option<String>,
}

/// One origin, its connections and the headers every request to it carries.
pub(crate) struct Http {
    agent: Agent,
    open: Weak<()>,
    origin: Origin,
    chat_headers: bool,
    lang: Option<String>,
    limit: u64,
    max_retries: u32,
    budget: Budget,
    pub logger: Arc<Logger>,
}

impl Http {
    pub fn new(
        options: &InitOptions,
        limits: &Limits,
        origin: Origin,
        proxy: Option<Proxy>,
        logger: Arc<Logger>,
    ) -> Result<Http> {
        let user_agent = concat!("kustomer-c/", env!("CARGO_PKG_VERSION"));
        let user_agent = match &options.user_agent {
            Some(front) => format!("{front} {user_agent}"),
            None => user_agent.to_owned(),
        };
        let roots = options.ca_file.as_deref().map_or(Ok(RootCerts::WebPki), roots)?;
        // No timeouts, no proxy, no redirects: the transport and this module decide.
        let config = Agent::config_builder()
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(user_agent)
            .accept("application/json")
            .max_response_header_size(LONGEST_HEADER)
            .input_buffer_size(BUFFER)
            .output_buffer_size(BUFFER)
            .max_idle_connections(KEPT_CONNECTIONS)
            .max_idle_connections_per_host(KEPT_CONNECTIONS)
            .max_idle_age(KEPT_FOR)
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .build();
        let dialler = Dialler::new(proxy, limits.connect_timeout);
        let open = dialler.open();
        let chain = dialler.chain(RustlsConnector::default()).chain(Connected);
        let chain = Ready::new(chain);
        Ok(Http {
            agent: Agent::with_parts(config, chain, NoResolver),
            open,
            origin,
            chat_headers: options.auth == Auth::ChatKey,
            lang: options.lang.clone(),
            limit: limits.max_response_bytes.into(),
            max_retries: limits.max_retries,
            budget: Budget::new(),
            logger,
        })
    }

    /// Asks for a resource; what may pass is tried again. `wanted` is asked before that whether the answer is
    /// still of use.
    pub fn get(
        &self,
        call: &Call,
        path_and_query: &str,
        credential: Credential<'_>,
        wanted: &dyn Fn() -> Result<()>,
    ) -> Result<Answer> {
        let mut repeats = 0;
        let mut paid = None;
        let mut last: Option<Error> = None;
        loop {
            // After a connection failed, the others that were kept are not to be trusted either.
            let fresh = last.as_ref().is_some_and(|e| e.kind() == ErrorKind::Network);
            let (result, timed_out) = self.try_get(call, path_and_query, credential, fresh);
            let error = match result.and_then(|answer| self.whole(answer)) {
                Ok(answer) => {
                    self.budget.succeeded(paid);
                    return Ok(answer);
                }
                Err(e) => tried(e, repeats, last.as_ref()),
            };
            if repeats == self.max_retries || !retry::is_transient(&error) {
                return Err(error);
            }
            let wait = retry::wait(&error, repeats, fastrand::f64());
            if wait >= call.left() {
                return Err(error);
            }
            paid = self.budget.spend(timed_out);
            if paid.is_none() {
                self.logger.log(Level::Warning, || {
                    format!("{error}; not trying again, since too many of this client's requests failed")
                });
                return Err(error);
            }
            self.logger.log(Level::Warning, || format!("{error}; trying again in {} ms", wait.as_millis()));
            call.pause(wait, "waiting to try again").map_err(|e| tried(e, repeats, Some(&error)))?;
            wanted()?;
            repeats += 1;
            last = Some(error);
        }
    }

    /// Of a body that ended with its connection only the JSON in it can tell whether it was cut off.
    fn whole(&self, answer: Answer) -> Result<Answer> {
        match answer.ended_with_connection && answer.coding.is_none() && is_cut(&answer.body) {
            true => Err(self.cut_off("reading the answer").with_status(answer.status)),
            false => Ok(answer),
        }
    }

    /// Asks for a resource once, whatever comes of it.
    pub fn get_once(&self, call: &Call, path_and_query: &str, credential: Credential<'_>) -> Result<Answer> {
        let exchange = Exchange::new(call, self.most_bytes());
        self.send(&exchange, Method::GET, path_and_query, None, credential, false)
    }

    /// Opens a connection for a request to come, and sends none; unless there are that many.
    pub fn connect(&self, call: &Call, enough: u32) {
        if self.open.strong_count() > enough as usize {
            return;
        }
        let exchange = Exchange::new(call, self.most_bytes());
        exchange.only_connect();
        let _ = self.send(&exchange, Method::GET, "/", None, Credential::None, true);
    }

    /// One try, and whether it was the connection's time that ran out. A kept connection that turns out to be
    /// closed is nobody's failure: the request goes once more, over a new one.
    fn try_get(
        &self,
        call: &Call,
        path_and_query: &str,
        credential: Credential<'_>,
        fresh: bool,
    ) -> (Result<Answer>, bool) {
        let mut exchange = Exchange::new(call, self.most_bytes());
        let mut result = self.send(&exchange, Method::GET, path_and_query, None, credential, fresh);
        if exchange.was_stale() && matches!(&result, Err(e) if e.kind() == ErrorKind::Network) {
            self.logger.log(Level::Warning, || "a kept connection had been closed; asking over a new one".to_owned());
            exchange = Exchange::new(call, self.most_bytes());
            result = self.send(&exchange, Method::GET, path_and_query, None, credential, true);
        }
        (result, exchange.timed_out())
    }

    /// Has the service do something. Never repeated, and always over a new connection, so that a kept one that
    /// was closed cannot make it fail.
    pub fn post(&self, call: &Call, path: &str, json: &str, credential: Credential<'_>) -> Result<Answer> {
        let exchange = Exchange::new(call, self.most_bytes());
        self.send(&exchange, Method::POST, path, Some(json), credential, true)
    }

    /// The service's own list of errors, when that is all there is in spite of a 2xx status.
    pub fn error_list(&self, answer: &Answer) -> Option<Error> {
        is_error_list(&answer.body).then(|| {
            let details = details(&answer.body, |text| self.logger.secrets.redact(text));
            self.status_error(answer.status, details, None)
        })
    }

    /// The error of an answer that is not the document it should be: cut off, the service's own list of
    /// errors in spite of its status, or something else.
    pub fn decode_error(&self, answer: &Answer, malformed: json::Malformed, what: &str) -> Error {
        let status = answer.status;
        if let Some(coding) = &answer.coding {
            let coding: String = coding.chars().take(LONGEST_QUOTE).collect();
            return Error::new(
                ErrorKind::Decode,
                format!(
                    "the answer of {} is encoded as `{coding}`, which this library cannot read",
                    self.origin.host()
                ),
            )
            .with_status(status);
        }
        if malformed == json::Malformed::Cut && answer.ended_with_connection {
            return self.cut_off("reading the answer").with_status(status);
        }
        if malformed == json::Malformed::TooMany {
            let message = format!("the answer of {} has more rows than a page can have", self.origin.host());
            return Error::new(ErrorKind::Limit, message).with_status(status);
        }
        self.error_list(answer).unwrap_or_else(|| {
            let host = self.origin.host();
            let message = match answer.body.trim_ascii_start().first() {
                Some(b'<') => format!(
                    "the answer of {host} (HTTP {status}) is not {what} but a web page, as a portal (a Wi-Fi's login page) sends in its place; check with a browser whether this network wants a login"
                ),
                _ => format!(
                    "the answer of {host} (HTTP {status}) is not {what}; check `base_url`, and whether a portal or proxy answers in its place"
                ),
            };
            Error::new(ErrorKind::Decode, message).with_status(status)
        })
    }

    /// The path with the visitor's language.
    pub fn with_lang(&self, path: &str) -> String {
        match &self.lang {
            Some(lang) => format!("{path}?{}", parameter("lang", lang)),
            None => path.to_owned(),
        }
    }

    /// Decompressing can only make more of less, but TLS and chunks wrap it, and they may be tiny.
    fn most_bytes(&self) -> u64 {
        4 * self.limit + (1 << 20)
    }

    fn send(
        &self,
        exchange: &Rc<Exchange>,
        method: Method,
        path_and_query: &str,
        json: Option<&str>,
        credential: Credential<'_>,
        fresh: bool,
    ) -> Result<Answer> {
        crate::step();
        let sent = Instant::now();
        let name = method.clone();
        let (mut json, mut nothing) = (json, ());
        let body = match &mut json {
            Some(json) => json.as_body(),
            None => nothing.as_body(),
        };
        let request = self
            .request(method, path_and_query, body, credential)
            .map_err(|e| Error::new(ErrorKind::Internal, format!("a request could not be built: {e}")))?;
        exchange.only_new(fresh);
        let result = exchange.run(|| {
            // Only where needed: for a request with a configuration of its own ureq makes the TLS one anew.
            let request = match fresh {
                // Shares no pool, so that the connections that are kept stay so.
                true if exchange.connects_only() => self.agent.configure_request(request).no_delay(false).build(),
                true => self.agent.configure_request(request).max_idle_age(Duration::ZERO).build(),
                false => request,
            };
            let response = self.agent.run(request).map_err(|e| self.explain(e, exchange))?;
            exchange.enter(Phase::Body);
            self.read(response, exchange)
        });
        self.logger.log(Level::Debug, || {
            let path = path_and_query.split('?').next().unwrap_or_default();
            let outcome = match &result {
                Ok(answer) => format!("HTTP {}, {} bytes", answer.status, answer.body.len()),
                Err(e) => e.message().to_owned(),
            };
            format!("{name} {path}: {outcome} ({} ms)", sent.elapsed().as_millis())
        });
        crate::step();
        result
    }

    fn request<'a>(
        &self,
        method: Method,
        path_and_query: &str,
        body: SendBody<'a>,
        credential: Credential<'_>,
    ) -> std::result::Result<Request<SendBody<'a>>, ureq::http::Error> {
        let is_post = method == Method::POST;
        let mut request = Request::builder().method(method).uri(self.origin.uri(path_and_query)?);
        if is_post {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if self.chat_headers {
            request = request
                .header("x-kustomer", "kustomer")
                .header("x-kustomer-client", "kustomer-c")
                .header("x-kustomer-version", concat!("release-v", env!("CARGO_PKG_VERSION")));
        }
        if let Some(lang) = &self.lang {
            request = request.header(ACCEPT_LANGUAGE, lang);
        }
        let secret = |name: HeaderName, value: String| {
            HeaderValue::try_from(value).map(|mut value| {
                value.set_sensitive(true);
                (name, value)
            })
        };
        let header = match credential {
            Credential::None => None,
            Credential::TrackingToken(token) => {
                Some(secret(HeaderName::from_static("x-kustomer-tracking-token"), token.to_owned())?)
            }
            Credential::Bearer(key) => Some(secret(AUTHORIZATION, format!("Bearer {key}"))?),
        };
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        request.body(body)
    }

    fn read(&self, mut response: Response<Body>, exchange: &Exchange) -> Result<Answer> {
        let status = response.status().as_u16();
        if response.headers().len() > MOST_HEADERS {
            return Err(too_many_headers().with_status(status));
        }
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        // The end of the rate limit's window is told with other answers too, where it is no reason to wait.
        let reset = header("x-ratelimit-reset").filter(|_| status == 429);
        let now = SystemTime::now();
        let retry_after_ms = retry::retry_after_ms(header("retry-after"), reset, header("date"), now);
        let success = (200..300).contains(&status);
        let limit = if success { self.limit } else { self.limit.min(LONGEST_ERROR) };
        let coding = coding(response.headers()).map(|coding| self.logger.secrets.redact(coding));
        let body = self.read_body(response.body_mut(), limit, exchange);
        if success {
            let body = body.map_err(|e| if is_own(&e) { e } else { e.with_status(status) })?;
            return Ok(Answer { status, body, ended_with_connection: exchange.ended(), coding });
        }
        // The status decides, also when the body cannot be read; only what ends the call itself comes before it.
        let details = match body {
            Ok(body) => details(&body, |text| self.logger.secrets.redact(text)),
            Err(e) if is_own(&e) => return Err(e),
            Err(_) => Vec::new(),
        };
        Err(self.status_error(status, details, retry_after_ms))
    }

    fn read_body(&self, body: &mut Body, limit: u64, exchange: &Exchange) -> Result<Vec<u8>> {
        // What a length says is taken at its word only up to the limit.
        let expected = body.content_length().unwrap_or(0).min(limit);
        let mut bytes = Vec::new();
        bytes.try_reserve(usize::try_from(expected).unwrap_or(usize::MAX)).map_err(|_| no_memory())?;
        body.with_config()
            .limit(limit)
            .reader()
            .read_to_end(&mut bytes)
            .map_err(|e| self.explain(e.into(), exchange))?;
        Ok(bytes)
    }

    /// The error of an answer that is no success.
    fn status_error(&self, status: u16, details: Vec<Detail>, retry_after_ms: Option<u64>) -> Error {
        let kind = match status {
            401 | 403 => ErrorKind::Unauthorized,
            429 => ErrorKind::RateLimited,
            500..=599 => ErrorKind::Server,
            _ => ErrorKind::Http,
        };
        let again = match retry_after_ms {
            Some(ms @ 1..) => format!("try again in {} s", ms.div_ceil(1000)),
            _ => "try again later".to_owned(),
        };
        let said = self.said(status, &details);
        let (cause, remedy) = match status {
            // Source of the wording: Kustomer's documentation of its regions ("pods").
            _ if said.contains("associated with pod") => (
                "the key belongs to another region",
                "leave `base_url` out, so that the organisation's own host is asked",
            ),
            401 | 403 if self.chat_headers => (
                "the visitor's tracking token was not accepted",
                "check that the chat key and `base_url` are the same organisation's",
            ),
            401 | 403 => (
                "the API key was not accepted",
                "check that it has not expired, has the role org.permission.conversation.read and belongs to this organisation",
            ),
            404 => ("nothing is there", "check that the key and `base_url` are this organisation's"),
            408 => ("the service did not get the request in time", again.as_str()),
            429 if retry_after_ms.is_none() => {
                ("the organisation's rate limit is used up", "ask less often and try again later")
            }
            429 => ("the organisation's rate limit is used up", again.as_str()),
            300..=399 => (
                "redirects are not followed, and a portal (a Wi-Fi's login page) may have sent this one in its place",
                "check `base_url`, and with a browser whether this network wants a login",
            ),
            500..=599 => ("the service has trouble", again.as_str()),
            _ => ("the service did not accept the request", "check the options of the call"),
        };
        Error::new(kind, format!("{said}: {cause}; {remedy}"))
            .with_status(status)
            .with_details(details)
            .with_retry_after_ms(retry_after_ms)
    }

    /// What an answer is and what the service says in it, for the front of a message.
    pub fn said(&self, status: u16, details: &[Detail]) -> String {
        let said = details.iter().find_map(|d| d.message().or(d.title()));
        let said = said.map(|said| format!(" (\"{}\")", said.chars().take(LONGEST_QUOTE).collect::<String>()));
        format!("HTTP {status} from {}{}", self.origin.host(), said.unwrap_or_default())
    }

    fn cut_off(&self, doing: &str) -> Error {
        let host = self.origin.host();
        Error::new(
            ErrorKind::Network,
            format!("{host} ended the connection early, while this call was {doing}; check the network and try again"),
        )
    }

    /// What an error of ureq means. Why the sockets gave up comes first, since the error itself is wrapped
    /// differently by transport, rustls and gzip.
    fn explain(&self, error: ureq::Error, exchange: &Exchange) -> Error {
        let host = self.origin.host();
        if let Some(stop) = exchange.stop() {
            return exchange.stopped(stop);
        }
        if let Some(failure) = exchange.take_failure() {
            return failure;
        }
        let network = |why: &str| {
            Error::new(
                ErrorKind::Network,
                format!("the connection to {host} failed: {why}; check the network and try again"),
            )
        };
        match error {
            ureq::Error::Io(e) => match find::<rustls::Error>(&e) {
                Some(tls) => tls_error(host, tls),
                None if e.kind() == io::ErrorKind::OutOfMemory => no_memory(),
                None if e.kind() == io::ErrorKind::UnexpectedEof => self.cut_off(exchange.phase().doing()),
                None => network(&e.to_string()),
            },
            ureq::Error::Rustls(tls) => tls_error(host, &tls),
            ureq::Error::Tls(why) => {
                Error::new(ErrorKind::Tls, format!("the connection to {host} could not be secured: {why}"))
            }
            ureq::Error::LargeResponseHeader(..) => Error::new(
                ErrorKind::Limit,
                format!("the header of the answer of {host} is larger than {LONGEST_HEADER} bytes"),
            ),
            ureq::Error::BodyExceedsLimit(_) => Error::new(
                ErrorKind::Limit,
                format!(
                    "the answer of {host} is larger than {} bytes; raise `max_response_bytes` or lower `page_size`",
                    self.limit
                ),
            ),
            ureq::Error::Protocol(e) if e.to_string().contains("too many headers") => too_many_headers(),
            ureq::Error::Protocol(_) | ureq::Error::Decompress(..) | ureq::Error::BodyStalled if exchange.ended() => {
                self.cut_off(exchange.phase().doing())
            }
            ureq::Error::Protocol(e) => Error::new(
                ErrorKind::Decode,
                format!("what {host} answered is no HTTP: {}", self.logger.secrets.redact(e.to_string())),
            ),
            ureq::Error::BodyStalled => Error::new(ErrorKind::Decode, format!("what {host} answered is no HTTP")),
            ureq::Error::Decompress(..) => {
                Error::new(ErrorKind::Decode, format!("the answer of {host} is no whole gzip"))
            }
            other => {
                let why = self.logger.secrets.redact(other.to_string());
                let error = Error::new(ErrorKind::Internal, format!("an unexpected error of the HTTP layer: {why}"));
                self.logger.log(Level::Error, || error.message().to_owned());
                error
            }
        }
    }
}

impl Exchange {
    fn stopped(&self, stop: Stop) -> Error {
        self.call().stopped(stop, self.phase().doing())
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("host", &self.origin.host()).finish_non_exhaustive()
    }
}

/// Whether it is the call that had to end, whatever the service was saying.
pub(crate) fn is_own(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Cancelled)
}

/// Whether the service did not take the credential.
pub(crate) fn is_refusal(error: &Error) -> bool {
    error.http_status() == Some(401)
}

/// The error of a request that was sent more than once.
fn tried(error: Error, repeats: u32, last: Option<&Error>) -> Error {
    let Some(last) = last else { return error };
    let kind = error.kind();
    error.reworded(|message| match kind {
        ErrorKind::Timeout => format!("{message}; the last failure was: {last}"),
        _ => format!("{message} (tried {} times)", repeats + 1),
    })
}

fn no_memory() -> Error {
    Error::new(ErrorKind::Limit, "there is no memory for the answer; lower `max_response_bytes` or `page_size`")
}

fn too_many_headers() -> Error {
    Error::new(ErrorKind::Limit, format!("the answer has more than {MOST_HEADERS} headers"))
}

/// The error inside an I/O error, however often it was wrapped.
fn find<T: std::error::Error + 'static>(e: &io::Error) -> Option<&T> {
    let inner = e.get_ref()?;
    if let Some(found) = inner.downcast_ref::<T>() {
        return Some(found);
    }
    inner.downcast_ref::<io::Error>().and_then(find)
}

fn tls_error(host: &str, error: &rustls::Error) -> Error {
    use rustls::CertificateError as Certificate;
    let (why, remedy) = match error {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => (
                format!("its certificate is not valid yet by this device's clock, which says {}", clock()),
                "if that is wrong, set the clock",
            ),
            Certificate::Expired | Certificate::ExpiredContext { .. } => (
                format!("its certificate has expired by this device's clock, which says {}", clock()),
                "if that is wrong, set the clock",
            ),
            Certificate::UnknownIssuer => (
                "its certificate comes from an authority that is not trusted".to_owned(),
                "if a company proxy inspects traffic here, give its authority in `ca_file`",
            ),
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => (
                "its certificate is for another host".to_owned(),
                "check `base_url`, and whether a portal answers in its place",
            ),
            other => (format!("its certificate is not acceptable ({other:?})"), "check the server's certificate"),
        },
        rustls::Error::InvalidMessage(_) => (
            "it does not speak TLS".to_owned(),
            "check the port in `base_url`, and whether a portal answers in its place",
        ),
        other => (other.to_string(), "check `base_url` and what stands between this device and the service"),
    };
    Error::new(ErrorKind::Tls, format!("{host} could not be trusted: {why}; {remedy}"))
}

/// The time of this device's clock, for a message.
fn clock() -> String {
    httpdate::fmt_http_date(SystemTime::now())
}

/// The certificates of a PEM file, every one of which must be usable.
fn roots(file: &Path) -> Result<RootCerts> {
    let bad = |why: String| {
        Error::invalid(format!("`ca_file` {}: {why}; give a PEM file of certificate authorities", file.display()))
    };
    let pem = std::fs::read(file).map_err(|e| bad(format!("it cannot be read ({e})")))?;
    let mut store = rustls::RootCertStore::empty();
    let mut certificates = Vec::new();
    for der in CertificateDer::pem_slice_iter(&pem) {
        let number = certificates.len() + 1;
        let der = der.map_err(|_| bad(format!("its certificate number {number} is no PEM")))?;
        certificates.push(Certificate::from_der(&der).to_owned());
        store.add(der).map_err(|_| bad(format!("its certificate number {number} does not parse")))?;
    }
    if certificates.is_empty() {
        return Err(bad("it holds no certificate".to_owned()));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

/// The coding that ureq leaves in place: it takes gzip and chunks off, and of gzip the header too.
fn coding(headers: &HeaderMap) -> Option<String> {
    let undone = |name: HeaderName, does: &str| {
        let value = String::from_utf8_lossy(headers.get(name)?.as_bytes());
        (!value.eq_ignore_ascii_case(does)).then(|| value.into_owned())
    };
    undone(TRANSFER_ENCODING, "chunked").or_else(|| undone(CONTENT_ENCODING, "identity"))
}

/// Whether a body has a list of errors and no data.
fn is_error_list(body: &[u8]) -> bool {
    let [errors, data] = json::text(body).map_or([None; 2], |text| json::members(text, ["errors", "data"]));
    errors.is_some_and(|errors| json::array(errors, |_| ()).is_ok()) && data.is_none_or(json::is_null)
}

/// The service's own list of errors, in both of its shapes (source: Kustomer's documentation).
pub(crate) fn details(body: &[u8], redact: impl Fn(String) -> String) -> Vec<Detail> {
    let [errors] = json::text(body).map_or([None], |text| json::members(text.trim(), ["errors"]));
    let mut found = Vec::new();
    let listed = json::array(errors.unwrap_or("[]"), |element| {
        if found.len() < MOST_DETAILS && json::is_object(element) {
            found.push(detail(element, &redact));
        }
    });
    if listed.is_ok() { found } else { Vec::new() }
}

fn detail(element: &str, redact: impl Fn(String) -> String) -> Detail {
    let [code, title, detail, message, source] =
        json::members(element, ["code", "title", "detail", "message", "source"]);
    let text = |value: Option<&str>| -> Option<Text> {
        // A code may be a number; it is handed on as its digits.
        let value = value?;
        let number = json::integer(value).map(|_| value.trim_matches('"').to_owned());
        Some(redact(json::string(value).map(|s| s.into_owned()).or(number)?).into())
    };
    let source = source.filter(|source| !json::is_null(source));
    let [pointer, parameter] = source.map_or([None; 2], |source| json::members(source, ["pointer", "parameter"]));
    Detail {
        code: text(code),
        title: text(title),
        message: text(detail).or_else(|| text(message)),
        source: text(pointer)
            .or_else(|| text(parameter))
            .or_else(|| source.and_then(|json| Some(redact(unescaped(json)?).into()))),
    }
}

/// JSON whose escapes cannot hide a secret from whoever looks for it.
fn unescaped(json: &str) -> Option<String> {
    match json.contains('\\') {
        true => serde_json::from_str::<serde_json::Value>(json).ok().map(|value| value.to_string()),
        false => Some(json.to_owned()),
    }
}

/// `key=value` for a query, percent-encoded.
pub(crate) fn parameter(key: &str, value: &str) -> String {
    format!("{key}={}", percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_of_the_services_errors_are_read() {
        let body = br#"{"errors":[{"code":"a","message":"m","meta":{}},
            {"status":"401","code":401,"title":"t","detail":"d","message":"no","source":{"pointer":"/data/id"}},
            {"source":{"parameter":"page"}}, {"source":{"parameters":["a"]}}, {"detail":1e400,"source":null}, 7, null,
            {"source":["\u0061\"b\/"]}]}"#;
        let seen = details(body, |text| text);
        let seen: Vec<_> = seen.iter().map(|d| [d.code(), d.title(), d.message(), d.source()]).collect();
        assert_eq!(
            seen,
            [
                [Some("a"), None, Some("m"), None],
                [Some("401"), Some("t"), Some("d"), Some("/data/id")],
                [None, None, None, Some("page")],
                [None, None, None, Some(r#"{"parameters":["a"]}"#)],
                [None, None, None, None],
                [None, None, None, Some(r#"["a\"b/"]"#)],
            ]
        );
        for odd in [&b""[..], b"<html>", b"[]", b"{}", b"{\"errors\":{}}", b"{\"errors\":[", b"\xff"] {
            assert!(details(odd, |text| text).is_empty());
        }
        let many = format!("{{\"errors\":[{}{{}}]}}", "{},".repeat(500));
        assert_eq!(details(many.as_bytes(), |text| text).len(), MOST_DETAILS);
    }
}
