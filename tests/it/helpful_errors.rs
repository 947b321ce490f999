//! The ten things that go wrong where software is set up and run: each message names the host, the cause and one remedy.

use crate::api::{LIST, SETTINGS, options};
use crate::sandbox::{Answer, Options, RETURNING_LOGINS, RateLimit, Sandbox, now_s};
use kustomer::{Auth, CallOptions, Client, Error, ErrorKind, GetConversationsOptions, InitOptions};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use tempfile::NamedTempFile;

const SERVER_LIST: &str = "/v2.1/chat/sessions";

/// A server's client, whose first request is the list.
fn server_options(sandbox: &Sandbox) -> InitOptions {
    InitOptions { api_key: sandbox.api_key(), auth: Auth::ApiKey, tracking_token: None, ..options(sandbox) }
}

fn list(options: InitOptions) -> Result<usize, Error> {
    let customer_id = (options.auth == Auth::ApiKey).then(|| "5f1d0c2ab3e4f50012a4c0ff".to_owned());
    let client = Client::init(options)?;
    client.get_conversations(&GetConversationsOptions { customer_id, ..Default::default() }).map(|page| page.len())
}

/// One sentence: what happened with which host, why, and behind its last and only semicolon what to do.
fn helps(error: &Error, kind: ErrorKind, host: &str, cause: &str, remedy: &str) {
    let message = error.message();
    println!("{:?}: {message}", error.kind());
    assert_eq!(error.kind(), kind, "{message}");
    let (happened, to_do) = message.rsplit_once("; ").unwrap_or_else(|| panic!("no remedy in: {message}"));
    assert!(!happened.contains("; ") && !message.contains(". ") && !message.ends_with('.'), "no sentence: {message}");
    assert!(happened.contains(host), "no {host} in: {happened}");
    assert!(happened.contains(cause), "no {cause:?} in: {happened}");
    assert!(to_do.contains(remedy), "no {remedy:?} in: {to_do}");
}

#[test]
fn a_wrong_organisation() {
    let sandbox = Sandbox::start(Options::default());
    sandbox.answer_next(SETTINGS, Answer::json(404, r#"{"errors":[{"title":"Organisation not found"}]}"#));
    let error = list(options(&sandbox)).unwrap_err();
    helps(&error, ErrorKind::Http, "localhost", "Organisation not found", "this organisation's");
    assert_eq!(error.http_status(), Some(404));
    // A host that does not exist is tested in src/transport/lookup.rs, where no name has to be asked for.
}

#[test]
fn a_key_of_another_region() {
    let sandbox = Sandbox::start(Options::default());
    let said = r#"{"errors":[{"title":"Unauthorized","detail":"Auth token associated with pod prod2 but request is being handled by prod1"}]}"#;
    for status in [400, 401, 403] {
        sandbox.answer_next(SERVER_LIST, Answer::json(status, said));
        let error = list(server_options(&sandbox)).unwrap_err();
        let kind = if status == 400 { ErrorKind::Http } else { ErrorKind::Unauthorized };
        helps(&error, kind, "localhost", "belongs to another region", "leave `base_url` out");
    }
}

#[test]
fn an_expired_key() {
    let sandbox = Sandbox::start(Options::default());
    let expired = InitOptions { api_key: "a.key.of-last-year".to_owned(), ..server_options(&sandbox) };
    let error = list(expired).unwrap_err();
    helps(&error, ErrorKind::Unauthorized, "localhost", "the API key was not accepted", "has not expired");
}

/// A server whose certificate is good between these days from now, and the file with its authority.
fn dated_server(from: i64, to: i64) -> (SocketAddr, NamedTempFile, JoinHandle<()>) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let today = time::OffsetDateTime::from(SystemTime::now());
    params.not_before = today + time::Duration::days(from);
    params.not_after = today + time::Duration::days(to);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut tls = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        assert!(tls.complete_io(&mut socket).is_err(), "the client accepts the certificate");
    });
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.pem()).unwrap();
    (address, file, server)
}

/// A client of a server on loopback that is no sandbox.
fn elsewhere(url: String, ca_file: Option<&Path>) -> InitOptions {
    InitOptions {
        api_key: "server-key".to_owned(),
        auth: Auth::ApiKey,
        base_url: Some(url),
        ca_file: ca_file.map(Path::to_owned),
        proxy: Some(String::new()),
        max_retries: -1,
        ..InitOptions::default()
    }
}

#[test]
fn a_clock_that_is_wrong() {
    for (from, to, cause) in [(2, 30, "is not valid yet"), (-30, -2, "has expired")] {
        let (address, ca_file, server) = dated_server(from, to);
        let before = SystemTime::now();
        let error = list(elsewhere(format!("https://localhost:{}", address.port()), Some(ca_file.path()))).unwrap_err();
        helps(&error, ErrorKind::Tls, "localhost", cause, "set the clock");
        // What the clock says is part of it: whoever reads it sees at once whether it is wrong.
        let (_, says) = error.message().split_once("which says ").unwrap();
        let says = httpdate::parse_http_date(says.split_once(';').unwrap().0).unwrap();
        assert!(says + Duration::from_secs(1) > before && says <= SystemTime::now(), "{error}");
        server.join().unwrap();
    }
}

#[test]
fn a_login_jwt_that_is_too_old() {
    let sandbox = Sandbox::start(Options::default());
    let client = Client::init(options(&sandbox)).unwrap();
    let jwt = sandbox.login_jwt_at(RETURNING_LOGINS[0], now_s() - 16 * 60);
    let error = client.login(&jwt, &CallOptions::default()).unwrap_err();
    helps(&error, ErrorKind::Unauthorized, "localhost", "issued more than 15 minutes ago", "sign a fresh JWT");
    assert!(error.message().contains("login"), "{error}");
}

/// A proxy that gives one answer to one request.
fn proxy(answer: &'static str) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            request.push(byte[0]);
        }
        socket.write_all(answer.as_bytes()).unwrap();
    });
    (place, server)
}

#[test]
fn a_proxy_that_does_not_let_through() {
    let through = |place: &str| InitOptions {
        proxy: Some(format!("http://{place}")),
        ..elsewhere("https://acme.api.example.test".to_owned(), None)
    };
    for (answer, cause) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "asks for a user and password"),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "refused to connect to acme.api.example.test (port 443): HTTP 403"),
        ("SSH-2.0-x\r\n\r\n", "did not answer as a proxy does"),
    ] {
        let (place, server) = proxy(answer);
        helps(&list(through(&place)).unwrap_err(), ErrorKind::Network, &place, cause, "`proxy`");
        server.join().unwrap();
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = list(through(&nobody.to_string())).unwrap_err();
    let place = format!("the proxy 127.0.0.1 (port {})", nobody.port());
    helps(&error, ErrorKind::Network, &place, "refused", "`proxy`");
}

#[test]
fn a_company_that_reads_along() {
    let inspecting = Sandbox::start(Options::default());
    let error = list(InitOptions { ca_file: None, ..options(&inspecting) }).unwrap_err();
    helps(&error, ErrorKind::Tls, "localhost", "an authority that is not trusted", "`ca_file`");
    assert!(inspecting.requests().is_empty());
}

#[test]
fn a_portal_that_answers_in_the_services_place() {
    let sandbox = Sandbox::start(Options::default());
    let page = "\n<!DOCTYPE html><html><title>Welcome to our Wi-Fi</title></html>";
    let html = |status, headers: &[(&str, &str)]| {
        let headers = headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Answer { status, headers, body: page.to_owned() }
    };
    for path in [SETTINGS, LIST] {
        sandbox.answer_next(path, html(200, &[("content-type", "text/html")]));
        let error = list(options(&sandbox)).unwrap_err();
        helps(&error, ErrorKind::Decode, "localhost", "a web page", "with a browser");
        assert!(error.message().contains("portal") && error.http_status() == Some(200), "{error}");
    }
    sandbox.answer_next(SETTINGS, html(302, &[("location", "http://portal.test/login")]));
    let error = list(options(&sandbox)).unwrap_err();
    helps(&error, ErrorKind::Http, "localhost", "portal", "with a browser");
    assert!(!error.message().contains("portal.test"), "{error}");
}

#[test]
fn a_rate_limit_that_is_used_up() {
    let sandbox = Sandbox::start(Options::default());
    let client = Client::init(options(&sandbox)).unwrap();
    let call = || client.get_conversations(&GetConversationsOptions::default()).unwrap_err();
    sandbox.set_rate_limit(Some(RateLimit { requests: 0, window_ms: 600_000 }));
    let error = call();
    let seconds = error.retry_after_ms().unwrap() / 1000;
    assert!((500..=600).contains(&seconds), "{seconds}");
    helps(&error, ErrorKind::RateLimited, "localhost", "rate limit is used up", &format!("again in {seconds} s"));
    sandbox.set_rate_limit(None);
    // Not every service says when.
    sandbox.answer_next(LIST, Answer::json(429, ""));
    helps(&call(), ErrorKind::RateLimited, "localhost", "rate limit is used up", "try again later");
    let headers = vec![("retry-after".to_owned(), "7".to_owned())];
    sandbox.answer_next(LIST, Answer { status: 503, headers, body: String::new() });
    helps(&call(), ErrorKind::Server, "localhost", "the service has trouble", "again in 7 s");
}

#[test]
fn no_network_at_all() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = list(elsewhere(format!("http://localhost:{}", nobody.port()), None)).unwrap_err();
    helps(&error, ErrorKind::Network, &format!("localhost (port {})", nobody.port()), "refused", "check the network");
}
