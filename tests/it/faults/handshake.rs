//! What answers in place of TLS.

use super::http_table::{Script, drip, fin, flood, open, rst};
use super::server::Server;
use super::{ANY, Expect, client, list_within};
use kustomer::ErrorKind::{Network, Timeout, Tls};

const LONG_MS: u32 = 30_000;
const TIMEOUT_MS: u32 = 500;

#[rustfmt::skip]
fn rows() -> Vec<(&'static str, Script, Expect)> {
    let error = |kind| Expect::Error(kind, 0);
    vec![
        ("nothing, closed",                     fin(""), error(Network)),
        ("nothing, reset",                      rst(""), error(Network)),
        ("nothing, open",                       open(""), error(Timeout)),
        ("half a record, closed",               fin(b"\x16\x03\x03\x10\0\x02"), error(Network)),
        ("half a record, open",                 open(b"\x16\x03\x03\x10\0\x02"), error(Timeout)),
        ("a record that drips",                 drip(b"\x16\x03\x03\x10\0", [0; 0x1000]), error(Timeout)),
        ("plain HTTP",                          fin("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), error(Tls)),
        ("an SSH server",                       open("SSH-2.0-OpenSSH_9.2\r\n"), error(Tls)),
        ("zeros without end",                   flood("", [0]), error(Tls)),
        ("an alert: handshake failure",         fin(b"\x15\x03\x03\0\x02\x02\x28"), error(Tls)),
        ("an alert: internal error",            fin(b"\x15\x03\x03\0\x02\x02\x50"), error(Tls)),
        ("a record too long",                   open(b"\x16\x03\x03\xff\xff"), error(Tls)),
        ("data before the handshake",           open(b"\x17\x03\x03\0\x01a"), error(Tls)),
        ("a server hello cut short",            open(b"\x16\x03\x03\0\x04\x02\0\0\0"), error(Tls)),
        ("a server hello of 16 MiB without end", flood(b"\x16\x03\x03\0\x04\x02\xff\xff\xff", b"\x16\x03\x03\0\x04\0\0\0\0"), error(Tls)),
        ("empty records without end",           flood("", b"\x16\x03\x03\0\0"), Expect::Error(Tls, ANY)),
    ]
}

#[test]
fn what_is_no_tls_is_the_documented_error_within_the_deadline() {
    let mut wrong = Vec::new();
    for (name, script, expect) in rows() {
        let server = Server::below_tls(move |peer| script.play(peer)?.request().map(drop));
        let timeout_ms = if matches!(expect, Expect::Error(Timeout, _)) { TIMEOUT_MS } else { LONG_MS };
        let client = client(&server, timeout_ms);
        let checked = list_within(&client, 0, timeout_ms).and_then(|result| expect.check(&result));
        wrong.extend(checked.err().map(|what| format!("{name}: {what}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
