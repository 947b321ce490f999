//! The sockets under ureq.
//!
//! ureq keeps the pool and speaks HTTP; how a connection is made, and how long anything may take, is
//! decided here. Every socket is non-blocking, and every wait is one poll on the socket and on the call's
//! cancel token with the call's own absolute deadline. ureq's timeouts are all off.
//!
//! ureq is synchronous, so what it calls back runs on the thread of the call: that thread's [`Exchange`]
//! carries the call's limits down to the sockets, and up what only the sockets know.

mod lookup;
mod proxy;

pub(crate) use proxy::Proxy;

use crate::cancel::{Cancel, Signal, wait};
use crate::error::{Error, ErrorKind};
use lookup::Lookup;
use rustix::event::PollFlags;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport};

/// When the next address of a name is tried beside those still in progress (RFC 8305, section 5).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);
/// How many connections are kept that nobody uses, and for how long.
pub(crate) const KEPT_CONNECTIONS: usize = 16;
pub(crate) const KEPT_FOR: Duration = Duration::from_secs(60);
/// How many addresses of a name are tried.
const MOST_ADDRESSES: usize = 16;

/// What may end a call early: its deadline and its cancel token.
#[derive(Clone)]
pub(crate) struct Call {
    timeout: Duration,
    deadline: Instant,
    cancel: Option<Cancel>,
}

/// Why a call ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Cancelled,
    Deadline,
}

impl Call {
    /// A call that begins now.
    pub fn new(timeout: Duration, cancel: Option<Cancel>) -> Call {
        Call { timeout, deadline: Instant::now() + timeout, cancel }
    }

    fn stop(&self) -> Option<Stop> {
        if self.cancel.as_ref().is_some_and(Cancel::is_triggered) {
            Some(Stop::Cancelled)
        } else if Instant::now() >= self.deadline {
            Some(Stop::Deadline)
        } else {
            None
        }
    }

    /// The time that is left.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Does nothing for a while, or until this call has to end.
    pub fn pause(&self, time: Duration, doing: &str) -> Result<(), Error> {
        let until = Instant::now() + time;
        let cancel: Vec<&Signal> = self.cancel.iter().map(Cancel::signal).collect();
        while Instant::now() < until {
            self.check(doing)?;
            wait(&[], &cancel, until.min(self.deadline)).map_err(out_of_resources)?;
        }
        self.check(doing)
    }

    /// The error of a call that has to end now.
    pub fn check(&self, doing: &str) -> Result<(), Error> {
        self.stop().map_or(Ok(()), |stop| Err(self.stopped(stop, doing)))
    }

    pub fn stopped(&self, stop: Stop, doing: &str) -> Error {
        match stop {
            Stop::Cancelled => {
                Error::new(ErrorKind::Cancelled, format!("the call was cancelled by its token while {doing}"))
            }
            Stop::Deadline => Error::new(
                ErrorKind::Timeout,
                format!(
                    "the call did not end within its {} ms: it was {doing}; try again later, or with a longer `timeout_ms`",
                    self.timeout.as_millis()
                ),
            ),
        }
    }

    /// Waits for what another thread is doing, but not for more than half of the time that is left; whether it is done.
    pub fn wait_a_while(&self, done: &Signal, doing: &str) -> Result<bool, Error> {
        let half = Call { deadline: Instant::now() + self.left() / 2, ..self.clone() };
        match half.wait_for(done, doing) {
            Err(e) if e.kind() == ErrorKind::Timeout && !self.left().is_zero() => Ok(false),
            waited => waited.map(|()| true),
        }
    }

    /// Waits for what another thread is doing, or for the end of this call.
    pub fn wait_for(&self, done: &Signal, doing: &str) -> Result<(), Error> {
        while !done.is_set() {
            self.check(doing)?;
            let cancel = self.cancel.as_ref().map(Cancel::signal);
            let signals = [Some(done), cancel];
            let signals: Vec<&Signal> = signals.into_iter().flatten().collect();
            wait(&[], &signals, self.deadline).map_err(out_of_resources)?;
        }
        Ok(())
    }
}

fn out_of_resources(e: io::Error) -> Error {
    Error::new(ErrorKind::Network, format!("the system refused to wait: {e}; it may be short of memory"))
}

/// What a request is doing, for the message of one that has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Lookup,
    Connect,
    Proxy,
    Tls,
    Answer,
    Body,
}

impl Phase {
    pub fn doing(self) -> &'static str {
        match self {
            Phase::Lookup => "looking up the host's name",
            Phase::Connect => "connecting",
            Phase::Proxy => "waiting for the proxy",
            Phase::Tls => "securing the connection (TLS handshake)",
            Phase::Answer => "waiting for the answer",
            Phase::Body => "reading the answer",
        }
    }
}

/// One request of a call, as the sockets see it.
pub(crate) struct Exchange {
    call: Call,
    /// The most bytes it may take off the wire, so that what decompresses to nothing ends too.
    most_bytes: u64,
    phase: Cell<Phase>,
    /// The end of the connection attempt that is under way.
    connect_until: Cell<Option<Instant>>,
    connect_timeout: Cell<Duration>,
    /// Whom it is to reach, for the message.
    connect_to: RefCell<String>,
    timed_out: Cell<bool>,
    stop: Cell<Option<Stop>>,
    failure: RefCell<Option<Error>>,
    dialled: Cell<bool>,
    only_new: Cell<bool>,
    only_connect: Cell<bool>,
    received: Cell<u64>,
    /// Whether any of the answer came: bytes behind TLS, which says goodbye in bytes of its own.
    heard: Cell<bool>,
    ended: Cell<bool>,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Exchange>>> = const { RefCell::new(None) };
}

impl Exchange {
    pub fn new(call: &Call, most_bytes: u64) -> Rc<Exchange> {
        Rc::new(Exchange {
            call: call.clone(),
            most_bytes,
            phase: Cell::new(Phase::Answer),
            connect_until: Cell::new(None),
            connect_timeout: Cell::new(Duration::ZERO),
            connect_to: RefCell::default(),
            timed_out: Cell::new(false),
            stop: Cell::new(None),
            failure: RefCell::new(None),
            dialled: Cell::new(false),
            only_new: Cell::new(false),
            only_connect: Cell::new(false),
            received: Cell::new(0),
            heard: Cell::new(false),
            ended: Cell::new(false),
        })
    }

    /// Runs `f`, which may use the sockets for this exchange.
    pub fn run<T>(self: &Rc<Exchange>, f: impl FnOnce() -> T) -> T {
        struct Restore(Option<Rc<Exchange>>);
        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.with(|current| *current.borrow_mut() = self.0.take());
            }
        }
        let _restore = Restore(CURRENT.with(|current| current.borrow_mut().replace(self.clone())));
        f()
    }

    fn current() -> Result<Rc<Exchange>, ureq::Error> {
        CURRENT.with(|current| current.borrow().clone()).ok_or(ureq::Error::ConnectionFailed)
    }

    pub fn call(&self) -> &Call {
        &self.call
    }

    pub fn enter(&self, phase: Phase) {
        self.phase.set(phase);
    }

    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Whether it may only use a connection made for it.
    pub fn only_new(&self, only_new: bool) {
        self.only_new.set(only_new);
    }

    /// Has the exchange end when it has a connection, which is kept for another one.
    pub fn only_connect(&self) {
        self.only_connect.set(true);
    }

    pub fn connects_only(&self) -> bool {
        self.only_connect.get()
    }

    /// Why the sockets gave up, which whatever ureq makes of it is about.
    pub fn stop(&self) -> Option<Stop> {
        self.stop.get()
    }

    /// What went wrong below HTTP, said by whoever saw it.
    pub fn take_failure(&self) -> Option<Error> {
        self.failure.borrow_mut().take()
    }

    /// Whether it went over a kept connection on which not a byte came back: the server had closed it
    /// before, or as, the request arrived.
    pub fn was_stale(&self) -> bool {
        !self.dialled.get() && !self.heard.get()
    }

    /// Whether the connection's own time ran out.
    pub fn timed_out(&self) -> bool {
        self.timed_out.get()
    }

    /// Whether the connection has ended, in order or not.
    pub fn ended(&self) -> bool {
        self.ended.get()
    }

    /// Whether an error of the sockets is one that is already accounted for.
    fn gave_up(&self) -> bool {
        self.stop.get().is_some() || self.failure.borrow().is_some()
    }

    fn fail(&self, failure: Error) -> io::Error {
        *self.failure.borrow_mut() = Some(failure);
        gave_up()
    }

    /// Waits until one of the sockets is ready, at most until `until`; fails when the call or the
    /// connection attempt has to end.
    fn wait(
        &self,
        sockets: &[(std::os::fd::BorrowedFd<'_>, PollFlags)],
        signal: Option<&Signal>,
        until: Option<Instant>,
    ) -> io::Result<u32> {
        self.check()?;
        let connect_until = self.connect_until.get();
        let end = [until, connect_until].into_iter().flatten().fold(self.call.deadline, Instant::min);
        let cancel = self.call.cancel.as_ref().map(Cancel::signal);
        let signals: Vec<&Signal> = [signal, cancel].into_iter().flatten().collect();
        let ready = wait(sockets, &signals, end)?;
        self.check()?;
        Ok(ready)
    }

    fn check(&self) -> io::Result<()> {
        if let Some(stop) = self.call.stop() {
            self.stop.set(Some(stop));
            return Err(gave_up());
        }
        if self.connect_until.get().is_some_and(|until| Instant::now() >= until) {
            self.timed_out.set(true);
            return Err(self.fail(Error::new(
                ErrorKind::Network,
                format!(
                    "no connection to {} within {} ms: it was {}; check the network, or give a longer `connect_timeout_ms`",
                    self.connect_to.borrow(),
                    self.connect_timeout.get().as_millis(),
                    self.phase.get().doing()
                ),
            )));
        }
        Ok(())
    }

    fn count(&self, bytes: usize) -> io::Result<()> {
        let received = self.received.get() + bytes as u64;
        self.received.set(received);
        if received <= self.most_bytes {
            return Ok(());
        }
        Err(self.fail(Error::new(
            ErrorKind::Limit,
            "the answer does not end: far more bytes came than `max_response_bytes` could need",
        )))
    }
}

/// The error that stands for [`Exchange::stop`] or [`Exchange::failure`]. Of a kind that neither std, rustls
/// nor ureq takes for something else (they retry `Interrupted`, and a reset can pass for the end of a body).
fn gave_up() -> io::Error {
    io::Error::other("given up")
}

/// Does the lookup where the connection is made, since ureq resolves before it looks into its pool.
#[derive(Debug)]
pub(crate) struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

/// Makes connections: looks the name up, races its addresses, asks the proxy.
pub(crate) struct Dialler {
    pub proxy: Option<Proxy>,
    pub connect_timeout: Duration,
    lookup: Lookup,
    open: Arc<()>,
}

impl Dialler {
    pub fn new(proxy: Option<Proxy>, connect_timeout: Duration) -> Dialler {
        Dialler { proxy, connect_timeout, lookup: Lookup::default(), open: Arc::default() }
    }

    /// What as many more of are there as connections, in use or kept.
    pub fn open(&self) -> Weak<()> {
        Arc::downgrade(&self.open)
    }

    fn dial(&self, exchange: &Exchange, host: &str, port: u16) -> io::Result<Tcp> {
        let (dial_host, dial_port) = self.proxy.as_ref().map_or((host, port), |p| (p.host(), p.port()));
        exchange.enter(Phase::Lookup);
        let addresses = self.addresses(exchange, dial_host, dial_port)?;
        exchange.enter(Phase::Connect);
        let socket = race(exchange, &addresses)?.map_err(|e| {
            let (what, remedy) = match self.proxy {
                Some(_) => ("the proxy ", proxy::REMEDY),
                None => ("", "check the network and try again"),
            };
            let why = format!("could not connect to {what}{dial_host} (port {dial_port}): {e}; {remedy}");
            exchange.fail(Error::new(ErrorKind::Network, why))
        })?;
        let socket = Socket(socket);
        if let Some(proxy) = &self.proxy {
            exchange.enter(Phase::Proxy);
            proxy.connect(exchange, &socket, host, port)?;
        }
        Ok(Tcp { _open: self.open.clone(), socket, buffers: LazyBuffers::new(BUFFER, BUFFER) })
    }

    fn addresses(&self, exchange: &Exchange, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let ips = match bare.parse::<IpAddr>() {
            Ok(ip) => vec![ip],
            Err(_) => self.lookup.addresses(exchange, bare)?,
        };
        Ok(alternate(ips).into_iter().take(MOST_ADDRESSES).map(|ip| SocketAddr::new(ip, port)).collect())
    }
}

impl fmt::Debug for Dialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialler")
    }
}

impl Connector for Dialler {
    type Out = Tcp;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<Tcp>, ureq::Error> {
        let exchange = Exchange::current()?;
        exchange.dialled.set(true);
        exchange.connect_timeout.set(self.connect_timeout);
        exchange.connect_until.set(Some(Instant::now() + self.connect_timeout));
        let authority = details.uri.authority().ok_or(ureq::Error::ConnectionFailed)?;
        let through = self.proxy.as_ref().map(|proxy| format!(" through the proxy {proxy}"));
        *exchange.connect_to.borrow_mut() = authority.host().to_owned() + &through.unwrap_or_default();
        let default_port = if details.needs_tls() { 443 } else { 80 };
        let tcp = self.dial(&exchange, authority.host(), authority.port_u16().unwrap_or(default_port))?;
        exchange.enter(Phase::Tls);
        Ok(Some(tcp))
    }
}

/// The last link of the chain, behind TLS: the connection is made, its time limit is over.
#[derive(Debug)]
pub(crate) struct Connected;

impl<In: Transport> Connector<In> for Connected {
    type Out = Heard<In>;

    fn connect(&self, _: &ConnectionDetails, chained: Option<In>) -> Result<Option<Heard<In>>, ureq::Error> {
        let exchange = Exchange::current()?;
        exchange.connect_until.set(None);
        exchange.enter(Phase::Answer);
        Ok(chained.map(Heard))
    }
}

/// The first link of the chain, around all others: hands out connections that were made for a request to come.
pub(crate) struct Ready<C: Connector> {
    chain: C,
    made: Mutex<Vec<(Instant, C::Out)>>,
}

impl<C: Connector> Ready<C> {
    pub fn new(chain: C) -> Ready<C> {
        Ready { chain, made: Mutex::default() }
    }
}

impl<C: Connector> fmt::Debug for Ready<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ready")
    }
}

impl<C: Connector> Connector for Ready<C> {
    type Out = C::Out;

    fn connect(&self, details: &ConnectionDetails, _: Option<()>) -> Result<Option<C::Out>, ureq::Error> {
        let exchange = Exchange::current()?;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.retain(|(since, _)| since.elapsed() < KEPT_FOR);
        if !exchange.only_new.get() {
            if let Some((_, connection)) = made.pop() {
                return Ok(Some(connection));
            }
        }
        drop(made);
        let connection = self.chain.connect(details, None)?;
        if exchange.only_connect.get() {
            let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
            if made.len() < KEPT_CONNECTIONS {
                made.extend(connection.map(|connection| (Instant::now(), connection)));
            }
            return Err(ureq::Error::ConnectionFailed);
        }
        Ok(connection)
    }
}

/// A connection that notes when something of the answer comes, and when no more will: TLS may say so
/// before TCP does.
#[derive(Debug)]
pub(crate) struct Heard<T>(T);

impl<T: Transport> Transport for Heard<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let exchange = Exchange::current()?;
        // Into a full buffer nothing is read, which is not the end.
        let full = self.0.buffers().input_append_buf().is_empty();
        let more = self.0.await_input(timeout);
        match more {
            Ok(true) => exchange.heard.set(true),
            Ok(false) if full => {}
            _ => exchange.ended.set(true),
        }
        more
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}

/// The addresses with their families in turn, so that a family that swallows packets costs one step (RFC 8305, section 4).
fn alternate(ips: Vec<IpAddr>) -> Vec<IpAddr> {
    let Some(first) = ips.first().map(IpAddr::is_ipv6) else {
        return ips;
    };
    let (preferred, other): (Vec<_>, Vec<_>) = ips.into_iter().partition(|ip| ip.is_ipv6() == first);
    let mut other = other.into_iter();
    let mut order: Vec<IpAddr> = preferred.into_iter().flat_map(|ip| [Some(ip), other.next()]).flatten().collect();
    order.extend(other);
    order
}

/// Connects to the first address that answers. The outer error ends the call; the inner one is the last address's.
fn race(exchange: &Exchange, addresses: &[SocketAddr]) -> io::Result<io::Result<TcpStream>> {
    let mut waiting = addresses.iter();
    let mut racing: Vec<socket2::Socket> = Vec::new();
    let mut last = io::Error::other("the name has no address");
    let mut next_at = Instant::now();
    loop {
        exchange.check()?;
        if racing.is_empty() || Instant::now() >= next_at {
            match waiting.next().map(start) {
                Some(Ok(socket)) => racing.push(socket),
                Some(Err(e)) => {
                    last = e;
                    continue;
                }
                None if racing.is_empty() => return Ok(Err(last)),
                None => {}
            }
            next_at = Instant::now() + NEXT_ADDRESS;
        }
        let polled: Vec<_> = racing.iter().map(|socket| (socket.as_fd(), PollFlags::OUT)).collect();
        let more = waiting.len() > 0;
        let ready = exchange.wait(&polled, None, more.then_some(next_at))?;
        for i in (0..racing.len()).rev().filter(|i| ready & (1 << i) != 0) {
            let socket = racing.swap_remove(i);
            match socket.take_error() {
                Ok(None) => return Ok(Ok(socket.into())),
                Ok(Some(e)) | Err(e) => last = e,
            }
            next_at = Instant::now();
        }
    }
}

/// Begins to connect, without waiting.
fn start(address: &SocketAddr) -> io::Result<socket2::Socket> {
    use socket2::{Domain, Protocol, Socket, Type};
    let socket = Socket::new(Domain::for_address(*address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    match socket.connect(&(*address).into()) {
        Ok(()) => Ok(socket),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(socket),
        Err(e) if matches!(e.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) => Ok(socket),
        Err(e) => Err(e),
    }
}

/// A connected socket whose waits end with the call.
pub(crate) struct Socket(TcpStream);

impl Socket {
    /// `write`, not `write_vectored`: std sends the former with MSG_NOSIGNAL, so that a C host in which
    /// SIGPIPE kills lives on.
    fn send(&self, exchange: &Exchange, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            exchange.check()?;
            match (&self.0).write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(sent) => bytes = &bytes[sent..],
                Err(e) => self.wait(exchange, e, PollFlags::OUT)?,
            }
        }
        Ok(())
    }

    /// At least one byte, or 0 at the end of the connection.
    fn receive(&self, exchange: &Exchange, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            crate::step();
            exchange.check()?;
            match (&self.0).read(buffer) {
                Ok(read) => {
                    exchange.count(read)?;
                    return Ok(read);
                }
                Err(e) => self.wait(exchange, e, PollFlags::IN)?,
            }
        }
    }

    fn wait(&self, exchange: &Exchange, e: io::Error, ready: PollFlags) -> io::Result<()> {
        match e.kind() {
            io::ErrorKind::Interrupted => Ok(()),
            io::ErrorKind::WouldBlock => exchange.wait(&[(self.0.as_fd(), ready)], None, None).map(drop),
            _ => Err(e),
        }
    }
}

/// The size of a connection's buffers each way. Each must hold a whole header at once: 32 KiB of an
/// answer's, and a request line of three 4 KiB texts percent-encoded or a 16 KiB key.
pub(crate) const BUFFER: usize = 64 * 1024;

/// A connection without TLS.
pub(crate) struct Tcp {
    /// One more of these for each connection there is.
    _open: Arc<()>,
    socket: Socket,
    buffers: LazyBuffers,
}

impl fmt::Debug for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tcp")
    }
}

impl Transport for Tcp {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let exchange = Exchange::current()?;
        Ok(self.socket.send(&exchange, &self.buffers.output()[..amount])?)
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        let exchange = Exchange::current()?;
        let read = self.socket.receive(&exchange, self.buffers.input_append_buf())?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    /// Whether a kept connection can be used again: open, and with nothing unasked for on it.
    fn is_open(&mut self) -> bool {
        matches!(self.socket.0.peek(&mut [0]), Err(e) if e.kind() == io::ErrorKind::WouldBlock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_the_resolver_says_which_is_first() {
        let ips = |text: &str| text.split(' ').map(|ip| ip.parse().unwrap()).collect::<Vec<IpAddr>>();
        assert_eq!(alternate(ips("::1 ::2 ::3 10.0.0.1")), ips("::1 10.0.0.1 ::2 ::3"));
        assert_eq!(alternate(ips("10.0.0.1 ::1 ::2 ::3")), ips("10.0.0.1 ::1 ::2 ::3"));
        assert_eq!(alternate(Vec::new()), Vec::<IpAddr>::new());
    }
}
