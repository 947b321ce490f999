//! Bodies that are no page, or odd pages, and what a call makes of each. A row more is a line more.

use super::server::{Scheme, Server, answer};
use super::{Expect, case, client, find_wrong, list};
use kustomer::ErrorKind::{self, Decode, Http, Limit};
use kustomer::{Conversation, Pages, Response, Result};
use std::sync::Arc;

fn page(rows: usize) -> Expect {
    Expect::Page(rows, 0)
}

const NO_PAGE: Expect = Expect::Error(Decode, 200);

fn status(kind: ErrorKind) -> Expect {
    Expect::Error(kind, 200)
}

/// One row with this behind its id, and a row without oddities.
fn row(members: &str) -> Vec<u8> {
    format!(r#"{{"data":[{{"id":"a"{members}}},{{"type":"chat_session","id":"b"}}]}}"#).into_bytes()
}

/// A list of these, and a row without oddities.
fn element(json: &str) -> Vec<u8> {
    format!(r#"{{"data":[{json},{{"type":"chat_session","id":"b"}}]}}"#).into_bytes()
}

/// One row whose only attribute this is.
fn attribute(name: &str, json: &str) -> Vec<u8> {
    row(&format!(r#","attributes":{{"{name}":{json}}}"#))
}

/// A page of one row with more members.
fn and(members: &str) -> Vec<u8> {
    format!(r#"{{"data":[{{"id":"a"}}],{members}}}"#).into_bytes()
}

fn deep(open: &str, close: &str) -> Vec<u8> {
    and(&format!(r#""x":{}1{}"#, open.repeat(100_000), close.repeat(100_000)))
}

fn bytes(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[rustfmt::skip]
fn bodies() -> Vec<(&'static str, Vec<u8>, Expect)> {
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        // What is no JSON object.
        ("nothing",                        text(""), NO_PAGE),
        ("blanks",                         text(" \r\n\t"), NO_PAGE),
        ("half a page",                    text(r#"{"data":[{"id":"a"}"#), NO_PAGE),
        ("null",                           text("null"), NO_PAGE),
        ("true",                           text("true"), NO_PAGE),
        ("a number",                       text("1"), NO_PAGE),
        ("text",                           text(r#""data""#), NO_PAGE),
        ("a list",                         text(r#"[{"id":"a"}]"#), NO_PAGE),
        ("a list with the values in order", text(r#"[[{"id":"a"}],null,null]"#), NO_PAGE),
        ("an empty object",                text("{}"), NO_PAGE),
        ("HTML",                           text("<!DOCTYPE html><title>Sign in</title>"), NO_PAGE),
        ("XML",                            text("<?xml version='1.0'?><data/>"), NO_PAGE),
        ("blanks around",                  text(" \r\n{ \"data\" :\t[ ] } \n"), page(0)),
        ("a BOM",                          bytes(&[b"\xef\xbb\xbf", br#"{"data":[]}"#]), NO_PAGE),
        ("UTF-16",                         "{\"data\":[]}".encode_utf16().flat_map(u16::to_le_bytes).collect(), NO_PAGE),
        ("UTF-16 with a BOM",              bytes(&[b"\xff\xfe", &"{}".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()]), NO_PAGE),
        ("a byte behind",                  text(r#"{"data":[]}x"#), NO_PAGE),
        ("a bracket behind",               text(r#"{"data":[]}}"#), NO_PAGE),
        ("a NUL behind",                   text("{\"data\":[]}\0"), NO_PAGE),
        ("a page behind",                  text(r#"{"data":[]}{"data":[]}"#), NO_PAGE),
        ("a comment",                      text(r#"{"data":[]/* none */}"#), NO_PAGE),
        ("a comma too many",               text(r#"{"data":[],}"#), NO_PAGE),
        ("a comma too many in the list",   text(r#"{"data":[{"id":"a"},]}"#), NO_PAGE),
        ("no comma",                       text(r#"{"data":[] "meta":{}}"#), NO_PAGE),
        ("single quotes",                  text("{'data':[]}"), NO_PAGE),
        ("a key without quotes",           text("{data:[]}"), NO_PAGE),
        ("a callback around it",           text(r#"callback({"data":[]})"#), NO_PAGE),

        // What an object's data can be.
        ("no data",                        text(r#"{"meta":{}}"#), NO_PAGE),
        ("data null",                      text(r#"{"data":null}"#), NO_PAGE),
        ("data text",                      text(r#"{"data":"none"}"#), NO_PAGE),
        ("data a number",                  text(r#"{"data":0}"#), NO_PAGE),
        ("data false",                     text(r#"{"data":false}"#), NO_PAGE),
        ("no rows",                        text(r#"{"data":[]}"#), page(0)),
        ("one row without a list",         text(r#"{"data":{"type":"chat_session","id":"a"}}"#), page(1)),
        ("one odd row without a list",     text(r#"{"data":{}}"#), Expect::Page(0, 1)),
        ("data twice, a list last",        text(r#"{"data":null,"data":[{"id":"a"}]}"#), page(1)),
        ("data twice, null last",          text(r#"{"data":[{"id":"a"}],"data":null}"#), NO_PAGE),
        ("data under an escaped name",     text(r#"{"d\u0061ta":[{"id":"a"}]}"#), page(1)),
        ("data in capitals",               text(r#"{"DATA":[]}"#), NO_PAGE),
        ("errors and no data",             text(r#"{"errors":[{"code":"a"}]}"#), status(Http)),
        ("errors and data null",           text(r#"{"errors":[],"data":null}"#), status(Http)),
        ("errors and data",                text(r#"{"errors":[{"code":"a"}],"data":[]}"#), page(0)),
        ("errors that are no list",        text(r#"{"errors":{}}"#), NO_PAGE),

        // Rows.
        ("a row null",                     element("null"), Expect::Page(1, 1)),
        ("a row text",                     element(r#""a""#), Expect::Page(1, 1)),
        ("a row a number",                 element("1e400"), Expect::Page(1, 1)),
        ("a row a list",                   element(r#"["chat_session","a",{}]"#), Expect::Page(1, 1)),
        ("a row a list of rows",           element(r#"[{"id":"a"}]"#), Expect::Page(1, 1)),
        ("an empty row",                   element("{}"), Expect::Page(1, 1)),
        ("id missing",                     element(r#"{"type":"chat_session"}"#), Expect::Page(1, 1)),
        ("id null",                        element(r#"{"id":null}"#), Expect::Page(1, 1)),
        ("id empty",                       element(r#"{"id":""}"#), Expect::Page(1, 1)),
        ("id a number",                    element(r#"{"id":7}"#), Expect::Page(1, 1)),
        ("id a list",                      element(r#"{"id":["a"]}"#), Expect::Page(1, 1)),
        ("id twice, text last",            element(r#"{"id":7,"id":"a"}"#), page(2)),
        ("id twice, a number last",        element(r#"{"id":"a","id":7}"#), Expect::Page(1, 1)),
        ("id twice in one list",           element(r#"{"id":"b"}"#), page(2)),
        ("id of a megabyte less a bit",    element(&format!(r#"{{"id":"{}"}}"#, "a".repeat(1_000_000))), page(2)),
        ("type another",                   row(r#","type":"message""#), Expect::Page(1, 1)),
        ("type empty",                     row(r#","type":"""#), Expect::Page(1, 1)),
        ("type in capitals",               row(r#","type":"CHAT_SESSION""#), Expect::Page(1, 1)),
        ("type a number",                  row(r#","type":1"#), Expect::Page(1, 1)),
        ("type missing",                   row(""), page(2)),
        ("type with escapes",              row(r#","type":"chat\u005fsession""#), page(2)),
        ("attributes null",                row(r#","attributes":null"#), page(2)),
        ("attributes text",                row(r#","attributes":"none""#), page(2)),
        ("attributes a list",              row(r#","attributes":["a","b"]"#), page(2)),
        ("attributes twice",               row(r#","attributes":{"preview":"no"},"attributes":{"preview":"yes"}"#), page(2)),
        ("200,000 rows without id",        format!(r#"{{"data":[{}{{"id":"a"}}]}}"#, "0,".repeat(200_000)).into_bytes(), Expect::Page(1, 200_000)),
        ("95,000 rows and an odd one",     format!(r#"{{"data":[{}0]}}"#, r#"{"id":"a"},"#.repeat(95_000)).into_bytes(), Expect::Page(95_000, 1)),

        // Depth and size, where nobody looks and where somebody does.
        ("100,000 lists deep",             deep("[", "]"), page(1)),
        ("100,000 objects deep",           deep(r#"{"a":"#, "}"), page(1)),
        ("deep and never closed",          and(&format!(r#""x":{}"#, "[".repeat(100_000))), NO_PAGE),
        ("deep data",                      format!(r#"{{"data":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000)).into_bytes(), Expect::Page(0, 1)),
        ("a deep preview",                 attribute("preview", &format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))), page(2)),
        ("a deep link",                    and(&format!(r#""links":{{"next":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000))), NO_PAGE),
        ("a key of 500,000 characters",    and(&format!(r#""{}":1"#, "k".repeat(500_000))), page(1)),
        ("50,000 keys",                    and(&format!(r#"{}"x":1"#, r#""x":1,"#.repeat(50_000))), page(1)),
        ("a number of 500,000 digits",     and(&format!(r#""x":{}"#, "9".repeat(500_000))), page(1)),

        // Numbers.
        ("NaN",                            and(r#""x":NaN"#), NO_PAGE),
        ("Infinity",                       and(r#""x":-Infinity"#), NO_PAGE),
        ("a zero before",                  and(r#""x":01"#), NO_PAGE),
        ("a plus before",                  and(r#""x":+1"#), NO_PAGE),
        ("a point behind",                 and(r#""x":1."#), NO_PAGE),
        ("a point before",                 and(r#""x":.1"#), NO_PAGE),
        ("an exponent of nothing",         and(r#""x":1e"#), NO_PAGE),
        ("hexadecimal",                    and(r#""x":0x1"#), NO_PAGE),
        ("past every float",               and(r#""x":1e400"#), page(1)),
        ("minus zero",                     and(r#""x":-0"#), page(1)),

        // Text.
        ("U+0000 raw",                     and("\"x\":\"\0\""), NO_PAGE),
        ("a line end raw",                 and("\"x\":\"\n\""), NO_PAGE),
        ("U+0000 escaped",                 attribute("preview", r#""\u0000""#), page(2)),
        ("an escape nobody knows",         and(r#""x":"\x41""#), NO_PAGE),
        ("an escape of three digits",      and(r#""x":"\u004""#), NO_PAGE),
        ("a lone surrogate",               and(r#""x":"\ud800""#), page(1)),
        ("a lone surrogate in a key",      and(r#""\udfff":1"#), page(1)),
        ("a lone surrogate in an id",      element(r#"{"id":"\ud800"}"#), page(2)),
        ("invalid UTF-8 in a preview",     bytes(&[br#"{"data":[{"id":"a","attributes":{"preview":""#, b"\xff", br#""}}]}"#]), NO_PAGE),
        ("invalid UTF-8 where nobody looks", bytes(&[br#"{"data":[],"x":""#, b"\xc3\x28", br#""}"#]), NO_PAGE),
        ("overlong UTF-8",                 bytes(&[br#"{"data":[],"x":""#, b"\xc0\xaf", br#""}"#]), NO_PAGE),
        ("a surrogate as UTF-8",           bytes(&[br#"{"data":[],"x":""#, b"\xed\xa0\x80", br#""}"#]), NO_PAGE),
        ("past U+10FFFF",                  bytes(&[br#"{"data":[],"x":""#, b"\xf4\x90\x80\x80", br#""}"#]), NO_PAGE),
        ("half a character at the end",    bytes(&[br#"{"data":[]}"#, b"\xc3"]), NO_PAGE),

        // Meta and links of other types; what they say is in the table below.
        ("meta null",                      and(r#""meta":null"#), page(1)),
        ("meta a list",                    and(r#""meta":[1,100]"#), page(1)),
        ("meta text",                      and(r#""meta":"none""#), page(1)),
        ("links text",                     and(r#""links":"none""#), NO_PAGE),
        ("links a list",                   and(r#""links":["/c?page=2"]"#), NO_PAGE),
        ("next a number",                  and(r#""links":{"next":2}"#), NO_PAGE),
        ("next true",                      and(r#""links":{"next":true}"#), NO_PAGE),
        ("next a list",                    and(r#""links":{"next":["/c?page=2"]}"#), NO_PAGE),
        ("next an object without href",    and(r#""links":{"next":{"url":"/c?page=2"}}"#), NO_PAGE),
        ("prev a number",                  and(r#""links":{"prev":2}"#), NO_PAGE),
        ("next to this page",              and(r#""links":{"next":"/c?page=1"}"#), NO_PAGE),
        ("next to a page before",          and(r#""links":{"next":"/c?page=0"}"#), NO_PAGE),
        ("next past 2147483647",           and(r#""links":{"next":"/c?page=2147483648"}"#), NO_PAGE),
        ("next past 2^64",                 and(r#""links":{"next":"/c?page=99999999999999999999"}"#), NO_PAGE),
        ("included, jsonapi and more",     and(r#""jsonapi":{"version":"1.0"},"included":[{"type":"customer"}]"#), page(1)),
    ]
}

/// Bodies with more rows than any page has, which need a larger limit than the others.
#[test]
fn a_page_of_more_rows_than_there_is_sense_in_is_refused() {
    let body = format!(r#"{{"data":[{}0]}}"#, r#"{"id":"a"},"#.repeat(100_001));
    let bytes = answer("200 OK", &body);
    let server = Server::start(Scheme::Http, move |mut peer| {
        peer.request()?;
        peer.send(&bytes)
    });
    let client = kustomer::Client::init(kustomer::InitOptions {
        max_response_bytes: 4 << 20,
        ..super::options(&server, 10_000)
    })
    .unwrap();
    let result = list(&client, 0);
    status(Limit).check(&result).unwrap();
}

/// What is read of an attribute: a row with an odd value keeps the row, and the field is absent.
type Reads = fn(Conversation<'_>) -> bool;

#[rustfmt::skip]
const FIELDS: &[(&str, &str, Reads)] = &[
    ("preview",             "null",                       |c| c.preview().is_empty()),
    ("preview",             "7",                          |c| c.preview().is_empty()),
    ("preview",             r#"["a"]"#,                   |c| c.preview().is_empty()),
    ("preview",             r#""a\u0000b""#,              |c| c.preview() == "a\0b"),
    ("preview",             r#""\ud83d\ude00""#,          |c| c.preview() == "😀"),
    ("preview",             r#""a\ud800b""#,              |c| c.preview() == "a\u{fffd}b"),
    ("preview",             r#""\ude00\ud83d""#,          |c| c.preview() == "\u{fffd}\u{fffd}"),
    ("preview",             r#""\ud800\ud83d\ude00""#,    |c| c.preview() == "\u{fffd}😀"),
    ("preview",             r#""\"\\\/\b\f\n\r\t""#,      |c| c.preview() == "\"\\/\u{8}\u{c}\n\r\t"),
    ("preview",             r#""1","preview":"2""#,       |c| c.preview() == "2"),
    ("preview",             r#""1","preview":2"#,         |c| c.preview().is_empty()),
    ("preview",             r#""1","pr\u0065view":"2""#,  |c| c.preview() == "2"),
    ("createdAt",           "1e400",                      |c| c.created_at().is_none() && c.created_at_ms().is_none()),
    ("createdAt",           "1767225600000",              |c| c.created_at().is_none()),
    ("createdAt",           r#""""#,                      |c| c.created_at() == Some("") && c.created_at_ms().is_none()),
    ("createdAt",           r#""yesterday""#,             |c| c.created_at() == Some("yesterday") && c.created_at_ms().is_none()),
    ("createdAt",           r#""1970-01-01T00:00:00.001Z""#, |c| c.created_at_ms() == Some(1)),
    ("createdAt",           r#""1970-01-01T01:00:00+01:00""#, |c| c.created_at_ms() == Some(0)),
    ("createdAt",           r#""1970-01-01T00:00:00.0019999999999999Z""#, |c| c.created_at_ms() == Some(1)),
    ("createdAt",           r#""2016-12-31T23:59:60Z""#,  |c| c.created_at_ms().is_none()),
    ("createdAt",           r#""2026-02-29T00:00:00Z""#,  |c| c.created_at_ms().is_none()),
    ("lastMessageAt",       "null",                       |c| c.last_message_at().is_none() && c.last_message_at_ms().is_none()),
    ("lastMessageAt",       "false",                      |c| c.last_message_at().is_none()),
    ("lockedAt",            "null",                       |c| c.ended() == Some(false) && c.ended_at().is_none()),
    ("lockedAt",            r#""2026-01-01T00:00:00Z""#,  |c| c.ended() == Some(true) && c.ended_at().is_some()),
    ("lockedAt",            r#""""#,                      |c| c.ended() == Some(true) && c.ended_at() == Some("")),
    ("lockedAt",            "0",                          |c| c.ended().is_none() && c.ended_at().is_none()),
    ("lockedAt",            "true",                       |c| c.ended().is_none()),
    ("locked",              "true",                       |c| c.ended().is_none()),
    ("lockReason",          "{}",                         |c| c.end_reason().is_none()),
    ("name",                "1",                          |c| c.name().is_none()),
    ("name",                r#""""#,                      |c| c.name() == Some("")),
    ("brandId",             "[]",                         |c| c.brand_id().is_none()),
    ("unreadMessageCount",  "3",                          |c| c.unread_count() == Some(3)),
    ("unreadMessageCount",  "-1",                         |c| c.unread_count().is_none()),
    ("unreadMessageCount",  "1.5",                        |c| c.unread_count().is_none()),
    ("unreadMessageCount",  "4294967296",                 |c| c.unread_count().is_none()),
    ("unreadMessageCount",  "1e400",                      |c| c.unread_count().is_none()),
    ("unreadMessageCount",  "9007199254740993",           |c| c.unread_count().is_none()),
    ("unreadMessageCount",  "null",                       |c| c.unread_count().is_none()),
    ("isInAssistantMode",   "true",                       |c| c.is_in_assistant_mode() == Some(true)),
    ("isInAssistantMode",   "1",                          |c| c.is_in_assistant_mode().is_none()),
    ("isInAssistantMode",   r#""true""#,                  |c| c.is_in_assistant_mode().is_none()),
    ("isInAssistantMode",   r#"false,"assistant":{}"#,    |c| c.is_in_assistant_mode() == Some(false)),
    ("isInAssistantMode",   r#"null,"assistant":{}"#,     |c| c.is_in_assistant_mode() == Some(true)),
    ("assistant",           "{}",                         |c| c.is_in_assistant_mode() == Some(true)),
    ("assistant",           r#"{},"lockedAt":7"#,         |c| c.is_in_assistant_mode() == Some(true)),
    ("assistant",           r#"{},"lockedAt":"x""#,       |c| c.is_in_assistant_mode() == Some(false)),
    ("assistant",           r#"{"transferredAt":null}"#,  |c| c.is_in_assistant_mode() == Some(true)),
    ("assistant",           r#"{"transferredAt":"x"}"#,   |c| c.is_in_assistant_mode() == Some(false)),
    ("assistant",           "null",                       |c| c.is_in_assistant_mode().is_none()),
    ("assistant",           r#""bot""#,                   |c| c.is_in_assistant_mode().is_none()),
    ("assistant",           r#"null,"lockedAt":"x""#,     |c| c.is_in_assistant_mode().is_none()),
];

/// `current`, `first`, `next`, `previous` of the first page, and the total.
type Paging = (i32, Option<i32>, Option<i32>, Option<i32>, Option<i64>);

#[rustfmt::skip]
const PAGING: &[(&str, Paging)] = &[
    (r#""x":0"#,                                             (1, Some(1), None, None, None)),
    (r#""links":null"#,                                      (1, Some(1), None, None, None)),
    (r#""links":{}"#,                                        (1, None, None, None, None)),
    (r#""links":{"next":null}"#,                             (1, None, None, None, None)),
    (r#""links":{"next":""}"#,                               (1, None, None, None, None)),
    (r#""links":{"next":"null"}"#,                           (1, None, None, None, None)),
    (r#""links":{"next":{"href":null}}"#,                    (1, None, None, None, None)),
    (r#""links":{"next":{"href":"/c?page=2"}}"#,             (1, None, Some(2), None, None)),
    (r#""links":{"next":"/c?page=2"}"#,                      (1, None, Some(2), None, None)),
    (r#""links":{"next":"/c?page=0002"}"#,                   (1, None, Some(2), None, None)),
    (r#""links":{"next":"https://evil.test/?a=b&page=5#x"}"#, (1, None, Some(5), None, None)),
    (r#""links":{"next":"/c?pageSize=9&page=3"}"#,           (1, None, Some(3), None, None)),
    (r#""links":{"next":"/c?page=2147483647"}"#,             (1, None, Some(i32::MAX), None, None)),
    (r#""links":{"next":"/c?cursor=abc"}"#,                  (1, None, Some(2), None, None)),
    (r#""links":{"next":"/c"}"#,                             (1, None, Some(2), None, None)),
    (r#""links":{"next":"/c?page="}"#,                       (1, None, Some(2), None, None)),
    (r#""links":{"next":"/c?page=two"}"#,                    (1, None, Some(2), None, None)),
    (r#""links":{"next":"/c?page=-2"}"#,                     (1, None, Some(2), None, None)),
    (r#""links":{"next":"/c#page=9"}"#,                      (1, None, Some(2), None, None)),
    (r#""links":{"next":"/c?page=2","next":null}"#,          (1, None, None, None, None)),
    (r#""links":{"first":"/c?page=1","prev":"/c?page=7","next":"\u002fc?page=2"}"#, (1, Some(1), Some(2), Some(7), None)),
    (r#""links":{"first":null,"prev":null}"#,                (1, None, None, None, None)),
    (r#""links":{"self":7}"#,                                (1, None, None, None, None)),
    (r#""links":{"next":"/c"},"meta":{"page":4}"#,           (4, None, Some(5), None, None)),
    (r#""links":{"prev":"/c"},"meta":{"page":4}"#,           (4, None, None, Some(3), None)),
    (r#""links":{"next":"/c?page=2"},"meta":{"totalPages":1,"total":1}"#, (1, None, Some(2), None, Some(1))),
    (r#""links":{"next":null},"meta":{"totalPages":9}"#,     (1, None, None, None, None)),
    (r#""meta":{"totalPages":3}"#,                           (1, Some(1), Some(2), None, None)),
    (r#""meta":{"totalPages":"3"}"#,                         (1, Some(1), Some(2), None, None)),
    (r#""meta":{"totalPages":1}"#,                           (1, Some(1), None, None, None)),
    (r#""meta":{"total":101}"#,                              (1, Some(1), Some(2), None, Some(101))),
    (r#""meta":{"total":100}"#,                              (1, Some(1), None, None, Some(100))),
    (r#""meta":{"total":"101","pageSize":"50"}"#,            (1, Some(1), Some(2), None, Some(101))),
    (r#""meta":{"total":101,"pageSize":200}"#,               (1, Some(1), None, None, Some(101))),
    (r#""meta":{"total":101,"pageSize":0}"#,                 (1, Some(1), Some(2), None, Some(101))),
    (r#""meta":{"total":-1}"#,                               (1, Some(1), None, None, None)),
    (r#""meta":{"total":1e400}"#,                            (1, Some(1), None, None, None)),
    (r#""meta":{"total":[101]}"#,                            (1, Some(1), None, None, None)),
    (r#""meta":{"page":3,"totalPages":3}"#,                  (3, Some(1), None, Some(2), None)),
    (r#""meta":{"page":"2","totalPages":3}"#,                (2, Some(1), Some(3), Some(1), None)),
    (r#""meta":{"page":0}"#,                                 (1, Some(1), None, None, None)),
    (r#""meta":{"page":-4}"#,                                (1, Some(1), None, None, None)),
    (r#""meta":{"page":2147483648}"#,                        (1, Some(1), None, None, None)),
    (r#""meta":{"page":1.5}"#,                               (1, Some(1), None, None, None)),
    (r#""meta":{"page":7,"page":2}"#,                        (2, Some(1), None, Some(1), None)),
];

/// Serves each body by its number, and checks what a call makes of it.
fn check(bodies: Vec<Vec<u8>>, check: impl Fn(usize, &Result<Response>) -> std::result::Result<(), String> + Sync) {
    let bodies = Arc::new(bodies);
    let served = bodies.clone();
    let server = Server::start(Scheme::Http, move |mut peer| {
        loop {
            let body = &served[case(&peer.request()?)];
            peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes())?;
            peer.send(body)?;
        }
    });
    let wrong =
        find_wrong(bodies.len(), 4, || client(&server, 20_000), |client, case| check(case, &list(client, case)));
    println!("{} bodies, {} wrong", bodies.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_body_is_a_page_or_the_documented_error() {
    let (names, bodies): (Vec<_>, Vec<_>) =
        bodies().into_iter().map(|(name, body, expect)| ((name, expect), body)).unzip();
    check(bodies, |case, result| {
        let (name, expect) = names[case];
        expect.check(result).map_err(|what| format!("{name}: {what}"))
    });
}

#[test]
fn an_odd_value_costs_its_field_and_not_its_row() {
    let bodies = FIELDS.iter().map(|(name, json, _)| attribute(name, json)).collect();
    check(bodies, |case, result| {
        let (name, json, reads) = FIELDS[case];
        let row = result.as_ref().ok().filter(|page| page.len() == 2).and_then(|page| page.conversation(0));
        if row.is_some_and(reads) { Ok(()) } else { Err(format!("{name} {json}: {result:?}")) }
    });
}

#[test]
fn page_numbers_are_read_from_links_or_else_from_meta() {
    let bodies = PAGING.iter().map(|(members, _)| and(members)).collect();
    check(bodies, |case, result| {
        let (members, (current, first, next, previous, total)) = PAGING[case];
        let pages = Pages { current, first, next, previous };
        match result {
            Ok(page) if (page.pages(), page.total()) == (pages, total) => Ok(()),
            Ok(page) => Err(format!("{members}: {:?}, total {:?}", page.pages(), page.total())),
            Err(e) => Err(format!("{members}: {e}")),
        }
    });
}
