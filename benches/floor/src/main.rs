//! The floor: what is left when nothing but the bytes of every page are read over TLS.

use rustix::time::{ClockId, clock_gettime};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

type Stream = StreamOwned<ClientConnection, TcpStream>;

struct Arguments(Vec<(String, String)>);

impl Arguments {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str, default: u64) -> u64 {
        self.get(name).map_or(default, |value| value.parse().expect("a number"))
    }
}

fn connect(place: &str, ca_file: &str) -> Stream {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca_file).expect("a CA file") {
        roots.add(certificate.expect("a certificate")).expect("a root");
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let host = place.rsplit_once(':').map_or(place, |(host, _)| host).to_owned();
    let tls = ClientConnection::new(Arc::new(config), ServerName::try_from(host).expect("a host")).expect("TLS");
    let tcp = TcpStream::connect(place).expect("a connection");
    tcp.set_nodelay(true).expect("no delay");
    StreamOwned::new(tls, tcp)
}

/// Asks for a path, and reads its answer to the end: the length of its body.
fn get(stream: &mut Stream, place: &str, path: &str, buffer: &mut [u8]) -> usize {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {place}\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut filled = 0;
    let head = loop {
        filled += stream.read(&mut buffer[filled..]).expect("an answer");
        if let Some(end) = buffer[..filled].windows(4).position(|w| w == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let header = std::str::from_utf8(&buffer[..head]).expect("text");
    assert!(header.starts_with("HTTP/1.1 200 "), "{header}");
    let length = header.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
    let length: usize = length.parse().expect("a number");
    let mut left = length - (filled - head);
    while left > 0 {
        left -= stream.read(buffer).expect("a body");
    }
    length
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
    let mut stream = connect(place, a.get("ca_file").expect("ca_file="));
    let mut buffer = vec![0; 64 * 1024];
    get(&mut stream, place, "/p/v1/chat/settings", &mut buffer);
    get(&mut stream, place, "/c/v1/tracking/tokens/current", &mut buffer);
    let (size, distinct) = (a.number("page_size", 100), a.number("distinct", 1));
    let mut page = |number: u64| {
        let path = format!("/c/v1/chat/sessions?page={}&pageSize={size}", (number - 1) % distinct + 1);
        get(&mut stream, place, &path, &mut buffer)
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
