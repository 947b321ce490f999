//! Walks over random chains of pages: every row the service served is delivered exactly once, and a chain
//! that leads back is found out by the page that says so.

use super::server::{Peer, Request, Scheme, Server, answer};
use super::{full, options, random};
use fastrand::Rng;
use kustomer::{Auth, Client, ErrorKind, GetConversationsOptions, InitOptions};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};

/// A chat key of an organisation called `faults`: its claims are all that counts here.
const CHAT_KEY: &str = "eyJhbGciOiJub25lIn0.eyJvcmdOYW1lIjoiZmF1bHRzIn0.none";

/// What a service has to show, and what a walk over it has to come to.
#[derive(Clone, Debug, Default)]
struct Chain {
    /// With a chat key, whose token a service may refuse; else with an API key.
    chat: bool,
    pages: Vec<Page>,
    /// How the walk ends: `None` in order.
    failure: Option<ErrorKind>,
}

#[derive(Clone, Debug, Default)]
struct Page {
    number: i32,
    body: String,
    /// How often it is refused by 401 before it is given.
    refusals: usize,
    /// From here on the service knows the visitor under another id.
    another_visitor: bool,
    /// What is new in it, and how many elements are not.
    ids: Vec<String>,
    skipped: usize,
}

fn chain(random: &mut Rng) -> Chain {
    let mut chain = Chain { chat: random.bool(), ..Chain::default() };
    let mut served: Vec<String> = Vec::new();
    let mut number = if random.bool() { 1 } else { random.i32(2..1000) };
    let last = random.usize(0..8);
    for at in 0..=last {
        let mut page = Page { number, ..Page::default() };
        let rows = rows(random, &mut page, &mut served);
        let (next, paging) = if at < last { onward(random, number) } else { ending(random, number, &mut chain) };
        page.body = format!(r#"{{"data":[{}]{paging}}}"#, rows.join(","));
        if random.u8(..8) == 0 {
            refuse(random, &mut page, &mut chain);
        }
        chain.pages.push(page);
        if chain.failure.is_some() {
            break;
        }
        number = next;
    }
    if let Some(last) = chain.pages.last_mut().filter(|_| chain.failure.is_some()) {
        // The page that fails is not delivered.
        (last.ids, last.skipped) = (Vec::new(), 0);
    }
    chain
}

/// The elements of a page, often none of them: new rows, rows served before, and what is no row.
fn rows(random: &mut Rng, page: &mut Page, served: &mut Vec<String>) -> Vec<String> {
    let count = if random.u8(..4) == 0 { 0 } else { random.usize(1..6) };
    let mut rows = Vec::new();
    for _ in 0..count {
        let repeat = random.u8(..4) == 0;
        let id = match random.choice(served.iter()).filter(|_| repeat) {
            Some(id) => {
                page.skipped += 1;
                id.clone()
            }
            None if random.u8(..8) == 0 => {
                page.skipped += 1;
                rows.push(
                    (*random.choice(&["null", "{}", r#"{"id":7}"#, r#"{"id":"m","type":"message"}"#]).unwrap())
                        .to_owned(),
                );
                continue;
            }
            None => {
                let id = format!("{:x}", random.u64(..));
                page.ids.push(id.clone());
                served.push(id.clone());
                id
            }
        };
        rows.push(format!(r#"{{"type":"chat_session","id":"{id}"}}"#));
    }
    rows
}

/// The number of the next page, and how this one names it.
fn onward(random: &mut Rng, number: i32) -> (i32, String) {
    let far = number + random.i32(1..6);
    let near = number + 1;
    let meta = *random.choice(&["", r#","meta":{"page":"#, r#","meta":{"page":""#]).unwrap();
    let meta = match meta {
        "" => String::new(),
        quoted if quoted.ends_with('"') => format!("{quoted}{number}\"}}"),
        plain => format!("{plain}{number}}}"),
    };
    match random.u8(..8) {
        0 => (far, format!(r#","links":{{"next":"/c/v1/chat/sessions?page={far}&pageSize=100"}}{meta}"#)),
        1 => (far, format!(r#"{meta},"links":{{"prev":null,"next":"https://evil.test/x?a=page&page={far}#page=1"}}"#)),
        2 => (far, format!(r#","links":{{"next":{{"href":"?pageSize=7&page={far}"}}}}{meta}"#)),
        3 => (far, format!(r#","links":{{"next":"/c?page=1","next":"\/c\u003fpage={far}"}}"#)),
        4 => (near, format!(r#","links":{{"next":"/c?cursor=abc"}}{meta}"#)),
        5 => (near, format!(r#","meta":{{"totalPages":{}}}"#, number + random.i32(1..5))),
        6 => (near, format!(r#","meta":{{"total":"{}"}}"#, number * 100 + 1)),
        // The service may count otherwise than it was asked to; where it says no more than the number, that counts.
        _ => (far, format!(r#","links":{{"next":"/c"}},"meta":{{"page":{}}}"#, far - 1)),
    }
}

/// How the last page says that it is the last one; or that it is none, in a chain that leads back.
fn ending(random: &mut Rng, number: i32, chain: &mut Chain) -> (i32, String) {
    let back = number - random.i32(0..number.min(5));
    let paging = match random.u8(..4) {
        0 => {
            chain.failure = Some(ErrorKind::Decode);
            match random.u8(..4) {
                0 => r#","links":{"next":"/c?page=99999999999"}"#.to_owned(),
                1 => r#","links":{"next":[]}"#.to_owned(),
                2 if number > 1 => format!(r#","links":{{"next":"/c"}},"meta":{{"page":{}}}"#, back.min(number - 1)),
                _ => format!(r#","links":{{"next":"/c?page={back}"}}"#),
            }
        }
        1 => format!(r#","meta":{{"totalPages":{number}}}"#),
        _ => {
            let ends = [
                "",
                r#","links":null"#,
                r#","links":{}"#,
                r#","links":{"next":null}"#,
                r#","links":{"next":""}"#,
                r#","links":{"next":"null"}"#,
                r#","links":{"next":{"href":null}}"#,
                r#","meta":{"total":1}"#,
            ];
            (*random.choice(&ends).unwrap()).to_owned()
        }
    };
    (0, paging)
}

fn refuse(random: &mut Rng, page: &mut Page, chain: &mut Chain) {
    page.refusals = random.usize(1..3);
    page.another_visitor = random.u8(..4) == 0;
    if !chain.chat || page.refusals > 1 || page.another_visitor {
        chain.failure = Some(ErrorKind::Unauthorized);
    }
}

impl Chain {
    /// The pages a walk asks for, each as often as it does.
    fn requests(&self) -> Vec<i32> {
        let times = |page: &Page| match page.refusals {
            0 => 1,
            _ if !self.chat || page.another_visitor => 1,
            _ => 2,
        };
        self.pages.iter().flat_map(|page| std::iter::repeat_n(page.number, times(page))).collect()
    }
}

/// The service while one chain is walked.
#[derive(Default)]
struct Service {
    chain: Chain,
    requests: Vec<i32>,
    tokens: usize,
    visitor: &'static str,
}

impl Service {
    fn answer(&mut self, request: &Request) -> Vec<u8> {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/p/v1/chat/settings") => answer("200 OK", r#"{"data":{"attributes":{}}}"#),
            ("GET", "/c/v1/tracking/tokens/current") => {
                self.tokens += 1;
                let mut body = String::new();
                let (visitor, tokens) = (self.visitor, self.tokens);
                write!(body, r#"{{"data":{{"attributes":{{"trackingId":"{visitor}","token":"t{tokens}"}}}}}}"#)
                    .unwrap();
                answer("200 OK", &body)
            }
            _ => {
                let number = request.parameter("page").and_then(|page| page.parse().ok()).unwrap_or(0);
                self.requests.push(number);
                let page = self.chain.pages.iter_mut().find(|page| page.number == number);
                match page {
                    None => answer("404 Not Found", ""),
                    Some(page) if page.refusals > 0 => {
                        page.refusals -= 1;
                        if page.another_visitor {
                            self.visitor = "another";
                        }
                        answer("401 Unauthorized", "")
                    }
                    Some(page) => answer("200 OK", &page.body),
                }
            }
        }
    }
}

fn walk(server: &Server, service: &Mutex<Service>, chain: &Chain) -> Result<(), String> {
    *service.lock().unwrap() = Service { chain: chain.clone(), visitor: "one", ..Service::default() };
    let mut options = options(server, 30_000);
    if chain.chat {
        options = InitOptions { api_key: CHAT_KEY.to_owned(), auth: Auth::ChatKey, ..options };
    }
    let client = Client::init(options).map_err(|e| e.to_string())?;
    let walk = GetConversationsOptions {
        page: chain.pages[0].number,
        customer_id: (!chain.chat).then(|| "someone".to_owned()),
        ..GetConversationsOptions::default()
    };
    let mut failure = None;
    let mut delivered = Vec::new();
    for page in client.pages(&walk).map_err(|e| e.to_string())? {
        match page {
            Ok(page) => {
                let ids: Vec<_> = page.conversations().map(|row| row.id().to_owned()).collect();
                delivered.push((ids, page.skipped()));
            }
            Err(e) => {
                failure = Some(e.kind());
                break;
            }
        }
    }
    let ids: Vec<_> = delivered.iter().flat_map(|(ids, _)| ids).collect();
    if ids.iter().collect::<HashSet<_>>().len() != ids.len() {
        return Err(format!("a row twice: {ids:?}"));
    }
    let whole = chain.pages.len() - usize::from(chain.failure.is_some());
    let expected: Vec<_> = chain.pages[..whole].iter().map(|page| (page.ids.clone(), page.skipped)).collect();
    if (&delivered, failure) != (&expected, chain.failure) {
        return Err(format!("delivered {delivered:?} and then {failure:?}, expected {expected:?}"));
    }
    let requests = service.lock().unwrap().requests.clone();
    if requests != chain.requests() {
        return Err(format!("asked for {requests:?}, expected {:?}", chain.requests()));
    }
    Ok(())
}

#[test]
fn every_row_of_a_random_chain_of_pages_is_delivered_exactly_once() {
    let service = Arc::new(Mutex::new(Service::default()));
    let serving = service.clone();
    let server = Server::start(Scheme::Http, move |mut peer: Peer| -> io::Result<()> {
        loop {
            let request = peer.request()?;
            let bytes = serving.lock().unwrap().answer(&request);
            peer.send(&bytes)?;
        }
    });
    let mut random = random();
    let (mut rows, mut loops, mut refused) = (0, 0, 0);
    let chains = if full() { 1000 } else { 200 };
    for _ in 0..chains {
        let chain = chain(&mut random);
        rows += chain.pages.iter().map(|page| page.ids.len()).sum::<usize>();
        loops += usize::from(chain.failure == Some(ErrorKind::Decode));
        refused += chain.pages.iter().filter(|page| page.refusals > 0).count();
        walk(&server, &service, &chain).unwrap_or_else(|what| panic!("{what}\n{chain:#?}"));
    }
    println!("{chains} chains, {rows} rows, each once; {loops} led back, {refused} pages were refused on the way");
}
