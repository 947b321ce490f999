//! The sandbox: a stand-in for the service, which speaks its protocol over real HTTPS and HTTP on
//! loopback. Tests hold a [`Sandbox`]; people run `cargo run --example sandbox`.
#![allow(dead_code, unused_imports)] // each of its users takes a part

pub mod certificates;
mod data;
mod gate;
mod refusal;
mod routes;
mod tokens;
mod world;

use axum_server::accept::Accept;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use gate::{Live, Shared};
use serde_json::json;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{MutexGuard, mpsc};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

pub use data::BRANDS;
pub use tokens::{Tracking, now_s};
pub use world::{RETURNING_LOGINS, RETURNING_TRACKING_ID};

const CHAT_ROLE: &str = "org.tracking";
const SERVER_ROLE: &str = "org.permission.conversation.read";

/// How the service behaves. All but the first three can be changed while it runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The HTTPS port; 0 takes a free one. (The HTTP port is always a free one.)
    pub port: u16,
    /// How many conversations the returning visitor has.
    pub conversations: usize,
    /// How many any other customer has, as a login shows.
    pub customer_conversations: usize,
    /// Every request waits this long for its answer.
    pub latency_ms: u64,
    /// The settings say `noHistory`; lists then demand `active=true`.
    pub no_history: bool,
    pub outage: Outage,
    pub rate_limit: Option<RateLimit>,
    /// How long a tracking token is good for.
    pub token_life_s: u64,
    /// An expired token still fetches a new one for the same visitor; otherwise 401.
    pub renews_expired: bool,
    /// Keep what [`Sandbox::requests`] shows.
    pub record: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            port: 0,
            conversations: 250,
            customer_conversations: 40,
            latency_ms: 0,
            no_history: false,
            outage: Outage::Off,
            rate_limit: None,
            token_life_s: 30 * 24 * 3600,
            renews_expired: true,
            record: true,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    Off,
    /// Every request is answered by 503 and a JSON error.
    Unavailable,
    /// Every request ends its connection, without an answer.
    Drop,
}

/// So many requests in a window; the rest get 429.
#[derive(Clone, Copy, Debug)]
pub struct RateLimit {
    pub requests: u32,
    pub window_ms: u64,
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: Instant,
    pub method: String,
    pub path: String,
    /// As sent, still percent-encoded; without the question mark.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// An answer to give instead of the real one.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn json(status: u16, body: impl Into<String>) -> Answer {
        let headers = vec![("content-type".into(), "application/json".into())];
        Answer { status, headers, body: body.into() }
    }
}

type Held = (mpsc::Sender<()>, oneshot::Receiver<()>);

/// A request that waits in the service; it goes on when this is dropped.
pub struct Hold {
    arrived: mpsc::Receiver<()>,
    _release: oneshot::Sender<()>,
}

impl Hold {
    /// Waits until the request has come.
    pub fn wait(&self) {
        self.arrived.recv_timeout(Duration::from_secs(60)).expect("the request comes");
    }
}

/// A running service. It stops when this is dropped.
pub struct Sandbox {
    shared: Shared,
    https: SocketAddr,
    http: SocketAddr,
    tracking_token: String,
    ca_file: PathBuf,
    tls: RustlsConfig,
    // Removed when dropped.
    _folder: TempDir,
    runtime: Option<Runtime>,
}

impl Sandbox {
    pub fn start(options: Options) -> Sandbox {
        Sandbox::try_start(options).expect("the sandbox starts")
    }

    /// Fails when the port is taken.
    pub fn try_start(options: Options) -> io::Result<Sandbox> {
        let https = listen(options.port)?;
        let http = listen(0)?;
        let (https_addr, http_addr) = (https.local_addr()?, http.local_addr()?);
        let (ca_pem, tls) = certificates::make();
        let folder = tempfile::Builder::new().prefix("kustomer-sandbox-").tempdir()?;
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, ca_pem)?;

        let token_life_s = options.token_life_s;
        let shared = Shared::new(options);
        let tracking_token = shared.lock().world.issue_token(RETURNING_TRACKING_ID, token_life_s);
        let tls = RustlsConfig::from_config(tls);
        let runtime = serve(&shared, https, http, tls.clone())?;
        Ok(Sandbox {
            shared,
            https: https_addr,
            http: http_addr,
            tracking_token,
            ca_file,
            tls,
            _folder: folder,
            runtime: Some(runtime),
        })
    }

    /// Stops, and starts again on the same HTTPS port with the same certificate and the switches as they were.
    /// What the service has learnt is forgotten, but for the returning visitor.
    pub fn restart(&mut self, while_it_is_down: impl FnOnce()) {
        self.stop();
        // Connections are refused, yet nobody who looks for a free port is given this one.
        let held = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        held.set_reuse_address(true).unwrap();
        held.bind(&self.https.into()).unwrap();
        while_it_is_down();
        let options = self.live().options.clone();
        let https = listen(self.https.port()).unwrap();
        let http = listen(0).unwrap();
        self.http = http.local_addr().unwrap();
        self.shared = Shared::new(options);
        self.runtime = Some(serve(&self.shared, https, http, self.tls.clone()).unwrap());
    }

    fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Closes the listeners and all connections before it returns; nothing in it blocks for long.
            runtime.shutdown_timeout(Duration::from_secs(10));
        }
    }

    pub fn https_url(&self) -> String {
        format!("https://localhost:{}", self.https.port())
    }

    pub fn http_url(&self) -> String {
        format!("http://{}", self.http)
    }

    /// The certificate authority to trust, as PEM.
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// The public key of a chat, whose organisation is called `sandbox`.
    pub fn chat_key(&self) -> String {
        tokens::key(CHAT_ROLE)
    }

    /// A server API key.
    pub fn api_key(&self) -> String {
        tokens::key(SERVER_ROLE)
    }

    /// The returning visitor as the server route knows them.
    pub fn customer_id(&self) -> String {
        world::RETURNING_CUSTOMER_ID.into()
    }

    /// The saved token of the returning visitor, who has [`Options::conversations`].
    pub fn tracking_token(&self) -> String {
        self.tracking_token.clone()
    }

    pub fn tracking_id(&self) -> String {
        RETURNING_TRACKING_ID.into()
    }

    /// A login token made now. [`RETURNING_LOGINS`] are the returning customer.
    pub fn login_jwt(&self, external_id: &str) -> String {
        self.login_jwt_at(external_id, now_s())
    }

    /// A login token made at a time of one's choice, in epoch seconds.
    pub fn login_jwt_at(&self, external_id: &str, iat_s: u64) -> String {
        self.login_jwt_with(&json!({"externalId": external_id, "iat": iat_s}))
    }

    /// A rightly signed login token with any claims.
    pub fn login_jwt_with(&self, claims: &serde_json::Value) -> String {
        tokens::sign_login(claims)
    }

    pub fn set_latency_ms(&self, latency_ms: u64) {
        self.live().options.latency_ms = latency_ms;
    }

    pub fn set_outage(&self, outage: Outage) {
        self.live().options.outage = outage;
    }

    pub fn set_rate_limit(&self, rate_limit: Option<RateLimit>) {
        let mut live = self.live();
        live.options.rate_limit = rate_limit;
        live.restart_window();
    }

    pub fn set_no_history(&self, no_history: bool) {
        self.live().options.no_history = no_history;
    }

    /// For tokens issued from now on.
    pub fn set_token_life_s(&self, token_life_s: u64) {
        self.live().options.token_life_s = token_life_s;
    }

    pub fn set_renews_expired(&self, renews_expired: bool) {
        self.live().options.renews_expired = renews_expired;
    }

    /// All tracking tokens issued so far count as expired.
    pub fn expire_tokens(&self) {
        self.live().world.expire_tokens();
    }

    /// The next request on this path gets this answer. Several are given in the order they were planned.
    pub fn answer_next(&self, path: &str, answer: Answer) {
        self.live().planned.push((path.into(), Some(answer)));
    }

    /// The next request on this path ends its connection, without an answer.
    pub fn drop_next(&self, path: &str) {
        self.live().planned.push((path.into(), None));
    }

    /// The next request on this path waits in the service until what is returned is dropped.
    pub fn hold_next(&self, path: &str) -> Hold {
        let (arrive, arrived) = mpsc::channel();
        let (release, released) = oneshot::channel();
        self.live().held.push((path.into(), (arrive, released)));
        Hold { arrived, _release: release }
    }

    /// The visitor gets that many more conversations, newer than all others.
    pub fn add_conversations(&self, tracking_id: &str, count: usize) {
        self.live().world.add_conversations(tracking_id, count);
    }

    /// A message arrives, which moves its conversation to the top of the list.
    pub fn receive_message(&self, conversation_id: &str) {
        let found = self.live().world.touch(conversation_id);
        assert!(found, "no conversation {conversation_id}");
    }

    /// The requests so far, in the order of their arrival.
    pub fn requests(&self) -> Vec<Seen> {
        self.live().seen.clone()
    }

    pub fn clear_requests(&self) {
        self.live().seen.clear();
    }

    /// TCP connections accepted so far, on both ports.
    pub fn connections(&self) -> usize {
        self.live().connections
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.shared.lock()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop();
    }
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn serve(shared: &Shared, https: TcpListener, http: TcpListener, tls: RustlsConfig) -> io::Result<Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let _inside = runtime.enter();
    let counting = Counting(shared.clone());
    let router = routes::router(shared.clone());
    let https = axum_server::from_tcp(https)?.acceptor(RustlsAcceptor::new(tls).acceptor(counting.clone()));
    let http = axum_server::from_tcp(http)?.acceptor(counting);
    runtime.spawn(https.serve(router.clone().into_make_service()));
    runtime.spawn(http.serve(router.into_make_service()));
    Ok(runtime)
}

/// Counts connections, and sends small answers at once.
#[derive(Clone)]
struct Counting(Shared);

impl<S> Accept<TcpStream, S> for Counting {
    type Stream = TcpStream;
    type Service = S;
    type Future = std::future::Ready<io::Result<(TcpStream, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        self.0.lock().connections += 1;
        std::future::ready(stream.set_nodelay(true).map(|()| (stream, service)))
    }
}
