//! Pages fetched ahead: the same rows in the same order, only sooner.

use crate::api::{LIST, TOKEN, all, kind, options, sandbox};
use crate::faults::server::{self, Scheme, Server};
use crate::sandbox::Sandbox;
use kustomer::{Auth, Cancel, Client, ErrorKind, GetConversationsOptions, InitOptions, Level, Response};
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;

/// A server of the API-key route whose answer depends on the page, and on how often it was asked for.
struct Pages {
    server: Server,
    asked: Arc<Mutex<Vec<i32>>>,
}

/// What it answers with: a body, or a status.
type Answer = Result<String, u16>;

impl Pages {
    fn start(answer: impl Fn(i32, usize) -> Answer + Send + Sync + 'static) -> Pages {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        let server = Server::start(Scheme::Http, move |mut peer| {
            loop {
                let page: i32 = peer.request()?.parameter("page").unwrap().parse().unwrap();
                let times = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(page);
                    seen.iter().filter(|asked| **asked == page).count()
                };
                let (status, body) = answer(page, times).map_or_else(|e| (e, "{}".to_owned()), |body| (200, body));
                peer.send(&server::answer(&format!("{status} x"), &body))?;
            }
        });
        Pages { server, asked }
    }

    fn client(&self, log: Option<kustomer::LogFn>) -> Client {
        Client::init(InitOptions {
            api_key: "key".to_owned(),
            auth: Auth::ApiKey,
            base_url: Some(self.server.url()),
            proxy: Some(String::new()),
            max_retries: -1,
            log_level: Level::Debug,
            log,
            ..InitOptions::default()
        })
        .unwrap()
    }

    /// The pages that were asked for, in the order of their numbers.
    fn asked(&self) -> Vec<i32> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.sort_unstable();
        asked
    }
}

/// A page of one row out of `last`; where the end is not told, only by the last page's links.
fn page(page: i32, last: i32, meta: &str) -> Answer {
    let next = if page < last { format!("\"/?page={}\"", page + 1) } else { "null".to_owned() };
    Ok(format!(r#"{{"data":[{{"id":"row {page}"}}],"meta":{{{meta}}},"links":{{"next":{next}}}}}"#))
}

fn told(n: i32, last: i32) -> Answer {
    page(n, last, &format!("\"totalPages\":{last}"))
}

fn ahead(prefetch: u32) -> GetConversationsOptions {
    GetConversationsOptions { prefetch, customer_id: Some("c".to_owned()), ..all() }
}

fn ids<'a>(pages: impl IntoIterator<Item = &'a Response>) -> Vec<String> {
    pages.into_iter().flat_map(Response::conversations).map(|row| row.id().to_owned()).collect()
}

fn walk(client: &Client, options: &GetConversationsOptions) -> Vec<Response> {
    client.pages(options).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn the_rows_and_their_order_are_the_same_and_nothing_past_the_end_is_asked_for() {
    let server = Pages::start(|n, _| told(n, 23));
    let client = server.client(None);
    let plain = ids(&walk(&client, &ahead(0)));
    assert_eq!(plain.len(), 23);
    for prefetch in [1, 2, 4, 16] {
        server.asked.lock().unwrap().clear();
        assert_eq!(ids(&walk(&client, &ahead(prefetch))), plain);
        assert_eq!(server.asked(), (1..=23).collect::<Vec<_>>());
    }
    server.asked.lock().unwrap().clear();
    let five = GetConversationsOptions { max_pages: 5, page: 7, ..ahead(16) };
    assert_eq!(ids(&walk(&client, &five)), plain[6..11]);
    assert_eq!(server.asked(), (7..=11).collect::<Vec<_>>());
}

#[test]
fn it_works_for_a_visitor_over_https() {
    let sandbox = sandbox();
    let client = Client::init(options(&sandbox)).unwrap();
    let small = GetConversationsOptions { page_size: 7, ..all() };
    let plain = ids(&walk(&client, &small));
    assert_eq!((plain.len(), ids(&walk(&client, &GetConversationsOptions { prefetch: 8, ..small }))), (250, plain));
}

#[test]
fn as_many_pages_are_under_way_at_once_as_were_asked_for() {
    let (arrived, all_here) = (Arc::new((Mutex::new(0), Condvar::new())), 4);
    let server = Pages::start(move |n, _| {
        // Pages 2 to 5 are answered only when all four have been asked for.
        if (2..2 + all_here).contains(&n) {
            let (count, wake) = &*arrived;
            let mut count = count.lock().unwrap();
            *count += 1;
            wake.notify_all();
            let _here = wake.wait_while(count, |count| *count < all_here).unwrap();
        }
        told(n, 9)
    });
    assert_eq!(walk(&server.client(None), &ahead(4)).len(), 9);
}

#[test]
fn where_the_end_is_not_told_no_more_pages_are_ahead_than_were_delivered() {
    let server = Pages::start(|n, _| page(n, 40, ""));
    let client = server.client(None);
    let mut pages = client.pages(&ahead(16)).unwrap();
    for delivered in 1..=12 {
        pages.next().unwrap().unwrap();
        assert!(server.asked().len() <= 2 * delivered, "{:?}", server.asked());
    }
    assert_eq!(pages.map(Result::unwrap).count(), 28);
}

#[test]
fn a_page_that_failed_ahead_is_asked_for_again_in_its_turn() {
    let server = Pages::start(|n, times| if n % 3 == 0 && times == 1 { Err(503) } else { told(n, 12) });
    let client = server.client(None);
    let mut pages = client.pages(&ahead(4)).unwrap();
    for n in 1..=12 {
        // A page that no thread has begun is the calling thread's own, and its failure the caller's.
        while n % 3 == 0 && !server.asked().contains(&n) {
            thread::yield_now();
        }
        assert_eq!(ids([&pages.next().unwrap().unwrap()]), [format!("row {n}")]);
    }
    let server = Pages::start(|n, _| if n == 4 { Err(503) } else { told(n, 12) });
    let client = server.client(None);
    let mut pages = client.pages(&ahead(4)).unwrap();
    assert_eq!(ids(&pages.by_ref().take(3).map(Result::unwrap).collect::<Vec<_>>()), ["row 1", "row 2", "row 3"]);
    for _ in 0..2 {
        assert_eq!(pages.next().unwrap().unwrap_err().http_status(), Some(503));
    }
}

#[test]
fn its_log_lines_come_on_the_calling_thread_one_a_request() {
    let server = Pages::start(|n, _| told(n, 12));
    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = lines.clone();
    let log: kustomer::LogFn =
        Box::new(move |_, line| kept.lock().unwrap().push((thread::current().id(), line.to_owned())));
    walk(&server.client(Some(log)), &ahead(4));
    let lines = lines.lock().unwrap();
    assert_eq!(lines.len(), 12, "{lines:?}");
    assert!(lines.iter().all(|(id, line)| *id == thread::current().id() && line.contains("HTTP 200")), "{lines:?}");
}

#[test]
fn a_cancelled_walk_ends_though_pages_are_under_way() {
    let (entered, enter) = mpsc::channel();
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let server = Pages::start(move |n, _| {
        if n > 1 {
            entered.send(n).unwrap();
            let _ = held.lock().unwrap().recv();
        }
        told(n, 12)
    });
    let cancel = Cancel::new();
    let client = server.client(None);
    let mut pages = client.pages(&GetConversationsOptions { cancel: Some(cancel.clone()), ..ahead(4) }).unwrap();
    pages.next().unwrap().unwrap();
    let walk = thread::spawn(move || (kind(pages.next().unwrap()), kind(pages.next().unwrap())));
    enter.recv().unwrap();
    cancel.trigger();
    assert_eq!(walk.join().unwrap(), (ErrorKind::Cancelled, ErrorKind::Cancelled));
    drop(release);
    assert_eq!(client.get_conversations(&GetConversationsOptions { prefetch: 0, ..ahead(0) }).unwrap().len(), 1);
}

#[test]
fn a_deadline_that_passes_leaves_the_page_to_the_next_step() {
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let server = Pages::start(move |n, _| {
        if n == 2 {
            let _ = held.lock().unwrap().recv();
        }
        told(n, 3)
    });
    let client = server.client(None);
    let mut pages = client.pages(&GetConversationsOptions { timeout_ms: 500, ..ahead(2) }).unwrap();
    pages.next().unwrap().unwrap();
    assert_eq!(kind(pages.next().unwrap()), ErrorKind::Timeout);
    drop(release);
    assert_eq!(ids(&pages.map(Result::unwrap).collect::<Vec<_>>()), ["row 2", "row 3"]);
}

fn begun(sandbox: &Sandbox) -> (Client, kustomer::Pager) {
    let client = Client::init(options(sandbox)).unwrap();
    let pages = client.pages(&GetConversationsOptions { prefetch: 3, page_size: 10, ..all() }).unwrap();
    (client, pages)
}

#[test]
fn a_refused_token_is_renewed_in_the_walk_and_another_visitor_ends_it() {
    let sandbox = sandbox();
    let (client, mut pages) = begun(&sandbox);
    let first = pages.next().unwrap().unwrap();
    sandbox.expire_tokens();
    let rest: Vec<_> = pages.map(Result::unwrap).collect();
    assert_eq!(ids([&first].into_iter().chain(&rest)).len(), 250);
    let fetched = sandbox.requests().iter().filter(|seen| seen.path == TOKEN).count();
    assert_eq!(fetched, 2, "at init, and once in the walk");

    let mut pages = client.pages(&GetConversationsOptions { prefetch: 3, page_size: 10, ..all() }).unwrap();
    pages.next().unwrap().unwrap();
    client.login(&sandbox.login_jwt("grace"), &Default::default()).unwrap();
    assert_eq!(kind(pages.next().unwrap()), ErrorKind::Unauthorized);
    assert_eq!(kind(pages.next().unwrap()), ErrorKind::Unauthorized);
}

#[test]
fn rows_that_move_between_pages_fetched_ahead_are_delivered_once() {
    let mut first = HashMap::new();
    first.insert(2, "1");
    first.insert(5, "4");
    let server = Pages::start(move |n, _| {
        let again = first.get(&n).map(|row| format!("{{\"id\":\"row {row}\"}},")).unwrap_or_default();
        Ok(told(n, 6).unwrap().replace("\"data\":[", &format!("\"data\":[{again}")))
    });
    let pages = walk(&server.client(None), &ahead(4));
    assert_eq!(ids(&pages), (1..=6).map(|n| format!("row {n}")).collect::<Vec<_>>());
    assert_eq!(pages.iter().map(Response::skipped).collect::<Vec<_>>(), [0, 1, 0, 0, 1, 0]);
}

#[test]
fn a_connection_for_each_page_ahead_is_opened_and_none_too_many() {
    let sandbox = sandbox();
    let (_client, pages) = begun(&sandbox);
    assert_eq!(pages.map(Result::unwrap).count(), 25);
    assert!(sandbox.connections() <= 4, "{}", sandbox.connections());
    assert_eq!(sandbox.requests().iter().filter(|seen| seen.path == LIST).count(), 25);
}

#[test]
fn a_walk_may_end_at_the_last_page_number_there_is() {
    let server = Pages::start(|n, _| page(n, i32::MAX, ""));
    let client = server.client(None);
    for prefetch in [0, 1, 3] {
        let last = GetConversationsOptions { page: i32::MAX - 3, ..ahead(prefetch) };
        assert_eq!(walk(&client, &last).len(), 4);
    }
    assert!(server.asked().iter().all(|&n| n >= i32::MAX - 3));
}

#[test]
fn where_page_numbers_jump_no_more_than_one_page_is_ahead() {
    let server =
        Pages::start(|n, _| Ok(format!(r#"{{"data":[{{"id":"row {n}"}}],"links":{{"next":"/?page={}"}}}}"#, n + 50)));
    let client = server.client(None);
    assert_eq!(client.pages(&ahead(16)).unwrap().take(20).filter(Result::is_ok).count(), 20);
    assert!(server.asked().len() <= 21, "{:?}", server.asked());
}

#[test]
fn one_walk_uses_the_connections_of_the_last() {
    let sandbox = sandbox();
    let client = Client::init(options(&sandbox)).unwrap();
    for _ in 0..5 {
        walk(&client, &GetConversationsOptions { prefetch: 4, page_size: 10, ..all() });
    }
    // Four threads, and the calling one.
    assert!(sandbox.connections() <= 5, "{}", sandbox.connections());
}
