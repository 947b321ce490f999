//! Proxies: asked by CONNECT only, shown their own password and nothing else, named when they fail.

use crate::c_programs::{command, example, run};
use crate::figures::Watched;
use crate::names::{Found, Name};
use crate::phases::{drip, refusing, stall};
use crate::sandbox::{Options, Sandbox};
use kustomer::{Client, ErrorKind, GetConversationsOptions, InitOptions};
use socket2::SockRef;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// What a proxy does when it is asked to connect.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Conduct {
    Relays,
    Silent,
    Drips,
    /// Says this, and closes.
    Says(&'static str),
    Resets,
}

struct State {
    conduct: Conduct,
    /// What it was asked, whole headers.
    asked: Vec<String>,
    /// How often it was asked since its conduct was set.
    asked_now: usize,
    /// What went through it, in both directions.
    relayed: Vec<u8>,
    ended: bool,
}

/// A proxy that connects with one address, whatever it is asked for.
pub struct Proxy {
    state: Arc<Watched<State>>,
    address: SocketAddr,
}

impl Proxy {
    pub fn start(upstream: SocketAddr) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state =
            State { conduct: Conduct::Relays, asked: Vec::new(), asked_now: 0, relayed: Vec::new(), ended: false };
        let state = Arc::new(Watched::new(state));
        let theirs = state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { continue };
                if theirs.change(|state| state.ended) {
                    return;
                }
                let state = theirs.clone();
                std::thread::spawn(move || relay(&client, upstream, &state));
            }
        });
        Proxy { state, address }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn set(&self, conduct: Conduct) {
        self.state.change(|state| {
            state.conduct = conduct;
            state.asked_now = 0;
        });
    }

    pub fn until_asked(&self) {
        self.state.until("the proxy was asked", |state| state.asked_now > 0);
    }

    fn asked(&self) -> Vec<String> {
        self.state.change(|state| state.asked.clone())
    }

    fn relayed(&self) -> Vec<u8> {
        self.state.change(|state| state.relayed.clone())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.change(|state| state.ended = true);
        let _ = TcpStream::connect(self.address);
    }
}

fn relay(mut client: &TcpStream, upstream: SocketAddr, state: &Watched<State>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let conduct = state.change(|state| {
        state.asked.push(String::from_utf8_lossy(&head).into_owned());
        state.asked_now += 1;
        state.conduct
    });
    match conduct {
        Conduct::Silent => stall(client),
        Conduct::Drips => {
            client.write_all(b"HTTP/1.1 200 ")?;
            drip(client, b'x')
        }
        Conduct::Says(text) => client.write_all(text.as_bytes()),
        Conduct::Resets => SockRef::from(client).set_linger(Some(Duration::ZERO)),
        Conduct::Relays => {
            let server = TcpStream::connect(upstream)?;
            server.set_nodelay(true)?;
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            std::thread::scope(|scope| {
                scope.spawn(|| copy(client, &server, state));
                copy(&server, client, state);
            });
            Ok(())
        }
    }
}

fn copy(mut from: &TcpStream, mut to: &TcpStream, state: &Watched<State>) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        state.change(|state| state.relayed.extend_from_slice(&buffer[..read]));
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // Each way may be the first to end, and ends the other.
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

fn sandbox() -> (Sandbox, Proxy) {
    let sandbox = Sandbox::start(Options::default());
    let port = sandbox.https_url().rsplit_once(':').unwrap().1.parse().unwrap();
    let proxy = Proxy::start((Ipv4Addr::LOCALHOST, port).into());
    (sandbox, proxy)
}

fn options(sandbox: &Sandbox, proxy: String) -> InitOptions {
    InitOptions {
        api_key: sandbox.chat_key(),
        base_url: Some(sandbox.https_url()),
        ca_file: Some(sandbox.ca_file().to_owned()),
        tracking_token: Some(sandbox.tracking_token()),
        proxy: Some(proxy),
        max_retries: -1,
        ..InitOptions::default()
    }
}

/// What must not be seen in a text: any 16 characters of a secret.
fn shows(bytes: &[u8], secret: &str) -> bool {
    secret.as_bytes().windows(16).any(|part| bytes.windows(16).any(|seen| seen == part))
}

#[test]
fn tls_goes_through_a_proxy_end_to_end_so_that_it_sees_neither_key_nor_token() {
    let (sandbox, proxy) = sandbox();
    let client = Client::init(options(&sandbox, proxy.url())).unwrap();
    for _ in 0..3 {
        assert_eq!(client.get_conversations(&GetConversationsOptions::default()).unwrap().len(), 100);
    }
    let place = sandbox.https_url().trim_start_matches("https://").to_owned();
    assert_eq!(proxy.asked(), [format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n")]);
    let relayed = proxy.relayed();
    // The record of a handshake: the ClientHello.
    assert_eq!(relayed[..2], [22, 3]);
    let seen = |text: &str| relayed.windows(text.len()).any(|window| window == text.as_bytes());
    for plain in ["x-kustomer", "/c/v1/chat/sessions", "application/json", "HTTP/1.1"] {
        assert!(!seen(plain), "{plain}");
    }
    for secret in [sandbox.chat_key(), sandbox.tracking_token()] {
        assert!(!shows(&relayed, &secret));
    }
    let token = sandbox.tracking_token();
    assert!(sandbox.requests().iter().any(|seen| seen.header("x-kustomer-tracking-token") == Some(&token)));
}

#[test]
fn a_server_key_is_not_shown_to_a_proxy_either() {
    use kustomer::Auth;
    let (sandbox, proxy) = sandbox();
    let api_key = sandbox.api_key();
    let options = InitOptions {
        api_key: api_key.clone(),
        auth: Auth::ApiKey,
        tracking_token: None,
        ..options(&sandbox, proxy.url())
    };
    let client = Client::init(options).unwrap();
    let list = GetConversationsOptions { customer_id: Some(sandbox.customer_id()), ..Default::default() };
    assert_eq!(client.get_conversations(&list).unwrap().len(), 100);
    assert!(proxy.asked().len() == 1 && !shows(&proxy.relayed(), &api_key));
    assert!(!proxy.asked()[0].to_lowercase().contains("\r\nauthorization"));
}

#[test]
fn user_and_password_are_shown_to_the_proxy_and_to_nobody_else() {
    let (sandbox, proxy) = sandbox();
    let url = proxy.url().replace("http://", "http://kiosk:hunter2%40%21@");
    let client = Client::init(options(&sandbox, url)).unwrap();
    client.get_conversations(&GetConversationsOptions::default()).unwrap();
    // kiosk:hunter2@!
    assert!(proxy.asked()[0].contains("\r\nProxy-Authorization: Basic a2lvc2s6aHVudGVyMkAh\r\n"));
    let requests = sandbox.requests();
    assert!(!requests.is_empty() && requests.iter().all(|seen| seen.header("proxy-authorization").is_none()));
}

#[test]
fn a_proxy_that_fails_is_a_network_error_that_names_it_and_not_its_password() {
    let (sandbox, proxy) = sandbox();
    let (_bound, closed) = refusing(Ipv4Addr::LOCALHOST.into());
    let large: &'static str = Box::leak(format!("HTTP/1.1 200 {}", "x".repeat(40_000)).into_boxed_str());
    let cases = [
        (Conduct::Says("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), "407"),
        (Conduct::Says("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"), "403"),
        (Conduct::Says("HTTP/1.1 502 Bad Gateway\r\n\r\n"), "502"),
        (Conduct::Says("HTTP/1.1 302 Found\r\nLocation: http://portal.test/\r\n\r\n"), "302"),
        (Conduct::Says("SSH-2.0-OpenSSH_9.2\r\n\r\n"), "did not answer as a proxy does"),
        (Conduct::Says(""), "did not answer as a proxy does"),
        (Conduct::Says("HTTP/1.1 200"), "did not answer as a proxy does"),
        (Conduct::Says("HTTP/1.1 200 OK\r\n\r\nmore than was asked for"), "did not answer as a proxy does"),
        (Conduct::Says(large), "did not answer as a proxy does"),
        (Conduct::Resets, "ended the connection"),
    ];
    for (conduct, why) in cases {
        proxy.set(conduct);
        let url = proxy.url().replace("http://", "http://kiosk:hunter2@");
        let error = Client::init(options(&sandbox, url)).unwrap_err();
        assert_eq!((error.kind(), error.retryable()), (ErrorKind::Network, true), "{error}");
        let message = error.message();
        assert!(message.contains("proxy") && message.contains(&proxy.address.to_string()), "{message}");
        assert!(message.contains(why) && !message.contains("hunter2"), "{why}: {message}");
    }
    let error = Client::init(options(&sandbox, format!("http://kiosk:hunter2@{closed}"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    let message = error.message();
    assert!(message.contains("the proxy 127.0.0.1") && message.contains(&closed.port().to_string()), "{message}");
    proxy.set(Conduct::Silent);
    let silent = InitOptions { connect_timeout_ms: 50, ..options(&sandbox, proxy.url()) };
    let error = Client::init(silent).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.message().contains(&format!("through the proxy {}", proxy.address)), "{error}");
    assert!(sandbox.requests().is_empty());
}

#[test]
fn behind_a_proxy_only_the_proxys_name_is_looked_up() {
    let (sandbox, proxy) = sandbox();
    let (origin, name) = (Name::new(Found::Nothing), Name::of(&["127.0.0.1"]));
    let port = proxy.address.port();
    let client = Client::init(InitOptions {
        base_url: Some(format!("https://{}", origin.host())),
        ..options(&sandbox, format!("http://{}:{port}", name.host()))
    });
    assert_eq!(client.unwrap().get_conversations(&GetConversationsOptions::default()).unwrap().len(), 100);
    assert_eq!((origin.lookups(), name.lookups()), (0, 1));
    assert!(proxy.asked()[0].starts_with(&format!("CONNECT {}:443 ", origin.host())));
    name.set(Found::Nothing);
    let error = Client::init(options(&sandbox, format!("http://{}:{port}", name.host()))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.message().contains(name.host()), "{error}");
}

/// What a C program prints and with which code it ends, with these variables in its environment.
fn with_environment(sandbox: &Sandbox, variables: &[(&str, &str)]) -> (Option<i32>, usize, String) {
    let mut command: Command = command(&example("get_conversations.c", "c99"), sandbox);
    command.arg("--json").envs(variables.iter().copied());
    let (output, stderr) = run(command);
    (output.status.code(), String::from_utf8(output.stdout).unwrap().lines().count(), stderr)
}

#[test]
fn the_environment_names_a_proxy_and_the_hosts_to_reach_without_it() {
    let (sandbox, proxy) = sandbox();
    let good = proxy.url().replace("http://", "http://kiosk:hunter2@");
    let (_bound, bad) = refusing(Ipv4Addr::LOCALHOST.into());
    let bad = bad.to_string();
    let place = sandbox.https_url().trim_start_matches("https://").to_owned();
    for (variables, through_proxy) in [
        (&[("https_proxy", good.as_str())][..], true),
        (&[("HTTPS_PROXY", &good)], true),
        (&[("all_proxy", &good)], true),
        (&[("ALL_PROXY", &good)], true),
        (&[("https_proxy", &good), ("HTTPS_PROXY", &bad), ("all_proxy", &bad)], true),
        (&[("https_proxy", ""), ("HTTPS_PROXY", &good), ("ALL_PROXY", &bad)], true),
        (&[("http_proxy", &bad), ("HTTP_PROXY", &bad)], false),
        (&[("https_proxy", &bad), ("no_proxy", "localhost")], false),
        (&[("https_proxy", &bad), ("NO_PROXY", "*")], false),
        (&[("https_proxy", &bad), ("NO_PROXY", &format!("a.test, {place}"))], false),
        (&[("https_proxy", &good), ("no_proxy", "localhost:1,host,127.0.0.1")], true),
        (&[("https_proxy", &good), ("no_proxy", "a.test"), ("NO_PROXY", "*")], true),
    ] {
        let before = proxy.asked().len();
        let (code, lines, stderr) = with_environment(&sandbox, variables);
        assert_eq!((code, lines), (Some(0), 100), "{variables:?}: {stderr}");
        assert_eq!(proxy.asked().len() - before, usize::from(through_proxy), "{variables:?}");
    }
    assert!(proxy.asked().iter().all(|asked| asked.contains("Proxy-Authorization: Basic a2lvc2s6aHVudGVyMg==")));
}

#[test]
fn a_proxy_of_the_environment_that_cannot_be_used_is_an_error_and_never_a_direct_connection() {
    let (sandbox, proxy) = sandbox();
    let socks = proxy.url().replace("http://", "socks5://kiosk:hunter2@");
    let exit = |kind: ErrorKind| Some(10 + kind.code());
    for name in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        let (code, _, stderr) = with_environment(&sandbox, &[(name, &socks)]);
        assert_eq!(code, exit(ErrorKind::InvalidArgument), "{stderr}");
        assert!(stderr.contains(name) && !stderr.contains("hunter2"), "{stderr}");
    }
    let (_bound, bad) = refusing(Ipv4Addr::LOCALHOST.into());
    let bad = bad.to_string();
    let (code, _, stderr) = with_environment(&sandbox, &[("https_proxy", &bad)]);
    assert_eq!(code, exit(ErrorKind::Network), "{stderr}");
    assert!(stderr.contains("127.0.0.1"), "{stderr}");
    assert!(sandbox.requests().is_empty() && proxy.asked().is_empty());
}
