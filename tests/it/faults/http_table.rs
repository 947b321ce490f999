//! Answers that are no HTTP, or odd HTTP, and what a call makes of each. A row more is a line more.

use super::server::{End, Peer, SCHEMES, Scheme, Server};
use super::{ANY, Expect, case, client, find_wrong, list_within, millis};
use kustomer::ErrorKind::{self, Decode, Http, Limit, Network, Server as ServerKind, Timeout, Unauthorized};
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A page of one row.
const PAGE: &str = r#"{"data":[{"type":"chat_session","id":"a"}]}"#;
/// How long a call is given, and how long where nothing else ends it.
const LONG_MS: u32 = 30_000;
const TIMEOUT_MS: u32 = 800;

pub struct Row {
    pub name: &'static str,
    script: Script,
    pub expect: Expect,
    /// What the message says.
    says: &'static str,
}

/// What is sent, and what then.
pub struct Script {
    bytes: Vec<u8>,
    then: Then,
}

enum Then {
    /// The connection stays open; the next request gets its answer.
    Keep,
    End(End),
    Flood(Vec<u8>),
    Drip(Vec<u8>),
}

impl Row {
    pub fn is_flood(&self) -> bool {
        matches!(self.script.then, Then::Flood(_)) || self.script.bytes.len() > 10_000
    }
}

impl Script {
    /// Plays it; hands the connection back where it stays open.
    pub fn play(&self, mut peer: Peer) -> io::Result<Peer> {
        peer.send(&self.bytes)?;
        match &self.then {
            Then::Keep => {}
            Then::End(how) => {
                peer.end(*how)?;
                return Err(io::ErrorKind::NotConnected.into());
            }
            Then::Flood(again) => peer.flood(again)?,
            Then::Drip(slowly) => peer.drip(slowly, Duration::from_millis(millis(20).into()))?,
        }
        Ok(peer)
    }
}

pub fn fin(bytes: impl AsRef<[u8]>) -> Script {
    Script { bytes: bytes.as_ref().to_vec(), then: Then::End(End::Fin) }
}

pub fn open(bytes: impl AsRef<[u8]>) -> Script {
    Script { then: Then::Keep, ..fin(bytes) }
}

pub fn rst(bytes: impl AsRef<[u8]>) -> Script {
    Script { then: Then::End(End::Rst), ..fin(bytes) }
}

pub fn flood(bytes: impl AsRef<[u8]>, again: impl AsRef<[u8]>) -> Script {
    Script { then: Then::Flood(again.as_ref().to_vec()), ..fin(bytes) }
}

pub fn drip(bytes: impl AsRef<[u8]>, slowly: impl AsRef<[u8]>) -> Script {
    Script { then: Then::Drip(slowly.as_ref().to_vec()), ..fin(bytes) }
}

/// A status line and header lines, ended, and the page, after which the connection stays open: only what the
/// header says ends it.
fn page(head: &str) -> Script {
    open(format!("{head}\r\n\r\n{PAGE}"))
}

/// A good status line and these header lines, then the page with its length.
fn with(lines: &str) -> Script {
    page(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{lines}", PAGE.len()))
}

/// A chunked body.
fn chunked(body: impl AsRef<[u8]>) -> Vec<u8> {
    [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", body.as_ref()].concat()
}

/// The page as one chunk, whose size stands in this form; the connection stays open.
fn chunk(size: impl Fn(String) -> String) -> Script {
    open(chunked(format!("{}\r\n{PAGE}\r\n0\r\n\r\n", size(format!("{:x}", PAGE.len())))))
}

fn gzipped(body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A gzip body without end.
fn gzip_flood(start: &[u8], again: &[u8]) -> Script {
    flood([b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", start].concat(), again)
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A gzip of so many blanks, which is a thousandth of their size.
fn bomb(size: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    io::copy(&mut io::Read::take(io::repeat(b' '), size as u64), &mut encoder).unwrap();
    encoder.finish().unwrap()
}

const ONE: Expect = Expect::Page(1, 0);

/// What is no HTTP.
const NOT_HTTP: Expect = Expect::Error(Decode, ANY);
/// A header that was read, of a body that was not.
const BAD_BODY: Expect = Expect::Error(Decode, 200);
const CUT: Expect = Expect::Error(Network, ANY);
/// A header that is too large: whether its status counts as read is left open.
const TOO_LARGE: Expect = Expect::Error(Limit, ANY);
const BODY_TOO_LARGE: Expect = Expect::Error(Limit, 200);

fn status(kind: ErrorKind, status: u16) -> Expect {
    Expect::Error(kind, status)
}

#[rustfmt::skip]
pub fn rows() -> Vec<Row> {
    let row = |name, script, expect| Row { name, script, expect, says: "" };
    let says = |name, script, expect, says| Row { name, script, expect, says };
    let length = |length: &str| page(&format!("HTTP/1.1 200 OK\r\nContent-Length: {length}"));
    let lines = |count: usize| "X-A: b\r\n".repeat(count);
    let torn = |bytes: &[u8], by: usize| bytes[..bytes.len() - by].to_vec();
    let whole = gzip(PAGE.as_bytes());
    let flipped = |at: usize| { let mut bytes = whole.clone(); bytes[at] ^= 1; bytes };
    let capitals = |bytes: Vec<u8>| [b"HTTP/1.1 200 OK\r\nContent-Encoding: GZIP", &bytes[39..]].concat();
    let crc = whole.len() - 8;
    vec![
        // The status line.
        row("nothing, closed",                  fin(""), CUT),
        row("nothing, reset",                   rst(""), CUT),
        row("nothing, open",                    open(""), status(Timeout, 0)),
        row("HTTP/0.9",                         fin("<html><body>sign in</body></html>\r\n\r\n"), NOT_HTTP),
        row("a JSON without header",            fin(PAGE), NOT_HTTP),
        row("an SSH server",                    open("SSH-2.0-OpenSSH_9.2\r\n"), NOT_HTTP),
        row("an SMTP server",                   open("220 mail.example.com ESMTP\r\n"), NOT_HTTP),
        row("a TLS alert",                      open(b"\x15\x03\x01\x00\x02\x02\x46"), NOT_HTTP),
        row("an HTTP/2 settings frame",         open(b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64"), NOT_HTTP),
        row("an HTTP/2 status line",            page("HTTP/2.0 200 OK"), NOT_HTTP),
        row("HTTP/1.2",                         page("HTTP/1.2 200 OK"), NOT_HTTP),
        row("http in lower case",               page("http/1.1 200 OK"), NOT_HTTP),
        row("no version",                       page("HTTP 200 OK"), NOT_HTTP),
        row("zeros",                            flood("", [0]), NOT_HTTP),
        row("status of two digits",             page("HTTP/1.1 20 OK"), NOT_HTTP),
        row("status of four digits",            page("HTTP/1.1 2000 OK"), NOT_HTTP),
        row("status 099",                       page("HTTP/1.1 099 Low"), NOT_HTTP),
        row("status in words",                  page("HTTP/1.1 OK 200"), NOT_HTTP),
        row("negative status",                  page("HTTP/1.1 -200 OK"), NOT_HTTP),
        row("status line, closed",              fin("HTTP/1.1 200 OK\r\n"), CUT),
        row("header without end, closed",       fin("HTTP/1.1 200 OK\r\nContent-Length: 43\r\n"), CUT),
        row("header without end, open",         open("HTTP/1.1 200 OK\r\nContent-Length: 43\r\n"), status(Timeout, 0)),
        row("no reason",                        page("HTTP/1.1 200\r\nContent-Length: 43"), ONE),
        row("a reason beyond ASCII",            page("HTTP/1.1 200 d\u{e9}j\u{e0} vu\r\nContent-Length: 43"), ONE),
        row("HTTP/1.0 with a length",           page("HTTP/1.0 200 OK\r\nContent-Length: 43"), ONE),
        row("HTTP/1.0 to the end",              fin(format!("HTTP/1.0 200 OK\r\n\r\n{PAGE}")), ONE),
        row("lines ended by LF alone",          open(format!("HTTP/1.1 200 OK\nContent-Length: 43\n\n{PAGE}")), Expect::Lenient(1)),
        row("empty lines first",                page("\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 43"), Expect::Lenient(1)),

        // Statuses with no meaning here.
        row("101",                              page("HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo"), status(Http, 101)),
        row("301",                              page("HTTP/1.1 301 Moved\r\nLocation: /elsewhere\r\nContent-Length: 43"), status(Http, 301)),
        row("302 without the last line, open",  open("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n"), status(Timeout, 0)),
        row("304",                              page("HTTP/1.1 304 Not Modified\r\nContent-Length: 43"), status(Http, 304)),
        row("600",                              page("HTTP/1.1 600 Odd\r\nContent-Length: 43"), status(Http, 600)),
        row("999",                              page("HTTP/1.1 999 Odd\r\nContent-Length: 43"), status(Http, 999)),
        row("204",                              open("HTTP/1.1 204 No Content\r\n\r\n"), status(Decode, 204)),
        row("205 with no body",                 open("HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n"), status(Decode, 205)),
        row("206",                              page("HTTP/1.1 206 Partial\r\nContent-Length: 43"), ONE),
        row("100 before the answer",            page("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 43"), ONE),
        row("103 before the answer",            page("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 43"), ONE),
        row("100 and nothing more, closed",     fin("HTTP/1.1 100 Continue\r\n\r\n"), CUT),
        row("1xx without end",                  flood("", "HTTP/1.1 102 Wait\r\n\r\n"), Expect::Error(Limit, ANY)),
        row("401 with a body cut off",          fin("HTTP/1.1 401 No\r\nContent-Length: 99\r\n\r\n{\"errors\":[{"), status(Unauthorized, 401)),
        row("403 with bad gzip",                fin("HTTP/1.1 403 No\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd"), status(Unauthorized, 403)),
        row("500 with bad chunks",              open("HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), status(ServerKind, 500)),
        row("500 with a body without end",      flood("HTTP/1.1 500 No\r\n\r\n", "a"), status(ServerKind, 500)),
        row("500 with a body that stalls",      open("HTTP/1.1 500 No\r\nContent-Length: 9\r\n\r\n{"), status(Timeout, ANY)),

        // Header lines.
        row("no colon",                         with("X-A b"), NOT_HTTP),
        row("no name",                          with(": b"), NOT_HTTP),
        row("blank before the colon",           with("X-A : b"), NOT_HTTP),
        row("blank in the name",                with("X A: b"), NOT_HTTP),
        row("a folded line",                    with("X-A: b\r\n c"), NOT_HTTP),
        row("NUL in a name",                    with("X\0A: b"), NOT_HTTP),
        row("NUL in a value",                   with("X-A: b\0c"), NOT_HTTP),
        row("DEL in a value",                   with("X-A: b\x7fc"), NOT_HTTP),
        row("CR alone in a value",              with("X-A: b\rc"), NOT_HTTP),
        row("0xff in a value",                  open([b"HTTP/1.1 200 OK\r\nX-A: \xff\r\nContent-Length: 43\r\n\r\n", PAGE.as_bytes()].concat()), ONE),
        row("an empty value",                   with("X-A:"), ONE),
        row("no header at all",                 fin(format!("HTTP/1.1 200 OK\r\n\r\n{PAGE}")), ONE),
        row("100 headers",                      with(lines(99).trim_end()), ONE),
        row("101 headers",                      with(lines(100).trim_end()), TOO_LARGE),
        row("1,000 headers",                    with(lines(1000).trim_end()), TOO_LARGE),
        row("headers without end",              flood("HTTP/1.1 200 OK\r\n", "X-A: b\r\n"), TOO_LARGE),
        row("a header of 31 KiB",               with(&format!("X-A: {}", "b".repeat(31 * 1024))), ONE),
        row("a header of 33 KiB",               with(&format!("X-A: {}", "b".repeat(33 * 1024))), TOO_LARGE),
        row("a header line without end",        flood("HTTP/1.1 200 OK\r\nX-A: ", "b"), TOO_LARGE),
        row("a header name without end",        flood("HTTP/1.1 200 OK\r\n", "X"), TOO_LARGE),
        row("a reason without end",             flood("HTTP/1.1 200 O", "K"), TOO_LARGE),
        row("a header that drips",              drip("HTTP/1.1 200 OK\r\n", "X-A: b\r\n".repeat(500)), status(Timeout, 0)),

        // Lengths.
        row("two lengths that differ",          length("43\r\nContent-Length: 42"), NOT_HTTP),
        row("two lengths in one line",          length("43, 42"), NOT_HTTP),
        row("the same length twice",            length("43\r\nContent-Length: 43"), Expect::Lenient(1)),
        row("the same length twice in a line",  length("43, 43"), Expect::Lenient(1)),
        row("a negative length",                length("-1"), NOT_HTTP),
        row("a length with a plus",             length("+43"), NOT_HTTP),
        row("a hexadecimal length",             length("0x2b"), NOT_HTTP),
        row("a length with a fraction",         length("43.0"), NOT_HTTP),
        row("a length in words",                length("many"), NOT_HTTP),
        row("an empty length",                  length(""), NOT_HTTP),
        row("a length of 2^64",                 length("18446744073709551616"), NOT_HTTP),
        row("a length of 2^63, closed",         fin(format!("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n{PAGE}")), Expect::Error(Network, 200)),
        row("a length of 1 TiB, sent",          flood("HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n", " "), BODY_TOO_LARGE),
        row("a length too long, closed",        fin(format!("HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n{PAGE}")), Expect::Error(Network, 200)),
        row("a length too long, reset",         rst(format!("HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n{PAGE}")), CUT),
        row("a length too short",               length("42"), BAD_BODY),
        row("a length of 0",                    length("0"), BAD_BODY),
        row("more than its length",             open(format!("HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n{PAGE}{{}}")), ONE),
        row("a second answer behind the first", open(format!("HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n{PAGE}HTTP/1.1 500 No\r\n\r\n")), ONE),
        row("a body that drips",                drip("HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n", " ".repeat(4000)), status(Timeout, ANY)),
        row("a body of blanks without end",     flood("HTTP/1.1 200 OK\r\n\r\n", " "), BODY_TOO_LARGE),
        row("a whole page, and then blanks",    flood(format!("HTTP/1.1 200 OK\r\n\r\n{PAGE}"), " "), BODY_TOO_LARGE),
        row("half a page to the end",           fin(format!("HTTP/1.1 200 OK\r\n\r\n{}", &PAGE[..20])), Expect::Error(Network, 200)),
        row("half a page to a reset",           rst(format!("HTTP/1.1 200 OK\r\n\r\n{}", &PAGE[..20])), CUT),
        row("no page to the end",               fin("HTTP/1.1 200 OK\r\n\r\n"), Expect::Error(Network, 200)),

        // Chunks.
        row("a size in capitals",               chunk(|size| size.to_uppercase()), ONE),
        row("a size with zeros before",         chunk(|size| format!("000{size}")), ONE),
        row("a size with an extension",         chunk(|size| format!("{size};a=b")), ONE),
        row("trailers",                         open(chunked(format!("2b\r\n{PAGE}\r\n0\r\nX-A: b\r\nX-C: d\r\n\r\n"))), ONE),
        row("a size with a blank behind",       chunk(|size| format!("{size} ")), Expect::Lenient(1)),
        row("a size with a plus",               chunk(|size| format!("+{size}")), Expect::Lenient(1)),
        row("lengths and chunks",               open(format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2b\r\n{PAGE}\r\n0\r\n\r\n")), Expect::Lenient(1)),
        row("an empty size",                    chunk(|_| String::new()), BAD_BODY),
        row("a negative size",                  chunk(|_| "-2b".into()), BAD_BODY),
        row("a size with 0x",                   chunk(|_| "0x2b".into()), BAD_BODY),
        row("a size in words",                  chunk(|_| "many".into()), BAD_BODY),
        row("a size beyond ASCII",              open(chunked(b"\xb2b\r\n")), BAD_BODY),
        row("a size of 2^64",                   chunk(|_| "10000000000000000".into()), BAD_BODY),
        row("a size of 2^64 - 1, sent",         flood(chunked("ffffffffffffffff\r\n"), " "), BODY_TOO_LARGE),
        row("a size line without end",          flood(chunked(""), "0"), BAD_BODY),
        row("an extension without end",         flood(chunked("2b;a="), "b"), BAD_BODY),
        row("more than its size",               open(chunked(format!("2a\r\n{PAGE}\r\n0\r\n\r\n"))), BAD_BODY),
        row("less than its size",               open(chunked(format!("2c\r\n{PAGE}\r\n0\r\n\r\n"))), BAD_BODY),
        row("no last chunk, closed",            fin(chunked(format!("2b\r\n{PAGE}\r\n"))), Expect::Error(Network, 200)),
        row("no last chunk, reset",             rst(chunked(format!("2b\r\n{PAGE}\r\n"))), CUT),
        row("no last chunk, open",              open(chunked(format!("2b\r\n{PAGE}\r\n"))), status(Timeout, ANY)),
        row("the last chunk only",              open(chunked("0\r\n\r\n")), BAD_BODY),
        row("chunks of one blank without end",  flood(chunked(""), "1\r\n \r\n"), BODY_TOO_LARGE),
        row("trailers without end",             flood(chunked(format!("2b\r\n{PAGE}\r\n0\r\n")), "X-A: b\r\n"), Expect::Error(Limit, ANY)),
        row("a trailer without end",            flood(chunked(format!("2b\r\n{PAGE}\r\n0\r\nX-A: ")), "b"), BAD_BODY),
        row("chunks in HTTP/1.0",               fin("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"), BAD_BODY),

        // Codings.
        says("a transfer coding nobody knows",  fin(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n2b\r\n{PAGE}\r\n0\r\n\r\n")), BAD_BODY, "`xchunked`"),
        says("a coding below the chunks",       open(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\n\x1f\x8b\x08\r\n0\r\n\r\n"), BAD_BODY, "`gzip, chunked`"),
        says("brotli",                          open(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 4\r\n\r\n\x0b\x02\x80\x03"), BAD_BODY, "`br`"),
        says("brotli to the end",               fin(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n\x0b\x02\x80\x03"), BAD_BODY, "`br`"),
        says("gzip twice",                      open(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"), BAD_BODY, "`gzip, gzip`"),
        says("a coding with a secret for name", open("HTTP/1.1 200 OK\r\nContent-Encoding: server-key\r\nContent-Length: 1\r\n\r\n!"), BAD_BODY, "`[redacted]`"),
        row("gzip in capitals",                 open(capitals(gzipped(&whole))), Expect::Lenient(1)),
        row("a coding that changes nothing",    with("Content-Encoding: identity"), ONE),
        row("gzip that is none",                open(gzipped(PAGE)), BAD_BODY),
        row("gzip of nothing",                  open(gzipped("")), BAD_BODY),
        row("gzip cut, within its length",      open(gzipped(torn(&whole, 9))), BAD_BODY),
        row("gzip with a wrong checksum",       open(gzipped(flipped(crc))), BAD_BODY),
        row("gzip with a wrong size",           open(gzipped(flipped(crc + 4))), BAD_BODY),
        row("gzip with a wrong method",         open(gzipped(flipped(2))), BAD_BODY),
        row("gzip with junk behind",            open(gzipped([whole.as_slice(), b"junk"].concat())), BAD_BODY),
        row("gzip in two members",              open(gzipped([gzip(&PAGE.as_bytes()[..9]), gzip(&PAGE.as_bytes()[9..])].concat())), ONE),
        row("gzip of 64 MiB in 64 KiB",         open(gzipped(bomb(64 << 20))), BODY_TOO_LARGE),
        row("gzip of blanks without end",       gzip_flood(b"", &gzip(&[b' '; 65_536])), BODY_TOO_LARGE),
        row("gzip of nothing without end",      gzip_flood(b"", &gzip(b"")), BODY_TOO_LARGE),
        row("gzip name without end",            gzip_flood(b"\x1f\x8b\x08\x08\0\0\0\0\0\xff", b"a"), BAD_BODY),
        row("gzip comment without end",         gzip_flood(b"\x1f\x8b\x08\x10\0\0\0\0\0\xff", b"a"), BAD_BODY),
    ]
}

/// The rows behind a server.
pub fn serve(scheme: Scheme, rows: &Arc<Vec<Row>>) -> Server {
    let rows = rows.clone();
    Server::start(scheme, move |mut peer| {
        loop {
            let case = case(&peer.request()?);
            peer = rows[case].script.play(peer)?;
        }
    })
}

#[test]
fn an_answer_that_is_no_good_http_is_the_documented_error_within_the_deadline() {
    let rows = Arc::new(rows());
    for scheme in SCHEMES {
        let server = serve(scheme, &rows);
        let check = |client: &kustomer::Client, case: usize| {
            let row: &Row = &rows[case];
            let timeout_ms = if matches!(row.expect, Expect::Error(Timeout, _)) { TIMEOUT_MS } else { LONG_MS };
            let checked = list_within(client, case, timeout_ms).and_then(|result| match result {
                Err(e) if !e.message().contains(row.says) => Err(format!("does not say {}: {e}", row.says)),
                result => row.expect.check(&result),
            });
            checked.map_err(|what| format!("{scheme:?}, {}: {what}", row.name))
        };
        let begun = Instant::now();
        let wrong = find_wrong(rows.len(), 4, || client(&server, LONG_MS), check);
        println!("{scheme:?}: {} answers, {} wrong, in {:?}", rows.len(), wrong.len(), begun.elapsed());
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
