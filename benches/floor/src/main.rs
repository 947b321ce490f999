//! The floor: what is left when nothing but the bytes of every page are read over TLS.

use rustix::time::{ClockId, clock_gettime};
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{ClientConfig, RootCertStore};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

struct Arguments(Vec<(String, String)>);

impl Arguments {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str, default: u64) -> u64 {
        self.get(name).map_or(default, |value| value.parse().expect("a number"))
    }
}

/// A connection whose records are decrypted where they arrived: rustls without buffers of its own.
struct Connection {
    tls: UnbufferedClientConnection,
    tcp: TcpStream,
    /// What came and is not decrypted yet is `input[from..to]`.
    input: Vec<u8>,
    from: usize,
    to: usize,
    output: Vec<u8>,
}

impl Connection {
    fn new(place: &str, ca_file: &str) -> Connection {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca_file).expect("a CA file") {
            roots.add(certificate.expect("a certificate")).expect("a root");
        }
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let host = place.rsplit_once(':').map_or(place, |(host, _)| host).to_owned();
        let host = ServerName::try_from(host).expect("a host");
        let tcp = TcpStream::connect(place).expect("a connection");
        tcp.set_nodelay(true).expect("no delay");
        Connection {
            tls: UnbufferedClientConnection::new(Arc::new(config), host).expect("TLS"),
            tcp,
            input: vec![0; 256 * 1024],
            from: 0,
            to: 0,
            output: vec![0; 16 * 1024],
        }
    }

    /// Sends a request, if there is one still to send, and waits for the next piece of an answer.
    fn step(&mut self, request: &mut Option<&[u8]>, mut piece: impl FnMut(&[u8])) {
        let mut filled = 0;
        loop {
            let UnbufferedStatus { discard, state, .. } =
                self.tls.process_tls_records(&mut self.input[self.from..self.to]);
            let mut taken = discard;
            let mut blocked = false;
            let mut arrived = false;
            match state.expect("TLS") {
                ConnectionState::EncodeTlsData(mut data) => {
                    filled += data.encode(&mut self.output[filled..]).expect("room");
                }
                ConnectionState::TransmitTlsData(data) => {
                    self.tcp.write_all(&self.output[..filled]).expect("a handshake");
                    filled = 0;
                    data.done();
                }
                ConnectionState::WriteTraffic(mut traffic) => match request.take() {
                    Some(request) => {
                        let len = traffic.encrypt(request, &mut self.output).expect("room");
                        self.tcp.write_all(&self.output[..len]).expect("a request");
                    }
                    None => blocked = true,
                },
                ConnectionState::BlockedHandshake => blocked = true,
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.expect("a record");
                        taken += record.discard;
                        piece(record.payload);
                        arrived = true;
                    }
                }
                _ => panic!("the server has closed"),
            }
            self.from += taken;
            if self.from == self.to {
                (self.from, self.to) = (0, 0);
            }
            if arrived {
                return;
            }
            if blocked {
                // A record that is not whole yet is moved to the front when there is no room behind it.
                if self.input.len() - self.to < 32 * 1024 {
                    self.input.copy_within(self.from..self.to, 0);
                    (self.from, self.to) = (0, self.to - self.from);
                }
                let read = self.tcp.read(&mut self.input[self.to..]).expect("an answer");
                assert!(read > 0, "the server has closed");
                self.to += read;
            }
        }
    }

    /// Asks for a path, and reads its answer to the end: the length of its body.
    fn get(&mut self, place: &str, path: &str) -> usize {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {place}\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\n\r\n"
        );
        let mut request = Some(request.as_bytes());
        let (mut lengths, mut came) = (None, 0);
        while lengths.is_none_or(|(header, body)| came < header + body) {
            self.step(&mut request, |piece| {
                came += piece.len();
                lengths.get_or_insert_with(|| lengths_in(piece));
            });
        }
        lengths.map_or(0, |(_, body)| body)
    }
}

/// How long header and body of an answer are, by its first piece: nginx sends the header in one.
fn lengths_in(piece: &[u8]) -> (usize, usize) {
    let header = piece.windows(4).position(|w| w == b"\r\n\r\n").expect("a header") + 4;
    let text = std::str::from_utf8(&piece[..header]).expect("text");
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    let length = text.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
    (header, length.parse().expect("a number"))
}

fn ns(clock: ClockId) -> i64 {
    let now = clock_gettime(clock);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// The most memory this program ever had, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default()
}

fn main() {
    let arguments = std::env::args().skip(1);
    let a = Arguments(arguments.filter_map(|a| a.split_once('=').map(|(k, v)| (k.into(), v.into()))).collect());
    let place = a.get("base_url").and_then(|url| url.strip_prefix("https://")).expect("base_url=https://...");
    let mut connection = Connection::new(place, a.get("ca_file").expect("ca_file="));
    connection.get(place, "/p/v1/chat/settings");
    connection.get(place, "/c/v1/tracking/tokens/current");
    let (size, distinct) = (a.number("page_size", 100), a.number("distinct", 1));
    let mut page = |number: u64| {
        let path = format!("/c/v1/chat/sessions?page={}&pageSize={size}", (number - 1) % distinct + 1);
        connection.get(place, &path)
    };
    let mut bytes = page(1);
    let (first, cpu, first_kib) = (ns(ClockId::Monotonic), ns(ClockId::ProcessCPUTime), peak_kib());
    let wall = ns(ClockId::Monotonic);
    for number in 2..=a.number("pages", 1) {
        bytes += page(number);
    }
    println!(
        "report bytes={bytes} first_ns={} cpu_ns={} wall_ns={} first_kib={first_kib} peak_kib={}",
        first - a.number("started_ns", 0) as i64,
        ns(ClockId::ProcessCPUTime) - cpu,
        ns(ClockId::Monotonic) - wall,
        peak_kib()
    );
}
