//! A whole answer, cut at every byte: an error, never half a page.

use super::server::{End, Peer, Scheme, Server};
use super::{case, client, find_wrong, full, list, millis, random, slack};
use flate2::{Compression, write::GzEncoder};
use kustomer::{Client, ErrorKind, Response, Result};
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Two rows, with a character of several bytes and an escape to be cut through.
const BODY: &str = r#"{"data":[{"type":"chat_session","id":"a","attributes":{"preview":"\u00e9"}},{"id":"é","attributes":{"preview":"Grüße 😀"}}]}"#;
const ROWS: [(&str, &str); 2] = [("a", "é"), ("é", "Grüße 😀")];

const ENDS: [(Scheme, &[End]); 2] = [
    (Scheme::Http, &[End::Fin, End::Rst, End::Stall]),
    (Scheme::Https, &[End::Fin, End::Goodbye, End::Torn, End::Rst, End::Stall]),
];

/// A call that is not over by then hangs; no cut but a stall takes any time at all.
const LONG_MS: u32 = 30_000;
const STALL_MS: u32 = 300;
const STALLS_AT_ONCE: usize = 64;

/// An answer, whole.
struct Shape {
    name: &'static str,
    bytes: Vec<u8>,
    /// How long its header is.
    header: usize,
    /// What has to arrive until nothing is missing.
    needed: usize,
    /// Only the end of the connection marks its end.
    ends_with_connection: bool,
    success: bool,
}

fn shapes() -> Vec<Shape> {
    const OK: &str = "HTTP/1.1 200 OK\r\n";
    let shape = |name, head: &str, body: &[u8]| {
        let header = format!("{head}\r\n");
        let bytes = [header.as_bytes(), body].concat();
        Shape {
            name,
            header: header.len(),
            needed: bytes.len(),
            bytes,
            ends_with_connection: !head.contains("Content-Length") && !head.contains("chunked"),
            success: true,
        }
    };
    let length =
        |name, head: &str, body: &[u8]| shape(name, &format!("{head}Content-Length: {}\r\n", body.len()), body);
    let chunked = |name, head: &str, body: &[u8], trailers: &str| {
        let chunks = [&chunks(body), trailers.as_bytes(), b"\r\n"].concat();
        let shape = shape(name, &format!("{head}Transfer-Encoding: chunked\r\n"), &chunks);
        // The chunk of no bytes says that all is there; what is behind it adds nothing.
        Shape { needed: shape.needed - trailers.len() - "\r\n".len(), ..shape }
    };
    let plain = BODY.as_bytes();
    let gzip = &gzip(plain);
    let gzip_ok = &format!("{OK}Content-Encoding: gzip\r\n");
    let hints = &format!("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{OK}");
    vec![
        length("content-length", OK, plain),
        chunked("chunked", OK, plain, ""),
        chunked("chunked with a trailer", OK, plain, "X-A: b\r\n"),
        shape("close-delimited", OK, plain),
        length("gzip content-length", gzip_ok, gzip),
        chunked("gzip chunked", gzip_ok, gzip, ""),
        shape("gzip close-delimited", gzip_ok, gzip),
        length("early hints", hints, plain),
        Shape { success: false, ..length("503", "HTTP/1.1 503 No\r\n", plain) },
    ]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// All but the empty line behind them, before which trailers may stand.
fn chunks(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in body.chunks(50) {
        write!(bytes, "{:x}\r\n", chunk.len()).unwrap();
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n");
    bytes
}

struct Cut {
    shape: Arc<Shape>,
    at: usize,
    end: End,
    /// Whether the request for it arrived.
    made: AtomicBool,
}

impl Cut {
    fn serve(&self, mut peer: Peer) -> io::Result<()> {
        self.made.store(true, Ordering::SeqCst);
        if self.at > 0 {
            peer.send(&self.shape.bytes[..self.at])?;
        }
        peer.end(self.end)
    }

    /// Whether a result is what the cut has to come to.
    fn accepts(&self, result: &Result<Response>) -> bool {
        let Shape { header, needed, bytes, ends_with_connection, success, .. } = &*self.shape;
        let (at, whole) = (self.at, bytes.len());
        let stalled = self.end == End::Stall;
        let is = |kind| result.as_ref().is_err_and(|e| e.kind() == kind);
        let is_cut = is(if stalled { ErrorKind::Timeout } else { ErrorKind::Network });
        let is_page = result.as_ref().is_ok_and(|page| {
            page.skipped() == 0 && page.conversations().map(|row| (row.id(), row.preview())).eq(ROWS)
        });
        if !success && at >= *header && !(stalled && at < whole) {
            // The status decides; its body would only have explained it.
            is(ErrorKind::Server)
        } else if at == whole && !(*ends_with_connection && stalled) {
            // A reset may overtake what was sent before it.
            is_page || self.end == End::Rst && is_cut
        } else if at >= *needed && !ends_with_connection {
            is_page || is_cut
        } else {
            is_cut
        }
    }

    fn name(&self, scheme: Scheme) -> String {
        let Cut { shape, at, end, .. } = self;
        format!("{scheme:?}, {} cut at {at} of {} by {end:?}", shape.name, shape.bytes.len())
    }
}

/// Makes cuts, so many at once, and says which went wrong: a hang says so.
fn make(cuts: Vec<Cut>, scheme: Scheme, at_once: usize, timeout_ms: u32) -> Vec<String> {
    let cuts = Arc::new(cuts);
    let served = cuts.clone();
    let server = Server::start(scheme, move |mut peer| {
        let case = case(&peer.request()?);
        served[case].serve(peer)
    });
    let limit = Duration::from_millis(millis(timeout_ms).into()) + slack();
    let check = |client: &Client, case: usize| {
        let cut: &Cut = &cuts[case];
        let made = || {
            let begun = Instant::now();
            let result = list(client, case);
            (result, begun.elapsed(), cut.made.load(Ordering::SeqCst))
        };
        let (mut result, mut took, mut arrived) = made();
        if cut.end == End::Stall && (took > limit || !arrived) {
            // A second chance for what a busy machine may have made late.
            (result, took, arrived) = made();
        }
        if took > limit || !arrived {
            Err(format!("{}: {HANG} {took:?}: {result:?}", cut.name(scheme)))
        } else if !cut.accepts(&result) {
            Err(format!("{}: {result:?}", cut.name(scheme)))
        } else {
            Ok(())
        }
    };
    find_wrong(cuts.len(), at_once, || client(&server, timeout_ms), check)
}

const HANG: &str = "hangs for";

#[test]
fn an_answer_cut_anywhere_is_an_error_and_never_half_a_page() {
    let shapes: Vec<_> = shapes().into_iter().map(Arc::new).collect();
    let mut random = random();
    let mut all = 0;
    let mut wrong = Vec::new();
    for (scheme, ends) in ENDS {
        for stall in [false, true] {
            let begun = Instant::now();
            // A close costs well under a millisecond, a stall its whole timeout.
            let one_of = if stall && !full() { 10 } else { 1 };
            let mut cuts = Vec::new();
            for &end in ends.iter().filter(|&&end| (end == End::Stall) == stall) {
                for shape in &shapes {
                    let offsets = (0..=shape.bytes.len()).filter(|_| random.usize(..one_of) == 0);
                    cuts.extend(offsets.map(|at| Cut { shape: shape.clone(), at, end, made: AtomicBool::new(false) }));
                }
            }
            let count = cuts.len();
            let (at_once, timeout_ms) = if stall { (STALLS_AT_ONCE, STALL_MS) } else { (4, LONG_MS) };
            wrong.extend(make(cuts, scheme, at_once, timeout_ms));
            all += count;
            println!("{scheme:?}, {}: {count} cuts in {:?}", if stall { "stalls" } else { "closes" }, begun.elapsed());
        }
    }
    let hangs = wrong.iter().filter(|what| what.contains(HANG)).count();
    println!("{all} cuts, {} wrong, {hangs} hangs", wrong.len() - hangs);
    assert!(!full() || all >= 10_000);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
