//! The Rust API against the sandbox.

use crate::sandbox::{Answer, Options, Sandbox};
use kustomer::{Auth, Cancel, Client, ErrorKind, GetConversationsOptions, InitOptions, Level, Visitor};
use std::io::Read as _;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

pub const LIST: &str = "/c/v1/chat/sessions";
pub const TOKEN: &str = "/c/v1/tracking/tokens/current";
pub const SETTINGS: &str = "/p/v1/chat/settings";

pub fn sandbox() -> Sandbox {
    Sandbox::start(Options::default())
}

/// The returning visitor, over HTTPS.
pub fn options(sandbox: &Sandbox) -> InitOptions {
    InitOptions {
        api_key: sandbox.chat_key(),
        base_url: Some(sandbox.https_url()),
        ca_file: Some(sandbox.ca_file().to_owned()),
        tracking_token: Some(sandbox.tracking_token()),
        proxy: Some(String::new()),
        max_retries: -1,
        ..InitOptions::default()
    }
}

pub fn client(sandbox: &Sandbox) -> Client {
    Client::init(options(sandbox)).unwrap()
}

pub fn all() -> GetConversationsOptions {
    GetConversationsOptions::default()
}

pub fn paths(sandbox: &Sandbox) -> Vec<String> {
    sandbox.requests().into_iter().map(|seen| seen.path).collect()
}

pub fn kind<T: std::fmt::Debug>(result: kustomer::Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

#[test]
fn the_first_list_takes_three_requests_on_one_connection() {
    let sandbox = sandbox();
    let page = client(&sandbox).get_conversations(&all()).unwrap();
    assert_eq!(page.len(), 100);
    assert_eq!((page.total(), page.skipped(), page.pages().next), (Some(250), 0, Some(2)));
    assert_eq!(paths(&sandbox), [SETTINGS, TOKEN, LIST]);
    assert_eq!(sandbox.connections(), 1);
}

#[test]
fn requests_carry_what_the_service_wants_and_no_key() {
    let sandbox = sandbox();
    let client = Client::init(InitOptions {
        lang: Some("de".to_owned()),
        brand_id: Some("b&x=1 ".to_owned()),
        user_agent: Some("kiosk/2.1".to_owned()),
        ..options(&sandbox)
    })
    .unwrap();
    client.get_conversations(&GetConversationsOptions { page: 2, page_size: 25, active_only: true, ..all() }).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let requests = sandbox.requests();
    for seen in &requests {
        assert_eq!(seen.header("x-kustomer"), Some("kustomer"));
        assert_eq!(seen.header("x-kustomer-client"), Some("kustomer-c"));
        assert_eq!(seen.header("x-kustomer-version"), Some(format!("release-v{version}").as_str()));
        assert_eq!(seen.header("accept-language"), Some("de"));
        assert_eq!(seen.header("accept-encoding"), Some("gzip"));
        assert_eq!(seen.header("accept"), Some("application/json"));
        assert_eq!(seen.header("user-agent"), Some(format!("kiosk/2.1 kustomer-c/{version}").as_str()));
        assert_eq!(seen.header("authorization"), None);
        assert!(!format!("{seen:?}").contains(&sandbox.chat_key()));
    }
    assert_eq!(requests[0].query, "lang=de");
    assert_eq!(requests[0].header("x-kustomer-tracking-token"), None);
    assert_eq!(requests[1].header("x-kustomer-tracking-token"), Some(sandbox.tracking_token().as_str()));
    assert_eq!(requests[2].query, "page=2&pageSize=25&active=true&brandId=b%26x%3D1%20");
}

#[test]
fn a_lazy_client_sends_nothing_until_its_first_call() {
    let sandbox = sandbox();
    let client = Client::init(InitOptions { lazy_init: true, ..options(&sandbox) }).unwrap();
    assert!(sandbox.requests().is_empty() && client.settings().is_none() && client.visitor().is_none());
    client.get_conversations(&all()).unwrap();
    assert_eq!(paths(&sandbox), [SETTINGS, TOKEN, LIST]);
    assert!(client.settings().is_some() && client.visitor().is_some());
}

pub fn told(told: &Arc<Mutex<Vec<Visitor>>>) -> Option<kustomer::VisitorFn> {
    let told = told.clone();
    Some(Box::new(move |visitor: &Visitor| told.lock().unwrap().push(visitor.clone())))
}

#[test]
fn a_saved_token_brings_its_visitor_back_and_the_hook_hears_of_new_ones_only() {
    let sandbox = sandbox();
    let seen = Arc::default();
    let new = Client::init(InitOptions { tracking_token: None, on_visitor: told(&seen), ..options(&sandbox) }).unwrap();
    assert!(new.get_conversations(&all()).unwrap().is_empty());
    let token = seen.lock().unwrap()[0].tracking_token().unwrap().to_owned();
    sandbox.add_conversations(new.visitor().unwrap().tracking_id().unwrap(), 3);
    let back = Client::init(InitOptions { tracking_token: Some(token), on_visitor: told(&seen), ..options(&sandbox) })
        .unwrap();
    assert_eq!(back.get_conversations(&all()).unwrap().len(), 3);
    assert_eq!(back.visitor().unwrap().tracking_id(), new.visitor().unwrap().tracking_id());
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[test]
fn a_refused_saved_token_makes_a_new_visitor_with_a_warning() {
    let sandbox = sandbox();
    let (seen, lines) = (Arc::default(), Arc::new(Mutex::new(Vec::new())));
    let kept = lines.clone();
    let client = Client::init(InitOptions {
        tracking_token: Some("eyJhbGciOiJIUzI1NiJ9.e30.junk".to_owned()),
        on_visitor: told(&seen),
        log: Some(Box::new(move |level, line| kept.lock().unwrap().push((level, line.to_owned())))),
        ..options(&sandbox)
    })
    .unwrap();
    assert!(client.get_conversations(&all()).unwrap().is_empty());
    assert_eq!(seen.lock().unwrap().len(), 1);
    let lines = lines.lock().unwrap();
    assert!(lines.len() == 1 && lines[0].0 == Level::Warning && lines[0].1.contains("refused"), "{lines:?}");
}

#[test]
fn a_walk_delivers_every_row_once_in_the_services_order() {
    let sandbox = sandbox();
    let client = client(&sandbox);
    let pages: Vec<_> = client.pages(&all()).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(pages.iter().map(|p| p.len()).collect::<Vec<_>>(), [100, 100, 50]);
    let ids: std::collections::HashSet<_> = pages.iter().flat_map(|p| p.conversations()).map(|c| c.id()).collect();
    assert_eq!(ids.len(), 250);
    let mut times: Vec<_> =
        pages.iter().flat_map(|p| p.conversations()).filter_map(|c| c.last_message_at_ms()).collect();
    assert!(times.len() > 200);
    let delivered = times.clone();
    times.sort_by_key(|ms| std::cmp::Reverse(*ms));
    assert_eq!(delivered, times);
}

#[test]
fn a_row_that_moves_while_one_walks_is_delivered_once_and_counted() {
    let sandbox = sandbox();
    let client = client(&sandbox);
    let mut pages = client.pages(&all()).unwrap();
    let first = pages.next().unwrap().unwrap();
    // A new conversation pushes the last row of the first page onto the second.
    sandbox.add_conversations(&sandbox.tracking_id(), 1);
    let second = pages.next().unwrap().unwrap();
    assert_eq!((second.len(), second.skipped()), (99, 1));
    assert!(second.conversations().all(|c| c.id() != first.conversation(99).unwrap().id()));
}

#[test]
fn max_pages_ends_a_walk_and_the_end_stays_the_end() {
    let sandbox = sandbox();
    let client = client(&sandbox);
    let mut pages = client.pages(&GetConversationsOptions { max_pages: 2, page_size: 50, ..all() }).unwrap();
    assert_eq!(pages.by_ref().count(), 2);
    assert!(pages.next().is_none() && pages.next().is_none());
}

#[test]
fn a_page_that_fails_is_asked_for_again() {
    let sandbox = sandbox();
    let client = client(&sandbox);
    let mut pages = client.pages(&all()).unwrap();
    pages.next().unwrap().unwrap();
    sandbox.answer_next(LIST, Answer::json(503, r#"{"errors":[{"code":"down","detail":"back soon"}]}"#));
    let error = pages.next().unwrap().unwrap_err();
    assert_eq!((error.kind(), error.http_status(), error.retryable()), (ErrorKind::Server, Some(503), true));
    assert_eq!((error.details()[0].code(), error.details()[0].message()), (Some("down"), Some("back soon")));
    assert!(error.message().starts_with("HTTP 503") && error.message().contains("back soon"), "{error}");
    assert_eq!(pages.map(|page| page.unwrap().len()).collect::<Vec<_>>(), [100, 50]);
}

#[test]
fn a_walk_ends_when_next_points_back() {
    let sandbox = sandbox();
    let client = client(&sandbox);
    sandbox.answer_next(LIST, Answer::json(200, r#"{"data":[{"id":"a"}],"links":{"next":"/c?page=2"}}"#));
    sandbox.answer_next(LIST, Answer::json(200, r#"{"data":[{"id":"b"}],"links":{"next":"/c?page=1"}}"#));
    let mut pages = client.pages(&all()).unwrap();
    assert_eq!(pages.next().unwrap().unwrap().len(), 1);
    assert_eq!(kind(pages.next().unwrap()), ErrorKind::Decode);
}

#[test]
fn a_walk_that_does_not_end_is_stopped_after_a_thousand_pages_unless_more_were_asked_for() {
    let sandbox = sandbox();
    let client = client(&sandbox);
    let endless = |pages: i32| {
        for page in 1..=pages {
            let body = format!(r#"{{"data":[{{"id":"{page}"}}],"links":{{"next":"/c?page={}"}}}}"#, page + 1);
            sandbox.answer_next(LIST, Answer::json(200, body));
        }
    };
    endless(1000);
    let mut pages = client.pages(&all()).unwrap();
    assert_eq!(pages.by_ref().take(1000).filter(|page| page.is_ok()).count(), 1000);
    assert_eq!(kind(pages.next().unwrap()), ErrorKind::Limit);
    endless(1001);
    let more = GetConversationsOptions { max_pages: 1001, ..all() };
    assert_eq!(client.pages(&more).unwrap().map(|page| page.unwrap().len()).sum::<usize>(), 1001);
}

#[test]
fn an_expired_token_is_renewed_once_also_in_the_middle_of_a_walk() {
    let sandbox = sandbox();
    let client = client(&sandbox);
    let mut pages = client.pages(&all()).unwrap();
    pages.next().unwrap().unwrap();
    sandbox.expire_tokens();
    sandbox.clear_requests();
    assert_eq!(pages.next().unwrap().unwrap().len(), 100);
    assert_eq!(paths(&sandbox), [LIST, TOKEN, LIST]);
}

#[test]
fn a_renewal_that_names_another_visitor_ends_the_call() {
    let sandbox = sandbox();
    let seen = Arc::default();
    let client = Client::init(InitOptions { on_visitor: told(&seen), ..options(&sandbox) }).unwrap();
    sandbox.set_renews_expired(false);
    sandbox.expire_tokens();
    assert_eq!(kind(client.get_conversations(&all())), ErrorKind::Unauthorized);
    assert_eq!(seen.lock().unwrap().len(), 1);
    assert!(client.get_conversations(&all()).unwrap().is_empty());
}

#[test]
fn no_history_asks_for_active_conversations_only() {
    let sandbox = Sandbox::start(Options { no_history: true, ..Options::default() });
    let client = client(&sandbox);
    assert_eq!(client.settings().unwrap().no_history(), Some(true));
    let page = client.get_conversations(&all()).unwrap();
    assert!(!page.is_empty() && page.conversations().all(|c| c.ended() == Some(false)));
}

#[test]
fn an_api_key_lists_the_conversations_of_the_customer_a_call_names() {
    let sandbox = sandbox();
    let server =
        InitOptions { api_key: sandbox.api_key(), auth: Auth::ApiKey, tracking_token: None, ..options(&sandbox) };
    let client = Client::init(server).unwrap();
    assert!(sandbox.requests().is_empty());
    let page = client.get_conversations(&GetConversationsOptions { customer_id: Some(sandbox.customer_id()), ..all() });
    assert_eq!(page.unwrap().len(), 100);
    let seen = &sandbox.requests()[0];
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {}", sandbox.api_key()).as_str()));
    assert_eq!((seen.path.as_str(), seen.header("x-kustomer")), ("/v2.1/chat/sessions", None));
    assert_eq!(kind(client.get_conversations(&all())), ErrorKind::InvalidArgument);
    assert!(client.settings().is_none() && client.visitor().is_none());
}

#[test]
fn a_kept_connection_that_the_server_closed_is_not_the_callers_concern() {
    let sandbox = sandbox();
    let client = client(&sandbox);
    for _ in 0..5 {
        sandbox.drop_next(LIST);
        assert_eq!(client.get_conversations(&all()).unwrap().len(), 100);
    }
}

#[test]
fn a_kept_connection_that_tls_closes_as_it_is_used_again_is_not_the_callers_concern() {
    use std::io::Write as _;
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let ca_file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(ca_file.path(), certificate.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(certificate.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key.into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = Some(format!("https://localhost:{}", listener.local_addr().unwrap().port()));
    let config = Arc::new(config);
    let server = std::thread::spawn(move || {
        type Tls = rustls::StreamOwned<rustls::ServerConnection, std::net::TcpStream>;
        fn read_request(tls: &mut Tls) -> bool {
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if tls.read(&mut byte).unwrap_or(0) == 0 {
                    return false;
                }
                seen.push(byte[0]);
            }
            true
        }
        for _ in 0..2 {
            let (socket, _) = listener.accept().unwrap();
            let mut tls = Tls::new(rustls::ServerConnection::new(config.clone()).unwrap(), socket);
            assert!(read_request(&mut tls));
            let body = r#"{"data":[]}"#;
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            tls.write_all(answer.as_bytes()).unwrap();
            if read_request(&mut tls) {
                tls.conn.send_close_notify();
                tls.flush().unwrap();
            }
        }
    });
    let api_key = "server-key".to_owned();
    let ca_file = Some(ca_file.path().to_owned());
    let proxy = Some(String::new());
    let client =
        Client::init(InitOptions { api_key, auth: Auth::ApiKey, base_url, ca_file, proxy, ..InitOptions::default() });
    let client = client.unwrap();
    let options = GetConversationsOptions { customer_id: Some("c".to_owned()), ..all() };
    for _ in 0..2 {
        assert!(client.get_conversations(&options).unwrap().is_empty());
    }
    drop(client);
    server.join().unwrap();
}

#[test]
fn statuses_and_bodies_have_their_kinds() {
    let sandbox = sandbox();
    let client = client(&sandbox);
    for (status, body, expected) in [
        (200, "<html>portal</html>", ErrorKind::Decode),
        (200, "", ErrorKind::Decode),
        (200, "[]", ErrorKind::Decode),
        (200, r#"{"data":null}"#, ErrorKind::Decode),
        (200, r#"{"errors":[{"code":"x"}]}"#, ErrorKind::Http),
        (200, r#"{"errors":[],"data":null}"#, ErrorKind::Http),
        (201, r#"{"data":[],"links":{"next":7}}"#, ErrorKind::Decode),
        (302, "", ErrorKind::Http),
        (400, "{}", ErrorKind::Http),
        (403, "", ErrorKind::Unauthorized),
        (404, "<html>", ErrorKind::Http),
        (429, "", ErrorKind::RateLimited),
        (500, "", ErrorKind::Server),
        (599, "", ErrorKind::Server),
        (999, "", ErrorKind::Http),
    ] {
        sandbox.answer_next(LIST, Answer::json(status, body));
        let error = client.get_conversations(&all()).unwrap_err();
        assert_eq!((error.kind(), error.http_status()), (expected, Some(status)), "{body}: {error}");
    }
}

#[test]
fn what_a_server_echoes_of_a_secret_is_redacted() {
    let sandbox = sandbox();
    let client = client(&sandbox);
    let token = client.visitor().unwrap().tracking_token().unwrap().to_owned();
    let part = &token[3..40];
    let body = serde_json::json!({"errors": [{"code": token, "title": part, "detail": format!("bad {token}"), "source": {"pointer": token}}]});
    sandbox.answer_next(LIST, Answer::json(400, body.to_string()));
    let error = client.get_conversations(&all()).unwrap_err();
    let seen = format!("{error} {error:?} {client:?} {:?}", client.visitor());
    assert!(!seen.contains(part) && seen.contains("[redacted]"), "{seen}");
}

#[test]
fn an_answer_larger_than_the_limit_is_refused_and_one_of_its_size_is_not() {
    let sandbox = sandbox();
    let client = Client::init(InitOptions { max_response_bytes: 200_000, ..options(&sandbox) }).unwrap();
    let body = |size: usize| {
        let frame = r#"{"data":[],"x":""}"#;
        frame.replace("\"\"", &format!("\"{}\"", "x".repeat(size - frame.len())))
    };
    sandbox.answer_next(LIST, Answer::json(200, body(200_000)));
    assert!(client.get_conversations(&all()).unwrap().is_empty());
    sandbox.answer_next(LIST, Answer::json(200, body(200_001)));
    assert_eq!(kind(client.get_conversations(&all())), ErrorKind::Limit);
}

/// A server that takes connections and never answers.
fn silent() -> (TcpListener, InitOptions) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = Some(format!("http://{}", listener.local_addr().unwrap()));
    let api_key = "server-key".to_owned();
    (
        listener,
        InitOptions { api_key, auth: Auth::ApiKey, base_url, proxy: Some(String::new()), ..InitOptions::default() },
    )
}

#[test]
fn a_silent_server_costs_the_timeout_and_the_message_says_where() {
    let (_listener, options) = silent();
    let client = Client::init(options).unwrap();
    let error = client
        .get_conversations(&GetConversationsOptions { customer_id: Some("c".to_owned()), timeout_ms: 50, ..all() })
        .unwrap_err();
    assert_eq!((error.kind(), error.http_status(), error.retryable()), (ErrorKind::Timeout, None, true));
    assert!(error.message().contains("waiting for the answer"), "{error}");
}

#[test]
fn a_token_ends_a_call_that_is_waiting_and_the_client_stays_usable() {
    let (listener, options) = silent();
    let client = Client::init(options).unwrap();
    for _ in 0..3 {
        let cancel = Cancel::new();
        let options =
            GetConversationsOptions { customer_id: Some("c".to_owned()), cancel: Some(cancel.clone()), ..all() };
        std::thread::scope(|scope| {
            let call = scope.spawn(|| client.get_conversations(&options));
            // Triggered once the request has arrived, so that the call is waiting for the answer.
            let (mut socket, _) = listener.accept().unwrap();
            socket.read_exact(&mut [0; 16]).unwrap();
            cancel.trigger();
            assert_eq!(kind(call.join().unwrap()), ErrorKind::Cancelled);
        });
        assert_eq!(kind(client.get_conversations(&options)), ErrorKind::Cancelled);
    }
}

#[test]
fn nobody_listening_is_a_network_error_that_names_the_host() {
    let (listener, options) = silent();
    drop(listener);
    let client = Client::init(options).unwrap();
    let error =
        client.get_conversations(&GetConversationsOptions { customer_id: Some("c".to_owned()), ..all() }).unwrap_err();
    assert_eq!((error.kind(), error.retryable()), (ErrorKind::Network, true));
    assert!(error.message().contains("127.0.0.1"), "{error}");
}

#[test]
fn an_authority_that_is_not_trusted_is_a_tls_error() {
    let sandbox = sandbox();
    let error = Client::init(InitOptions { ca_file: None, ..options(&sandbox) }).unwrap_err();
    assert_eq!((error.kind(), error.retryable()), (ErrorKind::Tls, false));
    assert!(error.message().contains("localhost") && error.message().contains("ca_file"), "{error}");
}

#[test]
fn a_proxy_is_asked_to_connect_and_one_that_refuses_is_named() {
    let sandbox = sandbox();
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = proxy.local_addr().unwrap();
    let target = sandbox.https_url().trim_start_matches("https://").to_owned();
    let server = std::thread::spawn(move || {
        use std::io::Write as _;
        for refused in [false, true] {
            let (mut client, _) = proxy.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            let request = String::from_utf8(request).unwrap();
            assert!(request.starts_with(&format!("CONNECT {target} HTTP/1.1\r\n")), "{request}");
            assert!(request.contains("Proxy-Authorization: Basic dXNlcjpodW50ZXIyISE=\r\n"), "{request}");
            if refused {
                client.write_all(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n").unwrap();
                continue;
            }
            let port = target.rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
            let mut upstream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
            client.write_all(b"HTTP/1.1 204 Connected\r\n\r\n").unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || std::io::copy(&mut upstream, &mut client));
        }
    });
    let through = || InitOptions { proxy: Some(format!("http://user:hunter2!!@{place}")), ..options(&sandbox) };
    assert_eq!(Client::init(through()).unwrap().get_conversations(&all()).unwrap().len(), 100);
    let error = Client::init(through()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.message().contains(&place.to_string()) && error.message().contains("407"), "{error}");
    assert!(!error.message().contains("hunter2"), "{error}");
    server.join().unwrap();
}

#[test]
fn many_threads_need_one_settings_and_one_token_request() {
    let sandbox = sandbox();
    let client = Client::init(InitOptions { lazy_init: true, ..options(&sandbox) }).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(client.get_conversations(&all()).unwrap().len(), 100));
        }
    });
    let count = |path: &str| paths(&sandbox).iter().filter(|p| *p == path).count();
    assert_eq!((count(SETTINGS), count(TOKEN), count(LIST)), (1, 1, 8));
}
