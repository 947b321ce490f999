//! What the network and a hostile server can do: no crash, no hang past the deadline, no wrong data, and
//! an error that says what happened.
//!
//! `KUSTOMER_TEST_FULL=1` takes every case in place of a sample; with `--nocapture` the figures are shown.
//! `KUSTOMER_TEST_SEED` repeats what was random, `KUSTOMER_TEST_TIME_FACTOR` stretches time limits.

mod body_table;
mod chains;
mod cuts;
mod handshake;
mod http_table;
#[cfg(target_os = "linux")]
mod memory;
pub mod server;
mod stale;

use kustomer::{Auth, Client, ErrorKind, GetConversationsOptions, InitOptions, Response, Result};
use server::Server;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The largest answer the clients of these tests accept.
const MAX_RESPONSE_BYTES: u32 = 1 << 20;

pub fn full() -> bool {
    std::env::var_os("KUSTOMER_TEST_FULL").is_some_and(|full| full == "1")
}

pub fn millis(ms: u32) -> u32 {
    let given = std::env::var("KUSTOMER_TEST_TIME_FACTOR").ok().and_then(|factor| factor.parse::<u32>().ok());
    ms * given.unwrap_or(1)
}

/// How much later than its deadline a call may end where dozens run at once; more is a hang.
fn slack() -> Duration {
    Duration::from_millis(millis(300).into())
}

/// Random numbers, the same for the same `KUSTOMER_TEST_SEED`, which is printed.
pub fn random() -> fastrand::Rng {
    let given = std::env::var("KUSTOMER_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| fastrand::u64(..));
    println!("KUSTOMER_TEST_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// A server's client, which sends nothing but the lists that are asked for, each once.
fn options(server: &Server, timeout_ms: u32) -> InitOptions {
    options_at(&server.url(), server.ca_file(), timeout_ms)
}

fn options_at(url: &str, ca_file: &Path, timeout_ms: u32) -> InitOptions {
    InitOptions {
        api_key: "server-key".to_owned(),
        auth: Auth::ApiKey,
        base_url: Some(url.to_owned()),
        ca_file: Some(ca_file.to_owned()),
        proxy: Some(String::new()),
        timeout_ms: millis(timeout_ms),
        max_retries: -1,
        max_response_bytes: MAX_RESPONSE_BYTES,
        ..InitOptions::default()
    }
}

fn client(server: &Server, timeout_ms: u32) -> Client {
    Client::init(options(server, timeout_ms)).unwrap()
}

/// Asks for the case that a table knows by this number.
fn list(client: &Client, case: usize) -> Result<Response> {
    client.get_conversations(&of(case))
}

/// The same with a timeout of its own, whose end is kept; an error says that it was not.
fn list_within(client: &Client, case: usize, timeout_ms: u32) -> std::result::Result<Result<Response>, String> {
    let limit = Duration::from_millis(millis(timeout_ms).into()) + slack();
    let timed = || {
        let begun = Instant::now();
        let result = client.get_conversations(&GetConversationsOptions { timeout_ms: millis(timeout_ms), ..of(case) });
        (result, begun.elapsed())
    };
    let (result, took) = timed();
    // A second chance for what a busy machine may have made late.
    let took = if took > limit { timed().1 } else { took };
    if took > limit { Err(format!("took {took:?} of {timeout_ms} ms")) } else { Ok(result) }
}

fn of(case: usize) -> GetConversationsOptions {
    GetConversationsOptions { customer_id: Some(case.to_string()), ..GetConversationsOptions::default() }
}

/// The case a request is about.
fn case(request: &server::Request) -> usize {
    request.parameter("customerId").and_then(|case| case.parse().ok()).expect("a case")
}

/// What a call should come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// So many rows, so many skipped.
    Page(usize, usize),
    /// An error, and the HTTP status it names: 0 for none, [`ANY`] where the contract leaves it open.
    Error(ErrorKind, u16),
    /// Either: HTTP lets a recipient be strict or lenient, and what is read is the page that was meant.
    Lenient(usize),
}

const ANY: u16 = u16::MAX;

impl Expect {
    /// What is wrong with a result.
    fn check(self, result: &Result<Response>) -> std::result::Result<(), String> {
        let good = match (self, result) {
            (Expect::Page(rows, skipped), Ok(page)) => (rows, skipped) == (page.len(), page.skipped()),
            (Expect::Lenient(rows), Ok(page)) => rows == page.len(),
            (Expect::Lenient(_), Err(e)) => e.kind() == ErrorKind::Decode,
            (Expect::Error(kind, status), Err(e)) => {
                e.kind() == kind && (status == ANY || status == e.http_status().unwrap_or(0))
            }
            _ => false,
        };
        if good {
            return Ok(());
        }
        Err(match result {
            Ok(page) => format!("expected {self:?}, got {} rows and {} skipped", page.len(), page.skipped()),
            Err(e) => format!("expected {self:?}, got {:?} (HTTP {:?}): {e}", e.kind(), e.http_status()),
        })
    }
}

/// Checks the cases below `count` on several threads, each with a client of its own; says what is wrong with which.
fn find_wrong(
    count: usize,
    threads: usize,
    client: impl Fn() -> Client + Sync,
    check: impl Fn(&Client, usize) -> std::result::Result<(), String> + Sync,
) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let client = client();
                for case in std::iter::repeat_with(|| next.fetch_add(1, Ordering::SeqCst)).take_while(|n| *n < count) {
                    if let Err(what) = check(&client, case) {
                        wrong.lock().unwrap().push(what);
                    }
                }
            });
        }
    });
    wrong.into_inner().unwrap()
}
