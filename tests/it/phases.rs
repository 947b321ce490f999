//! A service that brings a call into a phase of its way and keeps it there: in the lookup of its name, in TCP's
//! connect, at a proxy, in the TLS handshake, before, in and between answers.

use crate::figures::{ThreadNumber, Watched, descriptors, ms, until};
use crate::names::{Found, Name, connects_to};
use crate::proxies::{Conduct, Proxy};
use crate::sandbox::certificates;
use kustomer::{Cancel, Client, GetConversationsOptions, InitOptions, Response, Result};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{self, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Instant;
use tempfile::NamedTempFile;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Lookup,
    Connect,
    Proxy,
    SlowProxy,
    Tls,
    SlowTls,
    Answer,
    SlowHeader,
    Body,
    SlowBody,
    /// The settings are being fetched by another call.
    Settings,
    /// The tracking token is being fetched by another call.
    Token,
    /// The service has asked to try again later.
    Pause,
}

impl Phase {
    pub const ALL: [Phase; 13] = [
        Phase::Lookup,
        Phase::Connect,
        Phase::Proxy,
        Phase::SlowProxy,
        Phase::Tls,
        Phase::SlowTls,
        Phase::Answer,
        Phase::SlowHeader,
        Phase::Body,
        Phase::SlowBody,
        Phase::Settings,
        Phase::Token,
        Phase::Pause,
    ];

    pub fn label(self) -> &'static str {
        match self {
            Phase::Lookup => "name lookup",
            Phase::Connect => "tcp connect",
            Phase::Proxy => "silent proxy",
            Phase::SlowProxy => "drip-fed proxy answer",
            Phase::Tls => "tls handshake",
            Phase::SlowTls => "drip-fed tls handshake",
            Phase::Answer => "no answer",
            Phase::SlowHeader => "drip-fed header",
            Phase::Body => "stalled body",
            Phase::SlowBody => "drip-fed body",
            Phase::Settings => "another call's settings",
            Phase::Token => "another call's token",
            Phase::Pause => "wait between retries",
        }
    }

    /// What the message of a call that ends here says it was doing.
    pub fn doing(self) -> &'static str {
        match self {
            Phase::Lookup => "looking up the host's name",
            Phase::Connect => "connecting",
            Phase::Proxy | Phase::SlowProxy => "waiting for the proxy",
            Phase::Tls | Phase::SlowTls => "securing the connection (TLS handshake)",
            Phase::Answer | Phase::SlowHeader => "waiting for the answer",
            Phase::Body | Phase::SlowBody => "reading the answer",
            Phase::Settings => "waiting for the settings",
            Phase::Token => "waiting for the tracking token",
            Phase::Pause => "waiting to try again",
        }
    }

    /// Whether a call gets here by waiting for another one.
    pub fn is_anothers(self) -> bool {
        matches!(self, Phase::Settings | Phase::Token)
    }

    /// Whether it is passed before the connection is made.
    pub fn is_connecting(self) -> bool {
        Phase::ALL.iter().position(|phase| *phase == self) < Phase::ALL.iter().position(|p| *p == Phase::Answer)
    }
}

/// A page that is asked for by a call which runs beside the one that gets stuck; see [`Service::hold`].
pub const BESIDE: i32 = 1;
/// A page that is asked for by the call which gets stuck.
pub const STUCK: i32 = 2;
/// A page after whose answer the connection is closed.
pub const CLOSING: i32 = 3;

const ANSWER: &str = r#"{"data":[{"type":"chat_session","id":"c1","attributes":{}}],"links":{}}"#;
const ANSWER_BEFORE_STUCK: &str = r#"{"data":[],"links":{"next":"/c?page=2"}}"#;
const SETTINGS: &str = r#"{"data":{"attributes":{"enabled":true}}}"#;
const TOKEN: &str = r#"{"data":{"attributes":{"token":"a-tracking-token","trackingId":"t1","verified":false}}}"#;

type Tls = StreamOwned<ServerConnection, TcpStream>;

/// What the service does at the moment, and what it saw.
#[derive(Default)]
struct State {
    stuck: Option<Phase>,
    holding: bool,
    held: usize,
    /// How many calls reached the phase in which they are stuck.
    reached: usize,
    /// How many connects were begun before calls got stuck.
    connects: usize,
    accepted: usize,
    ended: bool,
}

/// The service: reached by name over HTTPS, with the certificates of the sandbox.
pub struct Service {
    state: Arc<Watched<State>>,
    address: SocketAddr,
    name: Name,
    /// An address of this machine at which the same port swallows what is sent to it.
    hole: IpAddr,
    _hole: Hole,
    proxy: Proxy,
    ca_file: NamedTempFile,
}

impl Service {
    pub fn start() -> Service {
        Service::start_at(IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]))
    }

    /// A service at one address, with a hole at another.
    pub fn start_at(ip: IpAddr, hole: IpAddr) -> Service {
        // A port that is free at both addresses.
        let (listener, the_hole) = std::iter::repeat_with(|| TcpListener::bind((ip, 0)).unwrap())
            .take(100)
            .find_map(|listener| {
                let port = listener.local_addr().unwrap().port();
                let hole = Hole::at(SocketAddr::new(hole, port)).ok()?;
                Some((listener, hole))
            })
            .expect("a port that is free at two addresses");
        let address = listener.local_addr().unwrap();
        let (ca_pem, tls) = certificates::make();
        let ca_file = NamedTempFile::new().unwrap();
        std::fs::write(ca_file.path(), ca_pem).unwrap();
        let state = Arc::new(Watched::new(State::default()));
        let theirs = state.clone();
        std::thread::spawn(move || accept(&listener, &tls, &theirs));
        Service {
            state,
            address,
            name: Name::new(Found::Addresses(vec![ip])),
            hole,
            _hole: the_hole,
            proxy: Proxy::start(address),
            ca_file,
        }
    }

    pub fn name(&self) -> &Name {
        &self.name
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn options(&self) -> InitOptions {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        InitOptions {
            api_key: format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"orgName":"sandbox"}"#)),
            base_url: Some(format!("https://{}:{}", self.name.host(), self.port())),
            ca_file: Some(self.ca_file.path().to_owned()),
            proxy: Some(String::new()),
            max_retries: -1,
            ..InitOptions::default()
        }
    }

    /// The options of a client whose calls can get stuck in a phase.
    pub fn options_for(&self, phase: Phase) -> InitOptions {
        let through_proxy = matches!(phase, Phase::Proxy | Phase::SlowProxy);
        InitOptions {
            proxy: Some(if through_proxy { self.proxy.url() } else { String::new() }),
            max_retries: if phase == Phase::Pause { 2 } else { -1 },
            lazy_init: phase.is_anothers(),
            ..self.options()
        }
    }

    /// A client whose calls can get stuck in a phase, and has not been so yet. It has no connection open.
    pub fn client_for(&self, phase: Phase) -> Client {
        let client = Client::init(self.options_for(phase)).unwrap();
        if !phase.is_anothers() {
            get(&client, CLOSING).unwrap();
        }
        client
    }

    /// From now on calls get stuck: those that ask for [`STUCK`], and in phases before that all that come there.
    pub fn stick(&self, phase: Phase) {
        self.state.change(|state| {
            state.stuck = Some(phase);
            state.reached = 0;
            state.connects = connects_to(self.port());
        });
        match phase {
            Phase::Lookup => self.name.set(Found::Hangs),
            Phase::Connect => self.name.set(Found::Addresses(vec![self.hole])),
            Phase::Proxy => self.proxy.set(Conduct::Silent),
            Phase::SlowProxy => self.proxy.set(Conduct::Drips),
            _ => {}
        }
    }

    /// Returns when a call got stuck.
    pub fn until_stuck(&self, phase: Phase) {
        match phase {
            Phase::Lookup => self.name.until_a_lookup_hangs(),
            Phase::Connect => {
                let before = self.state.change(|state| state.connects);
                until("a connect is under way", || connects_to(self.port()) > before);
            }
            Phase::Proxy | Phase::SlowProxy => self.proxy.until_asked(),
            _ => self.state.until("the server has the call", |state| state.reached > 0),
        }
    }

    /// Ends what [`Service::stick`] began, also for the calls that wait.
    pub fn release(&self) {
        self.state.change(|state| state.stuck = None);
        self.name.set(Found::Addresses(vec![self.address.ip()]));
        self.proxy.set(Conduct::Relays);
    }

    /// From now on, or no more: a call that asks for [`BESIDE`] has to wait for its answer.
    pub fn hold(&self, hold: bool) {
        self.state.change(|state| {
            state.holding = hold;
            state.held = 0;
        });
    }

    pub fn until_held(&self) {
        self.state.until("a call is held", |state| state.held > 0);
    }

    /// How many connections there were so far.
    pub fn accepted(&self) -> usize {
        self.state.change(|state| state.accepted)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.state.change(|state| state.ended = true);
        self.hold(false);
        self.release();
        let _ = TcpStream::connect(self.address);
    }
}

/// One page.
pub fn get(client: &Client, page: i32) -> Result<Response> {
    client.get_conversations(&GetConversationsOptions { page, ..GetConversationsOptions::default() })
}

/// A call on a thread of its own: which thread that is, and what the call returned, when.
pub struct Call<'scope, T> {
    pub thread: ThreadNumber,
    running: std::thread::ScopedJoinHandle<'scope, (T, Instant)>,
}

impl<'scope, T: Send + 'scope> Call<'scope, T> {
    pub fn start<'env>(
        scope: &'scope std::thread::Scope<'scope, 'env>,
        call: impl FnOnce() -> T + Send + 'scope,
    ) -> Call<'scope, T> {
        let (tell, told) = std::sync::mpsc::channel();
        let running = scope.spawn(move || {
            tell.send(ThreadNumber::of_this()).unwrap();
            let result = call();
            (result, Instant::now())
        });
        Call { thread: told.recv().unwrap(), running }
    }

    pub fn join(self) -> (T, Instant) {
        self.running.join().unwrap()
    }
}

/// Options of a call that gets stuck.
pub fn stuck(timeout_ms: u32, cancel: Option<&Cancel>) -> GetConversationsOptions {
    GetConversationsOptions { page: STUCK, timeout_ms, cancel: cancel.cloned(), ..GetConversationsOptions::default() }
}

/// A place at which connections are refused, and what keeps it so.
pub fn refusing(ip: IpAddr) -> (Socket, SocketAddr) {
    let address = SocketAddr::new(ip, 0);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.bind(&address.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// An address at which a full backlog swallows whatever asks for a connection.
pub struct Hole {
    _listener: Socket,
    _in_the_backlog: TcpStream,
}

impl Hole {
    pub fn at(address: SocketAddr) -> io::Result<Hole> {
        let listener = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        listener.bind(&address.into())?;
        // The shortest backlog has room for one.
        listener.listen(0)?;
        Ok(Hole { _listener: listener, _in_the_backlog: TcpStream::connect(address)? })
    }
}

fn accept(listener: &TcpListener, tls: &Arc<ServerConfig>, state: &Arc<Watched<State>>) {
    for socket in listener.incoming() {
        let Ok(socket) = socket else { continue };
        if state.change(|state| state.ended) {
            return;
        }
        state.change(|state| state.accepted += 1);
        let (tls, state) = (tls.clone(), state.clone());
        // Whatever fails is the client's doing: it has gone away.
        std::thread::spawn(move || serve(socket, tls, &state));
    }
}

fn serve(socket: TcpStream, tls: Arc<ServerConfig>, state: &Watched<State>) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let stuck = state.change(|state| state.stuck);
    if let Some(Phase::Tls | Phase::SlowTls) = stuck {
        // A part of the ClientHello.
        (&socket).read_exact(&mut [0; 16])?;
        state.change(|state| state.reached += 1);
        if stuck == Some(Phase::Tls) {
            return stall(&socket);
        }
        // A record of the handshake, as long as one can be.
        (&socket).write_all(&[22, 3, 3, 0x40, 0])?;
        return drip(&socket, b'\0');
    }
    let mut tls = Tls::new(ServerConnection::new(tls).map_err(io::Error::other)?, socket);
    while let Some(path) = request(&mut tls)? {
        answer(&mut tls, &path, state)?;
        if path.contains("page=3") {
            break;
        }
    }
    tls.conn.send_close_notify();
    tls.flush()
}

/// The next request's path and query; `None` when there is none.
fn request(tls: &mut Tls) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if tls.read(&mut byte)? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    tls.read_exact(&mut vec![0; length.unwrap_or(0)])?;
    Ok(head.split(' ').nth(1).map(str::to_owned))
}

fn answer(tls: &mut Tls, path: &str, state: &Watched<State>) -> io::Result<()> {
    let reached = || state.change(|state| state.reached += 1);
    let stuck = state.change(|state| state.stuck);
    let is_stuck = path.contains("page=2") || path.contains("identity");
    match stuck {
        Some(Phase::Answer) if is_stuck => {
            reached();
            return stall(&tls.sock);
        }
        Some(Phase::SlowHeader) if is_stuck => {
            tls.write_all(b"HTTP/1.1 200 OK\r\nX-Slow: ")?;
            until_read(&tls.sock)?;
            reached();
            return drip(tls, b'x');
        }
        Some(Phase::Body | Phase::SlowBody) if is_stuck => {
            tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{\"data\":[")?;
            until_read(&tls.sock)?;
            reached();
            return if stuck == Some(Phase::Body) { stall(&tls.sock) } else { drip(tls, b' ') };
        }
        Some(Phase::Pause) if is_stuck => {
            tls.write_all(b"HTTP/1.1 503 Busy\r\nRetry-After: 20\r\nContent-Length: 0\r\n\r\n")?;
            until_read(&tls.sock)?;
            reached();
            return Ok(());
        }
        Some(phase @ Phase::Settings) if path.contains("settings") => {
            reached();
            state.wait(|state| (state.stuck != Some(phase)).then_some(()));
        }
        Some(phase @ Phase::Token) if path.contains("tokens") => {
            reached();
            state.wait(|state| (state.stuck != Some(phase)).then_some(()));
        }
        _ => {}
    }
    if path.contains("page=1&") && state.change(|state| state.holding) {
        state.change(|state| state.held += 1);
        state.wait(|state| (!state.holding).then_some(()));
    }
    let body = match path {
        _ if path.contains("settings") => SETTINGS,
        _ if path.contains("tokens") => TOKEN,
        _ if path.contains("page=1&") => ANSWER_BEFORE_STUCK,
        _ => ANSWER,
    };
    let close = if path.contains("page=3") { "Connection: close\r\n" } else { "" };
    tls.write_all(format!("HTTP/1.1 200 OK\r\n{close}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes())
}

/// Returns when the client goes away.
pub fn stall(mut socket: &TcpStream) -> io::Result<()> {
    while socket.read(&mut [0; 1024])? > 0 {}
    Ok(())
}

/// Sends a byte again and again, until the client goes away.
pub fn drip(mut to: impl io::Write, byte: u8) -> io::Result<()> {
    loop {
        to.write_all(&[byte])?;
        to.flush()?;
        std::thread::sleep(ms(5));
    }
}

/// Returns when the client, a thread of this process, has taken all that was sent: when nothing is left to be read
/// from the other end of this socket.
fn until_read(socket: &TcpStream) -> io::Result<()> {
    let other_end = socket.peer_addr()?;
    until("the client has read", || {
        descriptors().into_iter().any(|fd| {
            // SAFETY: only looked at; should it be another one by now, no harm is done.
            let end = unsafe { BorrowedFd::borrow_raw(fd) };
            let end = SockRef::from(&end);
            let is_it = end.local_addr().is_ok_and(|name| name.as_socket() == Some(other_end));
            is_it && end.peek(&mut [MaybeUninit::uninit()]).is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock)
        })
    });
    Ok(())
}
