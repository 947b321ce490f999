//! What the service sends, as values: conversations and their page, the chat settings. JSON:API in;
//! every field is read leniently, so that an odd one costs itself and not the page.

use crate::error::Result;
use crate::http::{Answer, Http};
use crate::json::{self, Malformed};
use crate::scan::{Scanner, Value};
use crate::text::Text;
use crate::timestamp::epoch_ms;
use std::fmt;
use std::sync::Arc;

/// The page numbers around a page, each `None` when there is no such page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pages {
    /// This page: what the service says, else the page that was asked for.
    pub current: i32,
    /// The first page.
    pub first: Option<i32>,
    /// The next page; absent on the last one.
    pub next: Option<i32>,
    /// The page before; absent on the first one.
    pub previous: Option<i32>,
}

/// One page of conversations. Cheap to clone: the clones share one page.
#[derive(Clone)]
pub struct Response(Arc<Page>);

/// All text of a page in one piece, and where in it each row's texts stand: no allocation a field.
struct Page {
    /// A NUL stands behind each text, for the C side.
    text: String,
    rows: Vec<Row>,
    pages: Pages,
    /// The last page's number, when the service tells.
    last: Option<i32>,
    total: Option<i64>,
    skipped: usize,
}

/// Where a text stands in its page; `len` is `ABSENT` for none.
#[derive(Clone, Copy)]
struct Span {
    start: u32,
    len: u32,
}

const ABSENT: u32 = u32::MAX;
const NONE: Span = Span { start: 0, len: ABSENT };

struct Row {
    id: Span,
    created_at: Span,
    preview: Span,
    last_message_at: Span,
    ended_at: Span,
    end_reason: Span,
    name: Span,
    brand_id: Span,
    json: Span,
    unread_count: Option<u32>,
    ended: Option<bool>,
    is_in_assistant_mode: Option<bool>,
}

impl Response {
    /// How many conversations are on this page.
    pub fn len(&self) -> usize {
        self.0.rows.len()
    }

    /// Whether the page has none.
    pub fn is_empty(&self) -> bool {
        self.0.rows.is_empty()
    }

    /// The conversations in the order the service gave: the newest `last_message_at` first.
    pub fn conversations(&self) -> impl ExactSizeIterator<Item = Conversation<'_>> {
        self.0.rows.iter().map(|row| Conversation { text: &self.0.text, row })
    }

    /// One conversation by its place on the page.
    pub fn conversation(&self, index: usize) -> Option<Conversation<'_>> {
        self.0.rows.get(index).map(|row| Conversation { text: &self.0.text, row })
    }

    /// The page numbers around this page.
    pub fn pages(&self) -> Pages {
        self.0.pages
    }

    /// How many conversations there are on all pages; `None` when the service does not tell.
    pub fn total(&self) -> Option<i64> {
        self.0.total
    }

    /// The last page's number; `None` when the service does not tell.
    pub(crate) fn last_page(&self) -> Option<i32> {
        self.0.last
    }

    /// How many elements of the page are not among its conversations: they had no id, were of another
    /// type, or, in a walk over pages, had been delivered before.
    pub fn skipped(&self) -> usize {
        self.0.skipped
    }

    /// Drops the rows whose id is not kept, and counts them as skipped.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        // Nobody shares a page before it is delivered.
        if let Some(Page { text, rows, skipped, .. }) = Arc::get_mut(&mut self.0) {
            let before = rows.len();
            rows.retain(|row| keep(row.id.of(text).unwrap_or_default()));
            *skipped += before - rows.len();
        }
    }
}

/// One conversation, borrowed from its [`Response`].
#[derive(Clone, Copy)]
pub struct Conversation<'a> {
    text: &'a str,
    row: &'a Row,
}

impl fmt::Debug for Response {
    /// Without what people wrote, in which a server may also have put a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("len", &self.len())
            .field("pages", &self.pages())
            .field("total", &self.total())
            .field("skipped", &self.skipped())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Conversation<'_> {
    /// Without texts, as [`Response`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("created_at_ms", &self.created_at_ms())
            .field("last_message_at_ms", &self.last_message_at_ms())
            .field("ended", &self.ended())
            .field("unread_count", &self.unread_count())
            .finish_non_exhaustive()
    }
}

impl Span {
    fn of(self, text: &str) -> Option<&str> {
        self.with_nul(text).map(|t| &t[..t.len() - 1])
    }

    fn with_nul(self, text: &str) -> Option<&str> {
        let start = self.start as usize;
        (self.len != ABSENT).then(|| &text[start..=start + self.len as usize])
    }
}

/// The texts of a conversation, for a caller that needs the NUL behind each.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field {
    Id,
    CreatedAt,
    Preview,
    LastMessageAt,
    EndedAt,
    EndReason,
    Name,
    BrandId,
    Json,
}

impl<'a> Conversation<'a> {
    fn span(self, field: Field) -> Span {
        match field {
            Field::Id => self.row.id,
            Field::CreatedAt => self.row.created_at,
            Field::Preview => self.row.preview,
            Field::LastMessageAt => self.row.last_message_at,
            Field::EndedAt => self.row.ended_at,
            Field::EndReason => self.row.end_reason,
            Field::Name => self.row.name,
            Field::BrandId => self.row.brand_id,
            Field::Json => self.row.json,
        }
    }

    pub(crate) fn with_nul(self, field: Field) -> Option<&'a str> {
        self.span(field).with_nul(self.text)
    }

    fn get(self, field: Field) -> Option<&'a str> {
        self.span(field).of(self.text)
    }

    /// `conversationId`: never empty.
    pub fn id(self) -> &'a str {
        self.get(Field::Id).unwrap_or_default()
    }

    /// `createdAt` as the service sent it: `yyyy-MM-ddTHH:mm:ss.SSSZ`.
    pub fn created_at(self) -> Option<&'a str> {
        self.get(Field::CreatedAt)
    }

    /// `createdAt` in milliseconds since 1970; `None` when it is absent or does not parse.
    pub fn created_at_ms(self) -> Option<i64> {
        self.created_at().and_then(epoch_ms)
    }

    /// The beginning of the last message; `""` for a draft without messages.
    pub fn preview(self) -> &'a str {
        self.get(Field::Preview).unwrap_or_default()
    }

    /// Whether an assistant (a bot) leads the conversation; `None` when the service does not tell.
    ///
    /// *Inferred*, since no public source names the field: an explicit `isInAssistantMode` counts; else an
    /// `assistant` object means true until the conversation has ended or `assistant.transferredAt` is set.
    pub fn is_in_assistant_mode(self) -> Option<bool> {
        self.row.is_in_assistant_mode
    }

    /// `lastMessageAt` as sent; absent on drafts.
    pub fn last_message_at(self) -> Option<&'a str> {
        self.get(Field::LastMessageAt)
    }

    /// `lastMessageAt` in milliseconds since 1970; `None` when it is absent or does not parse.
    pub fn last_message_at_ms(self) -> Option<i64> {
        self.last_message_at().and_then(epoch_ms)
    }

    /// Whether the conversation has ended (`lockedAt` is set); `None` when the service leaves it out.
    pub fn ended(self) -> Option<bool> {
        self.row.ended
    }

    /// When it ended: `lockedAt` as sent.
    pub fn ended_at(self) -> Option<&'a str> {
        self.get(Field::EndedAt)
    }

    /// Why it ended: `lockReason`, such as `customer_ended` or `user_ended`.
    pub fn end_reason(self) -> Option<&'a str> {
        self.get(Field::EndReason)
    }

    /// Its name.
    pub fn name(self) -> Option<&'a str> {
        self.get(Field::Name)
    }

    /// The id of its brand.
    pub fn brand_id(self) -> Option<&'a str> {
        self.get(Field::BrandId)
    }

    /// How many of its messages the visitor has not read (`unreadMessageCount`).
    pub fn unread_count(self) -> Option<u32> {
        self.row.unread_count
    }

    /// The element as the service sent it; only with
    /// [`keep_json`](crate::GetConversationsOptions::keep_json).
    pub fn json(self) -> Option<&'a str> {
        self.get(Field::Json)
    }
}

/// The most rows of a page, a hundred times what can be asked for: what the network can choose is bounded.
const MOST_ROWS: usize = 100_000;

/// What was asked for, as far as it says how to read the answer.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub page: i32,
    pub page_size: i32,
    pub keep_json: bool,
}

impl Response {
    /// A page from the body of an answer.
    pub(crate) fn decode(body: &[u8], asked: Asked) -> std::result::Result<Response, Malformed> {
        let body = json::text(body)?;
        // As much as a page needs that is as it was asked for; what is not needed is given back.
        let mut page = Builder {
            text: String::with_capacity(body.len().min(1 << 20) / 4),
            rows: Vec::with_capacity((asked.page_size as usize).min(body.len() / 32)),
            skipped: 0,
            keep_json: asked.keep_json,
        };
        let (mut found, mut meta, mut links) = (false, None, None);
        let mut scan = Scanner::new(body);
        scan.object(|key, scan| {
            match key {
                "data" => found = page.read(scan)?,
                "meta" => meta = Some(scan.value()?.json),
                "links" => links = Some(scan.value()?.json),
                _ => scan.skip()?,
            }
            Ok(())
        })?;
        scan.end()?;
        if !found {
            return Err(Malformed::Other);
        }
        let (pages, last, total) = paging(asked, meta, links).ok_or(Malformed::Other)?;
        page.text.shrink_to_fit();
        page.rows.shrink_to_fit();
        Ok(Response(Arc::new(Page { text: page.text, rows: page.rows, pages, last, total, skipped: page.skipped })))
    }
}

/// The values of a row's `attributes` that are read, each as its text.
#[derive(Default)]
struct Attributes<'a> {
    created_at: Option<Value<'a>>,
    preview: Option<Value<'a>>,
    last_message_at: Option<Value<'a>>,
    locked_at: Option<Value<'a>>,
    lock_reason: Option<Value<'a>>,
    name: Option<Value<'a>>,
    brand_id: Option<Value<'a>>,
    unread: Option<Value<'a>>,
    mode: Option<Value<'a>>,
    assistant: Option<Value<'a>>,
}

impl<'a> Attributes<'a> {
    fn read(scan: &mut Scanner<'a>) -> std::result::Result<Attributes<'a>, Malformed> {
        let mut found = Attributes::default();
        if scan.peek()? != b'{' {
            scan.skip()?;
            return Ok(found);
        }
        scan.object(|key, scan| {
            let slot = match key {
                "createdAt" => &mut found.created_at,
                "preview" => &mut found.preview,
                "lastMessageAt" => &mut found.last_message_at,
                "lockedAt" => &mut found.locked_at,
                "lockReason" => &mut found.lock_reason,
                "name" => &mut found.name,
                "brandId" => &mut found.brand_id,
                "unreadMessageCount" => &mut found.unread,
                "isInAssistantMode" => &mut found.mode,
                "assistant" => &mut found.assistant,
                _ => {
                    scan.skip()?;
                    return Ok(());
                }
            };
            *slot = Some(scan.value()?);
            Ok(())
        })?;
        Ok(found)
    }
}

struct Builder {
    text: String,
    rows: Vec<Row>,
    skipped: usize,
    keep_json: bool,
}

impl Builder {
    /// The rows of a `data`, in place of those of one that came before; whether there is any.
    fn read(&mut self, scan: &mut Scanner<'_>) -> std::result::Result<bool, Malformed> {
        self.text.clear();
        self.rows.clear();
        self.skipped = 0;
        match scan.peek()? {
            b'[' => scan.array(|scan| self.add(scan))?,
            b'{' => self.add(scan)?,
            _ => {
                scan.skip()?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn add(&mut self, scan: &mut Scanner<'_>) -> std::result::Result<(), Malformed> {
        let start = scan.position()?;
        if scan.peek()? != b'{' {
            scan.skip()?;
            self.skipped += 1;
            return Ok(());
        }
        let (mut id, mut kind) = (None, None);
        let mut attributes = Attributes::default();
        scan.object(|key, scan| {
            match key {
                "id" => id = Some(scan.value()?),
                "type" => kind = Some(scan.value()?),
                "attributes" => attributes = Attributes::read(scan)?,
                _ => scan.skip()?,
            }
            Ok(())
        })?;
        let id = id.and_then(Value::string).filter(|id| !id.is_empty());
        let is_session = kind
            .is_none_or(|kind| json::is_null(kind.json) || kind.string().is_some_and(|kind| kind == "chat_session"));
        let Some(id) = id.filter(|_| is_session) else {
            self.skipped += 1;
            return Ok(());
        };
        if self.rows.len() == MOST_ROWS {
            return Err(Malformed::TooMany);
        }
        let Attributes { locked_at, preview, unread, mode, assistant, .. } = attributes;
        let ended_at = self.string(locked_at);
        let ended = match locked_at {
            Some(value) if json::is_null(value.json) => Some(false),
            _ => (ended_at.len != ABSENT).then_some(true),
        };
        let row = Row {
            id: self.push(&id),
            created_at: self.string(attributes.created_at),
            preview: self.push(&preview.and_then(Value::string).unwrap_or_default()),
            last_message_at: self.string(attributes.last_message_at),
            ended_at,
            end_reason: self.string(attributes.lock_reason),
            name: self.string(attributes.name),
            brand_id: self.string(attributes.brand_id),
            json: if self.keep_json { self.push(scan.passed(start)) } else { NONE },
            unread_count: unread.and_then(|unread| json::integer(unread.json)).and_then(|count| count.try_into().ok()),
            ended,
            is_in_assistant_mode: mode
                .and_then(|mode| json::boolean(mode.json))
                .or_else(|| assistant_mode(assistant?.json, ended)),
        };
        self.rows.push(row);
        Ok(())
    }

    fn string(&mut self, value: Option<Value<'_>>) -> Span {
        value.and_then(Value::string).map_or(NONE, |text| self.push(&text))
    }

    /// Offsets fit: a text is never longer than what it was read from, and twice the largest body (the
    /// second time as kept JSON) is 2 GiB.
    fn push(&mut self, text: &str) -> Span {
        let span = Span { start: self.text.len() as u32, len: text.len() as u32 };
        self.text.push_str(text);
        self.text.push('\0');
        span
    }
}

/// *Inferred*: an assistant leads until the conversation has ended or was transferred to a person.
fn assistant_mode(assistant: &str, ended: Option<bool>) -> Option<bool> {
    json::is_object(assistant).then(|| {
        let [transferred_at] = json::members(assistant, ["transferredAt"]);
        ended != Some(true) && transferred_at.is_none_or(json::is_null)
    })
}

/// The page numbers, the last page's and the total; `None` when the walk could not go on from them.
fn paging(asked: Asked, meta: Option<&str>, links: Option<&str>) -> Option<(Pages, Option<i32>, Option<i64>)> {
    let meta = json::members(meta.unwrap_or("{}"), ["page", "pageSize", "total", "totalPages"]);
    let [page, page_size, total, total_pages] = meta.map(|n| n.and_then(json::integer).filter(|&n| n >= 0));
    let current = page.and_then(page_number).unwrap_or(asked.page);
    let page_size = page_size.filter(|&n| n > 0).unwrap_or(asked.page_size.into());
    let last = total_pages.or_else(|| Some(total?.saturating_add(page_size - 1) / page_size));
    let pages = match links.filter(|links| !json::is_null(links)) {
        Some(links) => {
            let links = json::pick(links, ["first", "next", "prev"]).ok()?;
            let [first, next, previous] = links.map(|link| link.map_or(Ok(None), link_page));
            Pages {
                current,
                first: first.ok().flatten().map(|n| n.map_or(1, saturate)).filter(|&n| n > 0),
                next: next
                    .ok()?
                    .map(|n| n.unwrap_or(i64::from(current) + 1))
                    .map(|n| i32::try_from(n).ok())
                    .map_or(Some(None), |n| n.map(Some))?,
                previous: previous.ok()?.map(|n| n.map_or(current - 1, saturate)).filter(|&n| n > 0),
            }
        }
        None => {
            let more = last.is_some_and(|last| i64::from(current) < last);
            Pages {
                current,
                first: Some(1),
                next: more.then(|| current.checked_add(1)).map_or(Some(None), |n| n.map(Some))?,
                previous: Some(current - 1).filter(|&n| n > 0),
            }
        }
    };
    // A walk that is told to go back, or to stay, would never end.
    if pages.next.is_some_and(|next| next <= asked.page) {
        return None;
    }
    Some((pages, last.map(saturate), total))
}

fn page_number(n: i64) -> Option<i32> {
    i32::try_from(n).ok().filter(|&n| n > 0)
}

fn saturate(n: i64) -> i32 {
    n.clamp(0, i32::MAX.into()) as i32
}

/// The page a link names: absent for no link, `Some(None)` for one that names no number, an error for
/// what is no link at all.
fn link_page(value: &str) -> std::result::Result<Option<Option<i64>>, ()> {
    if json::is_null(value) {
        return Ok(None);
    }
    let [href] = json::members(value, ["href"]);
    let text = match href {
        Some(href) => json::string(href),
        None => json::string(value),
    };
    let link = match text {
        Some(text) => text,
        None if href.is_some_and(json::is_null) => return Ok(None),
        None => return Err(()),
    };
    if link.is_empty() || link == "null" {
        return Ok(None);
    }
    // The fragment first: a `?` in it begins no query.
    let link = link.split('#').next().unwrap_or_default();
    let query = link.split_once('?').map_or("", |(_, query)| query);
    let page = query.split('&').find_map(|parameter| parameter.strip_prefix("page="));
    let digits = page.filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    // More digits than an i64 holds is a page past every limit.
    Ok(Some(digits.map(|n| n.parse().unwrap_or(i64::MAX))))
}

/// The organisation's chat settings, as last fetched. Cheap to clone.
#[derive(Clone)]
pub struct Settings(Arc<SettingsFields>);

pub(crate) struct SettingsFields {
    pub json: Text,
    pub enabled: Option<bool>,
    pub no_history: Option<bool>,
    pub team_name: Option<Text>,
    pub greeting: Option<Text>,
}

impl fmt::Debug for Settings {
    /// Without texts, as [`Response`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("enabled", &self.enabled())
            .field("no_history", &self.no_history())
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// From the answer to `GET /p/v1/chat/settings`.
    pub(crate) fn decode(http: &Http, answer: &Answer) -> Result<Settings> {
        let attributes = attributes(http, answer, "the organisation's chat settings")?;
        let [enabled, no_history, team_name, greeting] =
            json::members(attributes, ["enabled", "noHistory", "teamName", "greeting"]);
        let text = |value: Option<&str>| value.and_then(json::string).map(|text| text.into_owned().into());
        Ok(Settings(Arc::new(SettingsFields {
            json: attributes.into(),
            enabled: enabled.and_then(json::boolean),
            no_history: no_history.and_then(json::boolean),
            team_name: text(team_name),
            greeting: text(greeting),
        })))
    }

    pub(crate) fn fields(&self) -> &SettingsFields {
        &self.0
    }

    /// Every attribute, as the service sent it.
    pub fn json(&self) -> &str {
        self.0.json.as_str()
    }

    /// Whether chat is switched on.
    pub fn enabled(&self) -> Option<bool> {
        self.0.enabled
    }

    /// Whether visitors are shown no ended conversations (`noHistory`): then every list is of active ones.
    pub fn no_history(&self) -> Option<bool> {
        self.0.no_history
    }

    /// The team's name.
    pub fn team_name(&self) -> Option<&str> {
        self.0.team_name.as_ref().map(Text::as_str)
    }

    /// The greeting.
    pub fn greeting(&self) -> Option<&str> {
        self.0.greeting.as_ref().map(Text::as_str)
    }
}

/// The attributes of the one resource of an answer.
pub(crate) fn attributes<'a>(http: &Http, answer: &'a Answer, what: &str) -> Result<&'a str> {
    let find = || {
        let [data] = json::pick(json::text(&answer.body)?, ["data"])?;
        let [attributes] = json::members(data.ok_or(Malformed::Other)?, ["attributes"]);
        attributes.filter(|attributes| json::is_object(attributes)).ok_or(Malformed::Other)
    };
    find().map_err(|malformed| http.decode_error(answer, malformed, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked = Asked { page: 1, page_size: 100, keep_json: true };

    fn decode(body: &str) -> std::result::Result<Response, Malformed> {
        Response::decode(body.as_bytes(), ASKED)
    }

    fn row(attributes: &str) -> Response {
        decode(&format!(r#"{{"data":[{{"type":"chat_session","id":"a","attributes":{attributes}}}]}}"#)).unwrap()
    }

    #[test]
    fn a_page_as_the_service_sends_it() {
        let element = r#"{"type": "chat_session", "id": "64aa", "attributes": {"preview": "Where is my \u00f8rder?", "createdAt": "2026-10-21T14:02:11.925Z",
            "lastMessageAt": "2026-10-21T14:05:39.002Z", "lockedAt": null, "unreadMessageCount": 3, "brandId": "b1", "name": "n"}, "relationships": {}}"#;
        let body = format!(
            r#"{{"meta":{{"page":1,"pageSize":100,"total":210,"totalPages":3}},
              "links":{{"self":"/c?page=1","first":"/c?page=1&pageSize=100","prev":null,"next":"/c?page=2&pageSize=100"}},"data":[{element}]}}"#
        );
        let page = decode(&body).unwrap();
        assert_eq!(page.pages(), Pages { current: 1, first: Some(1), next: Some(2), previous: None });
        assert_eq!((page.total(), page.len(), page.skipped()), (Some(210), 1, 0));
        let c = page.conversation(0).unwrap();
        assert_eq!(
            (c.id(), c.preview(), c.name(), c.brand_id()),
            ("64aa", "Where is my ørder?", Some("n"), Some("b1"))
        );
        assert_eq!((c.created_at(), c.created_at_ms()), (Some("2026-10-21T14:02:11.925Z"), Some(1_792_591_331_925)));
        assert_eq!((c.ended(), c.ended_at(), c.end_reason(), c.unread_count()), (Some(false), None, None, Some(3)));
        assert_eq!((c.is_in_assistant_mode(), c.json()), (None, Some(element)));
        assert!(page.conversation(1).is_none());
    }

    #[test]
    fn an_odd_field_is_absent_and_its_row_stays() {
        for odd in ["1", "1e400", "-0", "true", "{}", "[]", "[\"x\"]", "null"] {
            let page = row(&format!(
                r#"{{"preview":{odd},"createdAt":{odd},"lastMessageAt":{odd},"lockReason":{odd},"name":{odd},"brandId":{odd},"isInAssistantMode":{odd}}}"#
            ));
            let c = page.conversation(0).unwrap();
            assert_eq!((c.preview(), c.created_at(), c.last_message_at(), c.end_reason()), ("", None, None, None));
            assert_eq!((c.created_at_ms(), c.name(), c.brand_id(), c.ended()), (None, None, None, None));
            assert_eq!(c.is_in_assistant_mode(), if odd == "true" { Some(true) } else { None });
        }
        for attributes in ["null", "[]", "7", "\"x\"", "{}"] {
            assert_eq!(row(attributes).len(), 1);
        }
    }

    #[test]
    fn text_arrives_as_the_text_it_means() {
        let page = row(r#"{"preview":"a\u0000b\ud800c\ud83d\ude00","name":""}"#);
        let c = page.conversation(0).unwrap();
        assert_eq!((c.preview(), c.name()), ("a\0b\u{fffd}c😀", Some("")));
        assert_eq!(c.with_nul(Field::Preview), Some("a\0b\u{fffd}c😀\0"));
    }

    #[test]
    fn ended_has_three_values() {
        for (locked, ended) in [
            ("null", Some(false)),
            ("\"2026-10-21T14:02:11.925Z\"", Some(true)),
            ("\"\"", Some(true)),
            ("7", None),
            ("{}", None),
        ] {
            assert_eq!(row(&format!(r#"{{"lockedAt":{locked}}}"#)).conversation(0).unwrap().ended(), ended, "{locked}");
        }
        assert_eq!(row("{}").conversation(0).unwrap().ended(), None);
    }

    #[test]
    fn assistant_mode_has_three_values() {
        for (attributes, mode) in [
            (r#"{"isInAssistantMode":true,"lockedAt":"x"}"#, Some(true)),
            (r#"{"isInAssistantMode":false,"assistant":{}}"#, Some(false)),
            (r#"{"isInAssistantMode":"true","assistant":{}}"#, Some(true)),
            (r#"{"assistant":{}}"#, Some(true)),
            (r#"{"assistant":{"transferredAt":null},"lockedAt":null}"#, Some(true)),
            (r#"{"assistant":{"transferredAt":"2026"}}"#, Some(false)),
            (r#"{"assistant":{},"lockedAt":"2026"}"#, Some(false)),
            (r#"{"assistant":null}"#, None),
            (r#"{"assistant":"a","lockedAt":"2026"}"#, None),
            (r#"{"lockedAt":"2026"}"#, None),
        ] {
            assert_eq!(row(attributes).conversation(0).unwrap().is_in_assistant_mode(), mode, "{attributes}");
        }
    }

    #[test]
    fn unread_is_a_count_or_absent() {
        for (unread, count) in [
            ("0", Some(0)),
            ("\"4\"", Some(4)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("-1", None),
            ("1.5", None),
            ("null", None),
        ] {
            assert_eq!(
                row(&format!(r#"{{"unreadMessageCount":{unread}}}"#)).conversation(0).unwrap().unread_count(),
                count,
                "{unread}"
            );
        }
    }

    #[test]
    fn what_is_no_conversation_is_skipped_and_counted() {
        let page = decode(
            r#"{"data":[{"id":"a"},{"type":"chat_session"},{"id":""},{"id":7},{"id":"b","type":"customer"},{"id":"c","type":7},
               ["a"],null,7,"x",{"id":"d","type":null},{"id":"x","id":"e"},{"id":"f","id":null}]}"#,
        )
        .unwrap();
        let ids: Vec<_> = page.conversations().map(Conversation::id).collect();
        assert_eq!((ids.as_slice(), page.skipped()), (&["a", "d", "e"][..], 10));
    }

    #[test]
    fn data_may_be_one_object_but_must_be_there() {
        assert_eq!(decode(r#"{"data":{"id":"a"}}"#).unwrap().len(), 1);
        assert_eq!(decode(r#"{"data":null,"data":[]}"#).unwrap().len(), 0);
        for body in [
            "{}",
            r#"{"data":null}"#,
            r#"{"data":7}"#,
            r#"{"data":"x"}"#,
            r#"{"data":[],"data":null}"#,
            "[]",
            "null",
            "7",
            "\"x\"",
            "[[\"a\"]]",
            "{\"data\":[]}x",
            "\u{feff}{\"data\":[]}",
            "{\"data\":[],}",
            "{\"data\":[NaN]}",
            "<html>",
            "{\"data\":[1 2]}",
        ] {
            assert_eq!(decode(body).unwrap_err(), Malformed::Other, "{body}");
        }
        assert_eq!(Response::decode(b"{\"data\":[],\"x\":\"\xff\"}", ASKED).unwrap_err(), Malformed::Other);
        assert_eq!(Response::decode(b"", ASKED).unwrap_err(), Malformed::Cut);
    }

    type Numbers = (i32, Option<i32>, Option<i32>, Option<i32>);

    fn pages(page: i32, rest: &str) -> Option<Numbers> {
        let body = format!(r#"{{"data":[]{rest}}}"#);
        let page = Response::decode(body.as_bytes(), Asked { page, page_size: 10, keep_json: false }).ok()?;
        let Pages { current, first, next, previous } = page.pages();
        Some((current, first, next, previous))
    }

    #[test]
    fn page_numbers_are_read_from_the_links() {
        let links = |links: &str| format!(r#","links":{links}"#);
        for (asked, rest, expected) in [
            (
                2,
                r#"{"first":"/c?page=1","next":"https://evil.test/c?a=b&page=3#page=9","prev":"/c?page=1"}"#,
                Some((2, Some(1), Some(3), Some(1))),
            ),
            (2, r#"{"next":{"href":"/c?page=5"},"prev":{"href":"/c?page=1"}}"#, Some((2, None, Some(5), Some(1)))),
            (2, r#"{"next":"/c?cursor=x","prev":"/c"}"#, Some((2, None, Some(3), Some(1)))),
            (2, r#"{"next":"/c#?page=9"}"#, Some((2, None, Some(3), None))),
            (2, r#"{"next":"/c?page=x&pageSize=9","prev":"/c?page="}"#, Some((2, None, Some(3), Some(1)))),
            (2, r#"{"next":null,"prev":null}"#, Some((2, None, None, None))),
            (2, r#"{"next":"","prev":""}"#, Some((2, None, None, None))),
            (2, r#"{"next":"null","first":"null"}"#, Some((2, None, None, None))),
            (2, "{}", Some((2, None, None, None))),
            (2, r#"{"next":7}"#, None),
            (2, r#"{"next":[]}"#, None),
            (2, r#"{"prev":true}"#, None),
            (2, r#"{"next":{"href":7}}"#, None),
            (2, r#"{"next":{}}"#, None),
            (2, r#"{"next":{"href":null}}"#, Some((2, None, None, None))),
            (2, r#"{"next":"/c?page=2"}"#, None),
            (2, r#"{"next":"/c?page=1"}"#, None),
            (2, r#"{"next":"/c?page=0"}"#, None),
            (2, r#"{"next":"/c?page=2147483648"}"#, None),
            (2, r#"{"next":"/c?page=99999999999999999999"}"#, None),
            (2, r#"{"next":"/c?page=2147483647"}"#, Some((2, None, Some(i32::MAX), None))),
            (2, "[]", None),
            (2, "7", None),
        ] {
            assert_eq!(pages(asked, &links(rest)), expected, "{rest}");
        }
        assert_eq!(pages(i32::MAX, r#","links":{"next":"/c"}"#), None);
    }

    #[test]
    fn without_links_the_totals_tell() {
        for (asked, rest, expected) in [
            (2, "", (2, Some(1), None, Some(1))),
            (1, r#","links":null,"meta":null"#, (1, Some(1), None, None)),
            (1, r#","meta":{"totalPages":2}"#, (1, Some(1), Some(2), None)),
            (2, r#","meta":{"totalPages":"2"}"#, (2, Some(1), None, Some(1))),
            (1, r#","meta":{"total":11}"#, (1, Some(1), Some(2), None)),
            (1, r#","meta":{"total":11,"pageSize":"20"}"#, (1, Some(1), None, None)),
            (1, r#","meta":{"page":"3","total":100}"#, (3, Some(1), Some(4), Some(2))),
            (1, r#","meta":{"page":0,"pageSize":0,"total":-1}"#, (1, Some(1), None, None)),
            (1, r#","meta":[]"#, (1, Some(1), None, None)),
        ] {
            assert_eq!(pages(asked, rest), Some(expected), "{rest}");
        }
        assert_eq!(pages(i32::MAX, r#","meta":{"total":1e15}"#), None);
        assert_eq!(decode(r#"{"data":[],"meta":{"total":"12"}}"#).unwrap().total(), Some(12));
    }

    #[test]
    fn a_flood_of_rows_is_refused_in_bounded_memory() {
        let body = |rows: usize| format!(r#"{{"data":[{}{{"id":"a"}}]}}"#, r#"{"id":"a"},"#.repeat(rows - 1));
        assert_eq!(decode(&body(MOST_ROWS)).unwrap().len(), MOST_ROWS);
        assert_eq!(decode(&body(MOST_ROWS + 1)).unwrap_err(), Malformed::TooMany);
    }

    #[test]
    fn a_kept_row_costs_its_text_and_little_more() {
        assert!(size_of::<Row>() <= 96, "{}", size_of::<Row>());
    }
}
