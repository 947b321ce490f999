//! The list of conversations: one page, and the pager that every walk is made of.

use crate::client::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Answer, Credential, is_own, is_refusal, parameter};
use crate::log::Level;
use crate::model::{Asked, Response};
use crate::options::{Query, RUNAWAY_PAGES};
use crate::prefetch::Prefetch;
use crate::transport::Call;
use crate::visitor::Who;
use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;

/// Fetches one page. `epoch` is the visitor the walk began with; a page for another one is not delivered.
pub(crate) fn fetch(
    client: &Inner,
    call: &Call,
    query: &Query,
    page: i32,
    epoch: &mut Option<u64>,
) -> Result<Response> {
    call.check("about to begin")?;
    let answer = match &client.visitors {
        None => client.http.get(call, &server_path(query, page), Credential::Bearer(&client.api_key), &|| Ok(()))?,
        Some(visitors) => {
            let settings = visitors.settings(&client.http, call)?;
            let mut who = visitors.who(&client.http, call)?;
            let began = *epoch.get_or_insert(who.epoch);
            visitors.still(began)?;
            let path = chat_path(query, page, settings.no_history() == Some(true));
            let ask = |who: &Who| {
                let credential = Credential::TrackingToken(who.token());
                let answer = client.http.get(call, &path, credential, &|| visitors.still(began));
                match &answer {
                    Err(e) if is_own(e) => {}
                    _ => visitors.still(began)?,
                }
                answer
            };
            match ask(&who) {
                Err(e) if is_refusal(&e) => {
                    let logger = &client.http.logger;
                    logger.log(Level::Warning, || "the tracking token was refused; fetching a fresh one".to_owned());
                    who = visitors.renew(&client.http, call, &who)?;
                    visitors.still(began)?;
                    ask(&who)?
                }
                answer => answer?,
            }
        }
    };
    let response = decode(client, &answer, query, page)?;
    call.check("about to deliver a page")?;
    Ok(response)
}

fn decode(client: &Inner, answer: &Answer, query: &Query, page: i32) -> Result<Response> {
    let asked = Asked { page, page_size: query.page_size, keep_json: query.keep_json };
    Response::decode(&answer.body, asked).map_err(|malformed| {
        client.http.decode_error(answer, malformed, "a page of conversations that can be read and walked on from")
    })
}

fn chat_path(query: &Query, page: i32, no_history: bool) -> String {
    // Where the organisation shows no history, the service wants to be asked for active ones only (source: Kustomer's SDKs).
    path("/c/v1/chat/sessions", [], query, page, query.active_only || no_history)
}

fn server_path(query: &Query, page: i32) -> String {
    let owner = [("customerId", query.customer_id.as_deref()), ("trackingId", query.tracking_id.as_deref())];
    path("/v2.1/chat/sessions", owner, query, page, query.active_only)
}

fn path<'a>(
    route: &str,
    owner: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    query: &Query,
    page: i32,
    active: bool,
) -> String {
    let mut parameters: Vec<String> =
        owner.into_iter().filter_map(|(key, value)| Some(parameter(key, value?))).collect();
    parameters.push(format!("page={page}&pageSize={}", query.page_size));
    if active {
        parameters.push("active=true".to_owned());
    }
    parameters.extend(query.brand_id.as_deref().map(|brand| parameter("brandId", brand)));
    format!("{route}?{}", parameters.join("&"))
}

/// One try at a page that may be wanted later: `None` when anything at all is not as usual.
pub(crate) fn fetch_ahead(client: &Inner, call: &Call, query: &Query, page: i32, epoch: u64) -> Option<Response> {
    let answer = match &client.visitors {
        None => client.http.get_once(call, &server_path(query, page), Credential::Bearer(&client.api_key)),
        Some(visitors) => {
            let who = visitors.who_now().filter(|who| who.epoch == epoch)?;
            let path = chat_path(query, page, visitors.settings_now()?.no_history() == Some(true));
            client.http.get_once(call, &path, Credential::TrackingToken(who.token()))
        }
    };
    decode(client, &answer.ok()?, query, page).ok()
}

/// A walk over pages, one page a step; see [`Client::pages`](crate::Client::pages).
///
/// After an error the same page is asked for again by the next step: a `for` loop should leave on the
/// first error it will not try again.
#[derive(Debug)]
pub struct Pager {
    /// Before the client: its threads have to be gone first.
    prefetch: Option<Prefetch>,
    client: Arc<Inner>,
    query: Query,
    next: Option<i32>,
    delivered: u32,
    seen: Seen,
    epoch: Option<u64>,
}

impl Pager {
    pub(crate) fn new(client: Arc<Inner>, query: Query) -> Pager {
        let next = Some(query.page);
        Pager { client, next, query, delivered: 0, seen: Seen::default(), epoch: None, prefetch: None }
    }

    pub(crate) fn check_process(&self) -> Result<()> {
        self.client.check_process()
    }

    /// Whether the last page was delivered.
    pub(crate) fn is_at_end(&self) -> bool {
        self.next.is_none()
    }

    fn step(&mut self, page: i32) -> Result<Response> {
        self.check_process()?;
        let call = Call::new(self.query.timeout, self.query.cancel.clone());
        call.check("about to begin")?;
        if self.query.max_pages.is_none() && self.delivered == RUNAWAY_PAGES {
            return Err(Error::new(
                ErrorKind::Limit,
                format!("{RUNAWAY_PAGES} pages were delivered and there are more; set `max_pages` to walk further"),
            ));
        }
        if self.prefetch.is_none() && self.query.prefetch > 0 && self.query.max_pages != Some(1) {
            self.prefetch = Some(Prefetch::start(&self.client, &self.query));
        }
        let mut response = match self.take_ahead(page, &call)? {
            Some(response) => response,
            None => fetch(&self.client, &call, &self.query, page, &mut self.epoch)?,
        };
        response.retain(|id| self.seen.insert(id));
        self.delivered += 1;
        self.next = response.pages().next.filter(|_| self.query.max_pages != Some(self.delivered));
        self.ask_ahead(page, response.last_page());
        Ok(response)
    }

    /// The page, when it was fetched ahead and is still the same visitor's.
    fn take_ahead(&mut self, page: i32, call: &Call) -> Result<Option<Response>> {
        let Some(prefetch) = &mut self.prefetch else { return Ok(None) };
        let response = prefetch.take(page, call, &self.client.http.logger)?;
        if let (Some(_), Some(visitors), Some(epoch)) = (&response, &self.client.visitors, self.epoch) {
            visitors.still(epoch)?;
        }
        call.check("about to deliver a page")?;
        Ok(response)
    }

    /// Ends the fetching ahead; on the calling thread, which hears of the requests that came to nothing.
    pub(crate) fn end(&mut self) {
        if let Some(prefetch) = self.prefetch.take() {
            prefetch.end(&self.client.http.logger);
        }
    }

    /// Asks for the next pages, but never past an end that is told; where none is, for no more of them than
    /// were delivered, so that what is wasted is never more than what was of use.
    fn ask_ahead(&mut self, page: i32, last_page: Option<i32>) {
        let Some(next) = self.next else {
            return self.end();
        };
        if let Some(prefetch) = &mut self.prefetch {
            let told = last_page.map(|last| u32::try_from(i64::from(last) - i64::from(next) + 1).unwrap_or(0));
            let left = self.query.max_pages.unwrap_or(RUNAWAY_PAGES).saturating_sub(self.delivered);
            // Where the numbers jump it is not known which comes after the next.
            let known = if next == page + 1 { u32::MAX } else { 1 };
            let count = self.query.prefetch.min(told.unwrap_or(self.delivered)).min(left).min(known);
            prefetch.ask(next, count, self.epoch.unwrap_or_default());
        }
    }
}

impl Iterator for Pager {
    type Item = Result<Response>;

    /// The next page; `None` at the end, and ever after.
    fn next(&mut self) -> Option<Result<Response>> {
        match self.next {
            Some(page) => Some(self.step(page)),
            None if self.query.cancel.as_ref().is_some_and(|c| c.is_triggered()) => {
                Some(Err(Call::new(self.query.timeout, self.query.cancel.clone()).check("at its end").unwrap_err()))
            }
            None => None,
        }
    }
}

/// How many ids a walk remembers at least.
const REMEMBERED: usize = 65_536;

/// The ids a walk has delivered, as keyed hashes: in two halves, of which the older one is forgotten when
/// the newer one is full, so that a walk of any length needs the same memory.
#[derive(Debug, Default)]
struct Seen {
    hasher: RandomState,
    newer: HashSet<u64>,
    older: HashSet<u64>,
}

impl Seen {
    /// Whether the id is new.
    fn insert(&mut self, id: &str) -> bool {
        let hash = self.hasher.hash_one(id);
        let known = self.older.contains(&hash);
        let new = self.newer.insert(hash) && !known;
        if self.newer.len() == REMEMBERED {
            self.older = std::mem::take(&mut self.newer);
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_path_says_whose_conversations_and_which() {
        let mut query = Query {
            page: 1,
            page_size: 25,
            max_pages: None,
            prefetch: 0,
            active_only: false,
            keep_json: false,
            timeout: Duration::ZERO,
            brand_id: None,
            customer_id: None,
            tracking_id: Some("a&b".to_owned()),
            cancel: None,
        };
        assert_eq!(chat_path(&query, 2, false), "/c/v1/chat/sessions?page=2&pageSize=25");
        assert_eq!(chat_path(&query, 2, true), "/c/v1/chat/sessions?page=2&pageSize=25&active=true");
        assert_eq!(server_path(&query, 3), "/v2.1/chat/sessions?trackingId=a%26b&page=3&pageSize=25");
        query = Query { active_only: true, brand_id: Some("7".to_owned()), customer_id: Some("c".to_owned()), ..query };
        let both = "customerId=c&trackingId=a%26b&page=3&pageSize=25&active=true&brandId=7";
        assert_eq!(server_path(&query, 3), format!("/v2.1/chat/sessions?{both}"));
        assert_eq!(chat_path(&query, 1, false), "/c/v1/chat/sessions?page=1&pageSize=25&active=true&brandId=7");
    }

    #[test]
    fn only_401_refuses_a_token() {
        for (status, refused) in [(401, true), (400, false), (403, false), (200, false)] {
            assert_eq!(is_refusal(&Error::new(ErrorKind::Unauthorized, "").with_status(status)), refused);
        }
    }

    #[test]
    fn at_least_the_last_65536_ids_are_remembered_and_memory_is_bounded() {
        let mut seen = Seen::default();
        for n in 0..300_000usize {
            assert!(seen.insert(&n.to_string()));
            // Each step touches two ids, so this one was touched among the last 65,536.
            assert!(!seen.insert(&n.saturating_sub(REMEMBERED / 2 - 1).to_string()));
        }
        assert!(seen.newer.len() + seen.older.len() <= 2 * REMEMBERED);
    }
}
