//! What the service sends: pages, their numbers, its errors, the settings. Each is decoded a second time, from
//! a [`Value`], where serde_json has one for the body: not for a lone surrogate, a number like 1e400, or 128
//! levels.

use super::{holds, is_json, text};
use crate::error::{Detail, Error, ErrorKind};
use crate::http::{Answer, Http, details};
use crate::json::Malformed;
use crate::log::{Level, Logger, Secrets};
use crate::model::{Asked, Conversation, Field, Pages, Response, Settings};
use crate::options::InitOptions;
use crate::origin::Origin;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

/// A page of conversations.
pub fn page(data: &[u8]) {
    check_page(data, Asked { page: 1, page_size: 100, keep_json: true });
}

/// Page numbers: the page and the page size asked for, a line break, and `"meta"` and `"links"` of an
/// answer to it.
pub fn paging(data: &[u8]) {
    let (asked, members) = text(data).split_once('\n').unwrap_or_default();
    let (page, page_size) = asked.split_once(' ').unwrap_or_default();
    let page = page.parse().unwrap_or(1).max(1);
    let page_size = page_size.parse().unwrap_or(100).clamp(1, 1000);
    check_page(format!("{{\"data\":[],{members}}}").as_bytes(), Asked { page, page_size, keep_json: false });
}

fn check_page(body: &[u8], asked: Asked) {
    let decoded = Response::decode(body, asked);
    match &decoded {
        Ok(page) => {
            assert!(is_json(body));
            check_rows(page, asked);
            let short = &body.trim_ascii_end()[..body.trim_ascii_end().len() - 1];
            assert_eq!(Response::decode(short, asked).err(), Some(Malformed::Cut), "without its last byte");
            check_walk(body, asked, page);
        }
        Err(Malformed::Cut) => assert!(!is_json(body), "it is whole"),
        Err(_) => {}
    }
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        compare(decoded.ok().as_ref(), &value, asked);
    }
}

fn check_rows(page: &Response, asked: Asked) {
    use Field::{BrandId, CreatedAt, EndReason, EndedAt, Id, Json, LastMessageAt, Name, Preview};
    for row in page.conversations() {
        assert!(!row.id().is_empty() && row.with_nul(Preview).is_some());
        assert_eq!(row.json().is_some(), asked.keep_json);
        assert_eq!(row.ended() == Some(true), row.ended_at().is_some());
        for field in [Id, CreatedAt, Preview, LastMessageAt, EndedAt, EndReason, Name, BrandId, Json] {
            assert!(row.with_nul(field).is_none_or(|text| text.ends_with('\0')));
        }
        let _ = (row.created_at_ms(), row.last_message_at_ms());
    }
    let Pages { current, first, next, previous } = page.pages();
    assert!(next.is_none_or(|next| next > asked.page), "a walk would not end");
    assert!([Some(current), first, next, previous].iter().flatten().all(|&n| n > 0), "{:?}", page.pages());
    assert!(page.total().is_none_or(|n| n >= 0));
}

/// In a walk a repeated id is dropped and counted; the rows that stay are in their order.
fn check_walk(body: &[u8], asked: Asked, page: &Response) {
    let mut walked = Response::decode(body, asked).unwrap_or_else(|e| panic!("{e:?}"));
    let mut seen = HashSet::new();
    walked.retain(|id| seen.insert(id.to_owned()));
    let mut first = HashSet::new();
    let expected: Vec<&str> = page.conversations().map(Conversation::id).filter(|&id| first.insert(id)).collect();
    assert_eq!(walked.conversations().map(Conversation::id).collect::<Vec<_>>(), expected);
    assert_eq!(walked.len() + walked.skipped(), page.len() + page.skipped());
}

fn compare(page: Option<&Response>, body: &Value, asked: Asked) {
    let elements = match &body["data"] {
        Value::Array(elements) => Some(elements.iter().collect()),
        element @ Value::Object(_) => Some(vec![element]),
        _ => None,
    };
    let (Some(elements), Some((pages, total))) = (elements, pages(body, asked)) else {
        assert!(page.is_none(), "{body}");
        return;
    };
    let page = page.unwrap_or_else(|| panic!("refused: {body}"));
    assert_eq!((page.pages(), page.total()), (pages, total), "{body}");
    let is_row = |e: &&Value| {
        e["id"].as_str().is_some_and(|id| !id.is_empty()) && (e["type"].is_null() || e["type"] == "chat_session")
    };
    let rows: Vec<&Value> = elements.iter().copied().filter(is_row).collect();
    assert_eq!((page.len(), page.skipped()), (rows.len(), elements.len() - rows.len()), "{body}");
    for (row, element) in page.conversations().zip(rows) {
        let attributes = &element["attributes"];
        let ended = match attributes.get("lockedAt") {
            Some(Value::Null) => Some(false),
            Some(Value::String(_)) => Some(true),
            _ => None,
        };
        let led = || {
            let assistant = attributes["assistant"].as_object()?;
            Some(ended != Some(true) && assistant.get("transferredAt").is_none_or(Value::is_null))
        };
        assert_eq!(row.id(), element["id"]);
        assert_eq!(row.preview(), attributes["preview"].as_str().unwrap_or_default());
        for (ours, name) in [
            (row.created_at(), "createdAt"),
            (row.last_message_at(), "lastMessageAt"),
            (row.ended_at(), "lockedAt"),
            (row.end_reason(), "lockReason"),
            (row.name(), "name"),
            (row.brand_id(), "brandId"),
        ] {
            assert_eq!(ours, attributes[name].as_str(), "{name} of {element}");
        }
        assert_eq!(row.ended(), ended, "{element}");
        let unread = integer(&attributes["unreadMessageCount"]).and_then(|n| u32::try_from(n).ok());
        assert_eq!(row.unread_count(), unread, "{element}");
        assert_eq!(row.is_in_assistant_mode(), attributes["isInAssistantMode"].as_bool().or_else(led), "{element}");
        if let Some(json) = row.json() {
            assert_eq!(serde_json::from_str::<Value>(json).ok().as_ref(), Some(element));
        }
    }
}

/// A whole number, as one or as text; up to where JavaScript knows it from its neighbours.
fn integer(value: &Value) -> Option<i64> {
    let whole = |n: f64| (n.trunc() == n && n.abs() <= (1u64 << 53) as f64).then_some(n as i64);
    match value {
        Value::Number(n) => n.as_i64().or_else(|| whole(n.as_f64()?)),
        Value::String(text) => text.parse().ok().or_else(|| whole(text.parse().ok()?)),
        _ => None,
    }
}

/// The page numbers of a body by the rules of the C API; `None` where the page is not to be had.
fn pages(body: &Value, asked: Asked) -> Option<(Pages, Option<i64>)> {
    const LAST: i128 = i32::MAX as i128;
    let count = |name: &str| integer(&body["meta"][name]).filter(|n| *n >= 0).map(i128::from);
    let current = count("page").filter(|n| (1..=LAST).contains(n)).unwrap_or(asked.page.into());
    let total = count("total");
    let (first, next, previous) = match &body["links"] {
        Value::Object(links) => {
            let link = |name: &str| links.get(name).map_or(Ok(None), link);
            let first = link("first").unwrap_or_default().map(|named| named.unwrap_or(1));
            let next = link("next").ok()?.map(|named| named.unwrap_or(current + 1));
            let previous = link("prev").ok()?.map(|named| named.unwrap_or(current - 1));
            (first, next, previous)
        }
        Value::Null => {
            let page_size = count("pageSize").filter(|n| *n > 0).unwrap_or(asked.page_size.into());
            let more = match count("totalPages") {
                Some(pages) => current < pages,
                None => total.is_some_and(|total| current * page_size < total),
            };
            (Some(1), more.then_some(current + 1), Some(current - 1))
        }
        _ => return None,
    };
    if next.is_some_and(|next| next <= asked.page.into() || next > LAST) {
        return None;
    }
    let number = |n: Option<i128>| n.filter(|n| *n > 0).map(|n| n.min(LAST) as i32);
    let pages = Pages { current: current as i32, first: number(first), next: number(next), previous: number(previous) };
    Some((pages, total.map(|n| n as i64)))
}

/// The page that a link names: no link, a link without a number, a number.
fn link(value: &Value) -> Result<Option<Option<i128>>, ()> {
    let link = match value {
        Value::Null => return Ok(None),
        Value::Object(link) => link.get("href").ok_or(())?,
        link => link,
    };
    match link {
        Value::Null => Ok(None),
        Value::String(link) if link.is_empty() || link == "null" => Ok(None),
        Value::String(link) => {
            let (before_fragment, _) = link.split_once('#').unwrap_or((link, ""));
            let (_, query) = before_fragment.split_once('?').unwrap_or_default();
            let page = query.split('&').find(|parameter| parameter.starts_with("page="));
            let digits = page.map(|p| &p[5..]).filter(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()));
            Ok(Some(digits.map(|n| n.parse().unwrap_or(i128::MAX))))
        }
        _ => Err(()),
    }
}

/// A secret of the client whose errors are looked at: what a server says of it must not be seen.
const SECRET: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpZCI6IjVmMWQwYzJhIn0.c2lnbmF0dXJlLW9mLWEtdG9rZW4";

static HTTP: LazyLock<Http> = LazyLock::new(|| {
    let options = InitOptions { api_key: SECRET.to_owned(), ..InitOptions::default() };
    let limits = options.check().unwrap_or_else(|e| panic!("{e}"));
    let origin = Origin::parse("https://acme.test").unwrap_or_else(|e| panic!("{e}"));
    let logger = Logger::new(Level::Debug, None, Secrets::new([SECRET.to_owned()]));
    Http::new(&options, &limits, origin, None, Arc::new(logger)).unwrap_or_else(|e| panic!("{e}"))
});

fn answer(body: &[u8]) -> Answer {
    Answer { status: 200, body: body.to_vec(), ended_with_connection: false, coding: None }
}

fn texts(detail: &Detail) -> [Option<&str>; 4] {
    [detail.code(), detail.title(), detail.message(), detail.source()]
}

/// The service's errors, in either shape, and the error that becomes of them.
pub fn errors(data: &[u8]) {
    // Every text is redacted, once.
    let found = details(data, |text| format!("<{text}>"));
    assert!(found.len() <= 100);
    for text in found.iter().flat_map(texts).flatten() {
        assert!(text.starts_with('<') && text.ends_with('>'), "{text:?}");
    }
    let error = HTTP.decode_error(&answer(data), Malformed::Other, "a page");
    check_error(&error);
    if let Ok(body) = serde_json::from_slice::<Value>(data) {
        let listed = body["errors"].as_array().into_iter().flatten().filter(|e| e.is_object());
        let listed: Vec<&Value> = listed.take(100).collect();
        assert_eq!(found.len(), listed.len(), "{body}");
        for (ours, theirs) in found.iter().map(texts).zip(listed) {
            compare_detail(ours.map(|text| text.map(|t| &t[1..t.len() - 1])), theirs);
        }
        let is_list = body["errors"].is_array() && body["data"].is_null();
        assert_eq!(error.kind(), if is_list { ErrorKind::Http } else { ErrorKind::Decode }, "{body}");
        assert_eq!(error.details().len(), if is_list { found.len() } else { 0 });
    }
}

fn compare_detail([code, title, message, source]: [Option<&str>; 4], theirs: &Value) {
    // A number is handed on as it was written, which a `Value` knows of integers only.
    let is = |ours: Option<&str>, theirs: &Value| match theirs {
        Value::String(text) => ours == Some(text),
        Value::Number(n) if n.is_i64() => ours.and_then(|text| text.parse().ok()) == n.as_i64(),
        _ => ours.is_some() == integer(theirs).is_some(),
    };
    let has = |value: &Value| value.is_string() || integer(value).is_some();
    assert!(is(code, &theirs["code"]) && is(title, &theirs["title"]), "{theirs}");
    let said = if has(&theirs["detail"]) { &theirs["detail"] } else { &theirs["message"] };
    assert!(is(message, said), "{theirs}");
    match &theirs["source"] {
        Value::Null => assert_eq!(source, None),
        at if has(&at["pointer"]) => assert!(is(source, &at["pointer"]), "{theirs}"),
        at if has(&at["parameter"]) => assert!(is(source, &at["parameter"]), "{theirs}"),
        at => assert_eq!(source.and_then(|json| serde_json::from_str(json).ok()).as_ref(), Some(at)),
    }
}

fn check_error(error: &Error) {
    assert!(matches!(error.kind(), ErrorKind::Http | ErrorKind::Decode), "{error:?}");
    assert_eq!(error.http_status(), Some(200));
    // A quote of at most 200 characters, and what stands around it.
    assert!(error.message().chars().count() < 400, "{error}");
    assert!(error.message_text().with_nul().ends_with('\0'));
    let seen: Vec<&str> = error.details().iter().flat_map(texts).flatten().chain([error.message()]).collect();
    assert!(!holds(&seen.join("\n"), SECRET), "{error:?}");
}

/// The chat settings, or the error there is in their place.
pub fn settings(data: &[u8]) {
    let settings = Settings::decode(&HTTP, &answer(data));
    match &settings {
        Ok(settings) => assert!(is_json(data) && is_json(settings.json().as_bytes())),
        Err(error) => check_error(error),
    }
    if let Ok(body) = serde_json::from_slice::<Value>(data) {
        let attributes = &body["data"]["attributes"];
        let Ok(settings) = settings else {
            assert!(!attributes.is_object(), "{body}");
            return;
        };
        assert_eq!(serde_json::from_str::<Value>(settings.json()).ok().as_ref(), Some(attributes));
        assert!(attributes.is_object());
        assert_eq!(settings.enabled(), attributes["enabled"].as_bool());
        assert_eq!(settings.no_history(), attributes["noHistory"].as_bool());
        assert_eq!(settings.team_name(), attributes["teamName"].as_str());
        assert_eq!(settings.greeting(), attributes["greeting"].as_str());
    }
}
