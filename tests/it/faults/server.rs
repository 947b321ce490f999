//! A server of which every byte and every close is the test's own, over TCP or TLS.
//!
//! Each connection is handed to the test's function as a [`Peer`], on a thread of its own. What that
//! function leaves unsaid does not happen: it sends no header, keeps no promise, ends when it returns.

use crate::sandbox::certificates;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tempfile::NamedTempFile;

/// What a server and its clients speak above TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
}

pub const SCHEMES: [Scheme; 2] = [Scheme::Http, Scheme::Https];

/// A running server. Dropped, it accepts no more; connections last until their own function returns.
pub struct Server {
    scheme: Scheme,
    address: SocketAddr,
    ca_file: NamedTempFile,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    connections: AtomicUsize,
    stopping: AtomicBool,
}

impl Server {
    /// Hands each connection to `serve`, over TLS once the handshake is done.
    pub fn start(scheme: Scheme, serve: impl Fn(Peer) -> io::Result<()> + Send + Sync + 'static) -> Server {
        let (ca, config) = certificates::make();
        let config = (scheme == Scheme::Https).then_some(config);
        Server::listen(scheme, ca, move |stream, number| serve(Peer::accept(stream, config.clone(), number)?))
    }

    /// A server for `https` clients, of which `serve` has the bytes below TLS: for what goes wrong in the handshake.
    pub fn below_tls(serve: impl Fn(Peer) -> io::Result<()> + Send + Sync + 'static) -> Server {
        let (ca, _) = certificates::make();
        Server::listen(Scheme::Https, ca, move |stream, number| serve(Peer::accept(stream, None, number)?))
    }

    fn listen(
        scheme: Scheme,
        ca: String,
        serve: impl Fn(TcpStream, usize) -> io::Result<()> + Send + Sync + 'static,
    ) -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let ca_file = NamedTempFile::new().unwrap();
        std::fs::write(&ca_file, ca).unwrap();
        let shared = Arc::new(Shared::default());
        let (counted, serve) = (shared.clone(), Arc::new(serve));
        let acceptor = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if counted.stopping.load(Ordering::SeqCst) {
                    return;
                }
                let number = counted.connections.fetch_add(1, Ordering::SeqCst);
                let serve = serve.clone();
                // A client that goes away in the middle is what most tests are about.
                thread::spawn(move || drop(serve(stream, number)));
            }
        });
        Server { scheme, address, ca_file, shared, acceptor: Some(acceptor) }
    }

    pub fn url(&self) -> String {
        match self.scheme {
            Scheme::Http => format!("http://{}", self.address),
            Scheme::Https => format!("https://localhost:{}", self.address.port()),
        }
    }

    /// The certificate authority to trust, as PEM.
    pub fn ca_file(&self) -> &Path {
        self.ca_file.path()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which sees the flag.
        drop(TcpStream::connect(self.address));
        let _ = self.acceptor.take().unwrap().join();
    }
}

/// How the server's side of a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Closed. Under TLS without a goodbye.
    Fin,
    /// Closed after TLS said goodbye (`close_notify`).
    Goodbye,
    /// Closed in the middle of a TLS record.
    Torn,
    /// Reset.
    Rst,
    /// Never: silence until the client goes away.
    Stall,
}

/// A request as it came.
pub struct Request {
    pub method: String,
    pub path: String,
    /// Still percent-encoded.
    pub query: String,
    head: String,
}

impl Request {
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// The value of a header, whose name is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (given, value) = line.split_once(':')?;
            given.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// One connection, as the server has it.
pub struct Peer {
    stream: Stream,
    unread: Vec<u8>,
    /// How many connections there were before this one.
    pub number: usize,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Peer {
    fn accept(mut stream: TcpStream, config: Option<Arc<ServerConfig>>, number: usize) -> io::Result<Peer> {
        stream.set_nodelay(true)?;
        let stream = match config {
            None => Stream::Plain(stream),
            Some(config) => {
                let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
                while tls.is_handshaking() {
                    tls.complete_io(&mut stream)?;
                }
                Stream::Tls(Box::new(StreamOwned::new(tls, stream)))
            }
        };
        Ok(Peer { stream, unread: Vec::new(), number })
    }

    /// The next whole request; an error when the client has gone.
    pub fn request(&mut self) -> io::Result<Request> {
        let end = loop {
            if let Some(end) = self.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
            self.read_more()?;
        };
        let head = String::from_utf8_lossy(&self.unread[..end]).into_owned();
        let mut words = head.split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let target = words.next().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request = Request { method, path: path.to_owned(), query: query.to_owned(), head: head.clone() };
        let body = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        while self.unread.len() < end + body {
            self.read_more()?;
        }
        self.unread.drain(..end + body);
        Ok(request)
    }

    fn read_more(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        let read = self.stream.get().read(&mut buffer)?;
        self.unread.extend_from_slice(&buffer[..read]);
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Under TLS as one record, as far as it fits one.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stream = self.stream.get();
        stream.write_all(bytes)?;
        stream.flush()
    }

    /// A byte at a time.
    pub fn drip(&mut self, bytes: &[u8], gap: Duration) -> io::Result<()> {
        for byte in bytes {
            self.send(std::slice::from_ref(byte))?;
            thread::sleep(gap);
        }
        Ok(())
    }

    /// Again and again until the client has had enough.
    pub fn flood(&mut self, bytes: &[u8]) -> io::Result<()> {
        let many = bytes.repeat(16 * 1024 / bytes.len() + 1);
        loop {
            self.send(&many)?;
        }
    }

    pub fn end(self, how: End) -> io::Result<()> {
        let mut stream = self.stream;
        if let Stream::Tls(tls) = &mut stream {
            match how {
                End::Goodbye => {
                    tls.conn.send_close_notify();
                    tls.flush()?;
                }
                End::Torn => {
                    tls.conn.writer().write_all(b"what never arrives")?;
                    let mut record = Vec::new();
                    tls.conn.write_tls(&mut record)?;
                    tls.sock.write_all(&record[..record.len() / 2])?;
                }
                _ => {}
            }
        }
        let tcp = match &mut stream {
            Stream::Plain(tcp) => tcp,
            Stream::Tls(tls) => &mut tls.sock,
        };
        match how {
            End::Fin | End::Goodbye | End::Torn => tcp.shutdown(Shutdown::Write),
            End::Rst => socket2::SockRef::from(&*tcp).set_linger(Some(Duration::ZERO)),
            End::Stall => io::copy(tcp, &mut io::sink()).map(drop),
        }
    }
}

impl Stream {
    fn get(&mut self) -> &mut dyn ReadWrite {
        match self {
            Stream::Plain(tcp) => tcp,
            Stream::Tls(tls) => tls,
        }
    }
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

/// A whole answer, kept alive.
pub fn answer(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}
