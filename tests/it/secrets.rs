//! Keys, tokens, login JWTs and proxy passwords are nobody's to see: not in log lines, errors or `Debug` output, also
//! when a server says them back, whole or in pieces; and they go to the client's own origin only.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use kustomer::{
    Auth, CallOptions, Cancel, Client, Error, ErrorKind, GetConversationsOptions, InitOptions, Level, Visitor,
};
use std::fmt::Debug;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, Once};
use std::thread::JoinHandle;

const LIST: &str = "/c/v1/chat/sessions";
const TOKEN: &str = "/c/v1/tracking/tokens/current";
const RESET: &str = "/c/v1/tracking/tokens";
const SETTINGS: &str = "/p/v1/chat/settings";
const IDENTITY: &str = "/c/v1/identity";

/// A piece of a secret that is as long as this counts as the secret.
const PIECE: usize = 16;

static KEY: LazyLock<String> = LazyLock::new(|| {
    let claims = URL_SAFE_NO_PAD.encode(r#"{"org":"5f1d0b7eab3e4f0012a40001","orgName":"acme","role":"org.tracking"}"#);
    format!("eyJhbGciOiJIUzI1NiJ9.{claims}.a2V5LXNpZ25hdHVyZS1rZXktc2lnbmF0dXJl")
});
const SAVED: &str = "saved0tracking0token0saved0tracking0token0saved";
const CURRENT: &str = "eyJ0eXAiOiJKV1QifQ.current0tracking0token0from0the0service.c2ln";
const JWT: &str = "eyJhbGciOiJub25lIn0.eyJleHRlcm5hbElkIjoiYWRhIn0.bG9naW4tand0LXNpZ25hdHVyZQ";
/// Long enough that pieces of it count; with characters that a URL has to encode.
const PASSWORD: &str = "correct/horse battery@staple";

/// Everything somebody could see of a client, and whether it showed a secret.
struct Witness {
    secrets: Vec<String>,
    seen: Mutex<Vec<String>>,
}

impl Witness {
    fn new(secrets: &[&str]) -> Arc<Witness> {
        Arc::new(Witness { secrets: secrets.iter().map(|&s| s.to_owned()).collect(), seen: Mutex::default() })
    }

    fn see(&self, text: impl Into<String>) {
        self.seen.lock().unwrap().push(text.into());
    }

    fn see_debug(&self, object: &dyn Debug) {
        self.see(format!("{object:?} {object:#?}"));
    }

    fn see_error(&self, error: &Error) {
        self.see(format!("{error} {}", error.message()));
        self.see_debug(error);
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            self.see(format!("{inner} {inner:?}"));
            source = inner.source();
        }
        for detail in error.details() {
            self.see_debug(detail);
            [detail.code(), detail.title(), detail.message(), detail.source()]
                .into_iter()
                .flatten()
                .for_each(|text| self.see(text));
        }
    }

    /// How many texts were seen, and in how many a secret was redacted.
    fn check(&self) -> (usize, usize) {
        let seen = self.seen.lock().unwrap();
        for text in seen.iter() {
            if let Some(shown) = self.secrets.iter().find_map(|secret| shown(text, secret)) {
                panic!("{shown:?} is seen in {text}");
            }
        }
        (seen.len(), seen.iter().filter(|text| text.contains("[redacted]")).count())
    }
}

/// The piece of the secret that a text shows.
fn shown<'a>(text: &str, secret: &'a str) -> Option<&'a str> {
    let last = secret.len().saturating_sub(PIECE);
    (0..=last).map(|at| &secret[at..secret.len().min(at + PIECE)]).find(|piece| text.contains(piece))
}

#[test]
fn the_witness_knows_a_secret_by_any_piece_of_it() {
    assert_eq!(shown(&format!("x{}y", &JWT[20..36]), JWT), Some(&JWT[20..36]));
    assert_eq!(shown(&format!("x{}y", &JWT[20..35]), JWT), None);
    assert_eq!(shown("a hunter2 b", "hunter2"), Some("hunter2"));
    assert_eq!(shown("a hunter", "hunter2"), None);
}

/// What goes through the `log` crate under this library's name, at every level.
struct OwnRecords {
    own: Mutex<Vec<String>>,
    others: AtomicUsize,
}

impl log::Log for OwnRecords {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        // What the libraries underneath write there is theirs; the README says so.
        match record.target().starts_with("kustomer") {
            true => self.own.lock().unwrap().push(record.args().to_string()),
            false => drop(self.others.fetch_add(1, Ordering::Relaxed)),
        }
    }

    fn flush(&self) {}
}

static RECORDS: OwnRecords = OwnRecords { own: Mutex::new(Vec::new()), others: AtomicUsize::new(0) };

fn listen_to_the_log_crate() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&RECORDS).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
        log::trace!(target: "kustomer-test", "listening");
    });
}

fn check_the_log_crate(witness: &Witness) {
    let own = RECORDS.own.lock().unwrap();
    assert!(own.iter().any(|line| line == "listening"));
    assert!(RECORDS.others.load(Ordering::Relaxed) > 0, "the libraries underneath log at trace level");
    own.iter().for_each(|line| witness.see(line.as_str()));
}

/// A server of bytes: each connection gets one answer and is closed.
struct Server {
    port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            loop {
                let (mut socket, _) = listener.accept().unwrap();
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let request = read_request(&mut socket);
                // The client may not want to hear all of it.
                let _ = socket.write_all(&answer(&request));
            }
        });
        Server { port, stop, thread: Some(thread) }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
    }
}

fn read_request(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text.into_owned();
            }
        }
        match socket.read(&mut buffer) {
            Ok(read) if read > 0 => bytes.extend_from_slice(&buffer[..read]),
            _ => return String::new(),
        }
    }
}

fn answer(head: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// What the next requests to these paths get, in this order.
type Plan = Vec<(&'static str, Vec<u8>)>;

/// What a service would say to a request.
fn usual(request: &str) -> Vec<u8> {
    let body = match path(request) {
        SETTINGS => r#"{"data":{"attributes":{"enabled":true}}}"#.to_owned(),
        TOKEN | RESET => {
            format!(r#"{{"data":{{"attributes":{{"trackingId":"visitor","token":"{CURRENT}","verified":false}}}}}}"#)
        }
        _ => r#"{"data":[]}"#.to_owned(),
    };
    answer("200 OK", &body)
}

fn path(request: &str) -> &str {
    request.split([' ', '?']).nth(1).unwrap_or_default()
}

/// All that a server may do with what it wants to be seen.
fn ways_to_say(echo: &str) -> Vec<Vec<u8>> {
    let json = serde_json::Value::from(echo);
    let html = format!("<!doctype html><title>{echo}</title><p>{echo}");
    let errors = format!(
        r#"{{"errors":[{{"code":{json},"title":{json},"detail":{json},"source":{{"pointer":{json}}}}},
            {{"message":{json},"source":{{"parameter":{json}}}}},{{"title":{json},"source":{{"parameters":[{json}]}}}},
            {{"code":{json},"source":{json}}}]}}"#
    );
    let mut ways = Vec::new();
    for status in [200, 400, 401, 403, 404, 408, 409, 413, 429, 500, 501, 503, 999] {
        ways.push(answer(&format!("{status} {echo}"), &errors));
        ways.push(answer(&format!("{status} {echo}\r\nContent-Type: text/html"), &html));
    }
    for header in
        ["Retry-After", "Date", "X-RateLimit-Reset", "Content-Type", "WWW-Authenticate", "Set-Cookie", "X-Echo"]
    {
        ways.push(answer(&format!("429 No\r\n{header}: {echo}"), &errors));
    }
    for header in ["Content-Encoding", "Transfer-Encoding", "Content-Length", "Connection"] {
        ways.push(format!("HTTP/1.1 200 OK\r\n{header}: {echo}\r\n\r\n{html}").into_bytes());
    }
    for status in [300, 301, 302, 303, 304, 307, 308] {
        ways.push(answer(&format!("{status} {echo}\r\nLocation: https://elsewhere.test/?{echo}"), &html));
    }
    // Documents of another shape, and of the right one with the echo in its texts.
    for body in [
        json.to_string(),
        format!("{{\"{echo}\":{json}}}"),
        format!(r#"{{"data":{json}}}"#),
        format!(r#"{{"data":{{"attributes":{{"enabled":true,"teamName":{json},"greeting":{json},"x":{json}}}}}}}"#),
        format!(r#"{{"data":{{"attributes":{{"trackingId":{json},"token":"{CURRENT}","verified":{json}}}}}}}"#),
        format!(r#"{{"data":{{"attributes":{{"trackingId":{json},"token":{json}}}}}}}"#),
        format!(r#"{{"data":[{{"id":{json},"attributes":{{"preview":{json},"name":{json},"createdAt":{json}}}}}]}}"#),
        format!(r#"{{"data":[],"links":{{"next":{json}}},"meta":{{"page":{json},"total":{json}}}}}"#),
        format!(r#"{{"data":[{json}],"links":{{"next":[{json}]}}}}"#),
    ] {
        ways.push(answer("200 OK", &body));
    }
    // What is no HTTP, no gzip, no chunks, and what ends early.
    ways.push(format!("{echo}\r\n\r\n").into_bytes());
    ways.push(format!("HTTP/1.1 {echo}\r\n\r\n").into_bytes());
    ways.push(format!("HTTP/1.1 200 OK\r\n{echo}\r\n\r\n").into_bytes());
    ways.push(format!("HTTP/1.1 200 OK\r\n{echo}: 1\r\nX\r\n\r\n").into_bytes());
    ways.push(format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 400\r\n\r\n{html}").into_bytes());
    ways.push(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{echo}\r\n{html}").into_bytes());
    ways.push(
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n{echo}\r\n\r\n").into_bytes(),
    );
    ways.push(format!("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{html}").into_bytes());
    ways.push(format!("HTTP/1.1 200 OK\r\nX-Echo: {echo}").into_bytes());
    ways
}

/// The secrets in one text: whole, in pieces as short as they may be, and with what a careless server puts around them.
fn echoes(secrets: &[&str]) -> Vec<String> {
    let each = |piece: fn(&str) -> String| secrets.iter().map(|s| piece(s)).collect::<Vec<_>>().join(" ");
    vec![
        each(str::to_owned),
        each(|s| format!("{}... ...{}", &s[..PIECE], &s[s.len() - PIECE..])),
        each(|s| format!("Bearer {}", &s[7..7 + PIECE])),
        each(|s| format!("\"{s}\"\t'{s}'{s}{s}")),
        format!("{}{}", "x".repeat(190), each(str::to_owned)), // where a quotation is cut
    ]
}

fn options(witness: &Arc<Witness>, url: String) -> InitOptions {
    let (log, hook) = (witness.clone(), witness.clone());
    InitOptions {
        api_key: KEY.clone(),
        base_url: Some(url),
        tracking_token: Some(SAVED.to_owned()),
        proxy: Some(String::new()),
        max_retries: -1,
        lazy_init: true,
        log: Some(Box::new(move |_, line| log.see(line))),
        log_level: Level::Debug,
        on_visitor: Some(Box::new(move |visitor: &Visitor| hook.see_debug(visitor))),
        ..InitOptions::default()
    }
}

/// All public objects of a client that somebody might print.
fn see_objects(witness: &Witness, client: &Client) {
    witness.see_debug(client);
    witness.see_debug(&client.settings());
    witness.see_debug(&client.visitor());
    witness.see_debug(&client.pages(&GetConversationsOptions::default()));
}

fn list(witness: &Witness, client: &Client) -> Result<(), Error> {
    let page = client.get_conversations(&GetConversationsOptions { keep_json: true, ..Default::default() })?;
    witness.see_debug(&page);
    page.conversations().for_each(|c| witness.see_debug(&c));
    witness.see_debug(&page.pages());
    Ok(())
}

/// Whether all combinations are wanted.
fn full() -> bool {
    std::env::var_os("KUSTOMER_TEST_FULL").is_some_and(|value| value == "1")
}

#[test]
fn a_server_that_says_secrets_back_is_not_quoted() {
    listen_to_the_log_crate();
    let secrets = [KEY.as_str(), SAVED, CURRENT, JWT];
    let witness = Witness::new(&secrets);
    let planned = Arc::new(Mutex::new(Plan::new()));
    let plan = planned.clone();
    let server = Server::start(move |request| {
        let mut plan = plan.lock().unwrap();
        match plan.first() {
            Some((at, _)) if *at == path(request) => plan.remove(0).1,
            _ => usual(request),
        }
    });
    let none = CallOptions::default();
    let (mut cases, mut failures) = (0, 0);
    for (i, echo) in echoes(&secrets).into_iter().enumerate() {
        for (j, said) in ways_to_say(&echo).into_iter().enumerate() {
            for (k, route) in [SETTINGS, TOKEN, LIST, IDENTITY, RESET].into_iter().enumerate() {
                // Each echo meets each route and each way, though not in every combination.
                if !full() && (j + k) % 5 != i {
                    continue;
                }
                let client = Client::init(options(&witness, server.url())).unwrap();
                client.login(JWT, &none).unwrap();
                *planned.lock().unwrap() = match route {
                    TOKEN => vec![(LIST, answer("401 No", "")), (TOKEN, said.clone())],
                    _ => vec![(route, said.clone())],
                };
                let done = match route {
                    IDENTITY => client.login(JWT, &none),
                    RESET => client.logout(&none),
                    _ => list(&witness, &client),
                };
                assert!(planned.lock().unwrap().is_empty(), "{route} was asked for");
                if let Err(e) = &done {
                    assert_ne!(e.kind(), ErrorKind::Internal, "{e}");
                    witness.see_error(e);
                    failures += 1;
                }
                see_objects(&witness, &client);
                cases += 1;
            }
        }
    }
    check_the_log_crate(&witness);
    let (seen, redacted) = witness.check();
    println!("{cases} answers, {failures} errors, {seen} texts looked at, {redacted} with something redacted");
    assert!(failures > cases / 2 && redacted > failures / 4);
}

#[test]
fn an_api_key_is_not_quoted_either_and_what_is_tried_again_is_logged_without_it() {
    listen_to_the_log_crate();
    const SERVER_KEY: &str = "server-key-server-key-0123456789";
    let witness = Witness::new(&[SERVER_KEY]);
    let server = Server::start(|request| {
        let key = request.split_once("Bearer ").and_then(|(_, rest)| rest.lines().next()).unwrap().to_owned();
        let errors = format!(r#"{{"errors":[{{"code":"{key}","detail":"{key}"}}]}}"#);
        answer(&format!("503 {key}\r\nRetry-After: 0\r\nX-Echo: {key}"), &errors)
    });
    let client = Client::init(InitOptions {
        api_key: SERVER_KEY.to_owned(),
        auth: Auth::ApiKey,
        tracking_token: None,
        max_retries: 2,
        ..options(&witness, server.url())
    })
    .unwrap();
    let options = GetConversationsOptions { customer_id: Some("c".to_owned()), ..Default::default() };
    let error = client.get_conversations(&options).unwrap_err();
    assert!(error.message().contains("[redacted]") && error.message().contains("tried 3 times"), "{error}");
    witness.see_error(&error);
    witness.see_debug(&client);
    let (seen, redacted) = witness.check();
    assert!(seen > 8 && redacted > 5, "{seen} {redacted}");
}

#[test]
fn a_proxy_that_says_its_password_back_is_not_quoted() {
    listen_to_the_log_crate();
    let userinfo = STANDARD.encode(format!("user:{PASSWORD}"));
    let encoded = percent_encoding::utf8_percent_encode(PASSWORD, percent_encoding::NON_ALPHANUMERIC).to_string();
    let secrets = [PASSWORD, userinfo.as_str(), encoded.as_str()];
    let witness = Witness::new(&[&secrets[..], &[KEY.as_str(), SAVED]].concat());
    let said: Arc<Mutex<Vec<u8>>> = Arc::default();
    let next = said.clone();
    let proxy = Server::start(move |request| {
        assert!(request.starts_with("CONNECT ") && !request.contains(SAVED), "{request}");
        next.lock().unwrap().clone()
    });
    let through = |url: &str| InitOptions {
        proxy: Some(format!("http://user:{encoded}@127.0.0.1:{}", proxy.port)),
        ..options(&witness, url.to_owned())
    };
    witness.see_debug(&through("https://acme.test"));
    let mut cases = 0;
    for echo in echoes(&secrets) {
        let connected = format!("HTTP/1.1 200 Connected\r\n\r\n{echo}").into_bytes();
        let refused =
            format!("HTTP/1.1 407 {echo}\r\nProxy-Authenticate: Basic realm=\"{echo}\"\r\n\r\n{echo}").into_bytes();
        for way in ways_to_say(&echo).into_iter().chain([connected, refused]) {
            for url in ["https://acme.test", "http://localhost:1"] {
                *said.lock().unwrap() = way.clone();
                let client = Client::init(through(url)).unwrap();
                witness.see_error(&list(&witness, &client).unwrap_err());
                witness.see_debug(&client);
                cases += 1;
            }
        }
    }
    let (seen, _) = witness.check();
    println!("{cases} answers of a proxy, {seen} texts looked at");
    assert!(seen > 4 * cases);
}

#[test]
fn options_that_are_refused_are_not_quoted_where_they_are_secret() {
    let secrets = ["hunter2-hunter2-hunter2", "user:hunter2-hunter2-hunter2", SAVED, JWT, KEY.as_str()];
    let witness = Witness::new(&secrets);
    let usual = || options(&witness, "https://acme.test".to_owned());
    let long = |secret: &str| secret.repeat(16 * 1024 / secret.len() + 1);
    for refused in [
        InitOptions { api_key: format!("{} ", *KEY), ..usual() },
        InitOptions { api_key: format!("{}.x", *KEY), ..usual() },
        InitOptions { api_key: JWT.to_owned(), ..usual() },
        InitOptions { api_key: long(&KEY), ..usual() },
        InitOptions { tracking_token: Some(format!("{SAVED}\n")), ..usual() },
        InitOptions { tracking_token: Some(long(SAVED)), ..usual() },
        InitOptions { auth: Auth::ApiKey, ..usual() },
        InitOptions { base_url: Some("https://user:hunter2-hunter2-hunter2@acme.test".to_owned()), ..usual() },
        InitOptions { base_url: Some(format!("https://acme.test/?{JWT}")), ..usual() },
        InitOptions { proxy: Some("socks5://user:hunter2-hunter2-hunter2@p".to_owned()), ..usual() },
        InitOptions { proxy: Some("http://user:hunter2-hunter2-hunter2@p:0".to_owned()), ..usual() },
        InitOptions { proxy: Some("http://user:hunter2-hunter2-hunter2@p/x".to_owned()), ..usual() },
        InitOptions { proxy: Some("http://user:hunter2-hunter2-hunter2@p\u{e9}".to_owned()), ..usual() },
        InitOptions { proxy: Some("http://user:hunter2-hunter2-hunter2%0a@p".to_owned()), ..usual() },
    ] {
        witness.see_debug(&refused);
        let error = Client::init(refused).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        witness.see_error(&error);
    }
    let client = Client::init(usual()).unwrap();
    for jwt in [format!("{JWT} "), format!("{JWT}\u{e9}"), long(JWT)] {
        witness.see_error(&client.login(&jwt, &CallOptions::default()).unwrap_err());
    }
    let options = GetConversationsOptions { cancel: Some(Cancel::new()), ..Default::default() };
    witness.see_debug(&options);
    witness.see_debug(&CallOptions { cancel: options.cancel, ..Default::default() });
    assert!(witness.check().0 > 40);
}

#[test]
fn no_credential_goes_to_another_host() {
    let witness = Witness::new(&[KEY.as_str(), SAVED, CURRENT, JWT]);
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let elsewhere = other.local_addr().unwrap().to_string();
    let planned: Arc<Mutex<Option<Vec<u8>>>> = Arc::default();
    let plan = planned.clone();
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    let server = Server::start(move |request| {
        count.fetch_add(1, Ordering::SeqCst);
        plan.lock().unwrap().take().unwrap_or_else(|| usual(request))
    });
    let client = Client::init(options(&witness, server.url())).unwrap();
    list(&witness, &client).unwrap();
    let none = CallOptions::default();
    let calls: [&dyn Fn() -> Result<(), Error>; 3] =
        [&|| list(&witness, &client), &|| client.login(JWT, &none), &|| client.logout(&none)];
    for status in [301, 302, 303, 307, 308] {
        for location in
            [format!("http://{elsewhere}{LIST}"), format!("//{elsewhere}/"), format!("http://u:p@{elsewhere}")]
        {
            for call in calls {
                // After a logout that failed there is no token.
                list(&witness, &client).unwrap();
                let before = requests.load(Ordering::SeqCst);
                *planned.lock().unwrap() = Some(answer(&format!("{status} Found\r\nLocation: {location}"), ""));
                let error = call().unwrap_err();
                assert_eq!((error.kind(), error.http_status()), (ErrorKind::Http, Some(status)), "{error}");
                assert_eq!(requests.load(Ordering::SeqCst), before + 1, "a redirect is not followed, nor repeated");
                witness.see_error(&error);
            }
        }
    }
    list(&witness, &client).unwrap();
    // Of a link the page's number counts, and nothing else.
    let link = format!(r#"{{"data":[],"links":{{"next":"http://u:p@{elsewhere}{LIST}?page=2"}}}}"#);
    *planned.lock().unwrap() = Some(answer("200 OK", &link));
    let pages: Vec<_> = client.pages(&Default::default()).unwrap().map(|page| page.unwrap().pages().current).collect();
    assert_eq!(pages, [1, 2]);
    other.set_nonblocking(true).unwrap();
    assert_eq!(other.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "nobody came");
    witness.check();
}
