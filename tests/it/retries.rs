//! What is tried again, how often, and how long it waits before.

use crate::api::{LIST, all, kind, options, paths, sandbox};
use crate::faults::server::{End, Scheme, Server};
use crate::sandbox::{Answer, Sandbox};
use kustomer::{Auth, Client, ErrorKind, GetConversationsOptions, InitOptions, Level};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

fn client(sandbox: &Sandbox, max_retries: i32) -> Client {
    let client = Client::init(InitOptions { max_retries, ..options(sandbox) }).unwrap();
    sandbox.clear_requests();
    client
}

fn answer(status: u16, headers: &[(&str, &str)]) -> Answer {
    let mut answer = Answer::json(status, r#"{"errors":[{"detail":"not now"}]}"#);
    answer.headers.extend(headers.iter().map(|(name, value)| (name.to_string(), value.to_string())));
    answer
}

/// One that may be asked again at once.
fn at_once(status: u16) -> Answer {
    answer(status, &[("retry-after", "0")])
}

fn plan(sandbox: &Sandbox, count: usize, answer: &Answer) {
    (0..count).for_each(|_| sandbox.answer_next(LIST, answer.clone()));
}

#[test]
fn a_refused_request_is_sent_once_and_then_as_often_as_max_retries_says() {
    let sandbox = sandbox();
    for (max_retries, sent) in [(-1, 1), (0, 3), (1, 2), (4, 5), (10, 11)] {
        let client = client(&sandbox, max_retries);
        plan(&sandbox, sent, &at_once(503));
        let error = client.get_conversations(&all()).unwrap_err();
        assert_eq!((error.kind(), error.http_status()), (ErrorKind::Server, Some(503)));
        assert_eq!(error.message().contains(&format!("tried {sent} times")), sent > 1, "{error}");
        assert_eq!(paths(&sandbox), vec![LIST; sent]);
        client.get_conversations(&all()).unwrap();
    }
}

#[test]
fn only_what_may_pass_is_tried_again() {
    let sandbox = sandbox();
    let client = client(&sandbox, 1);
    for status in [408, 429, 500, 502, 503, 504] {
        plan(&sandbox, 1, &at_once(status));
        assert_eq!(client.get_conversations(&all()).unwrap().len(), 100, "{status}");
    }
    for status in [302, 400, 403, 404, 409, 413, 418, 501, 505] {
        sandbox.clear_requests();
        plan(&sandbox, 1, &at_once(status));
        assert_eq!(client.get_conversations(&all()).unwrap_err().http_status(), Some(status));
        assert_eq!(paths(&sandbox).len(), 1, "{status}");
    }
    sandbox.clear_requests();
    plan(&sandbox, 1, &Answer::json(200, "<html>"));
    assert_eq!(kind(client.get_conversations(&all())), ErrorKind::Decode);
    assert_eq!(paths(&sandbox).len(), 1);
}

#[test]
fn a_connection_that_fails_is_tried_again() {
    let sandbox = sandbox();
    let client = client(&sandbox, 2);
    // The first of them is the kept connection's, which is not counted.
    (0..3).for_each(|_| sandbox.drop_next(LIST));
    assert_eq!(client.get_conversations(&all()).unwrap().len(), 100);
    assert_eq!(paths(&sandbox).len(), 4);
}

#[test]
fn settings_and_token_are_tried_again_too() {
    let sandbox = sandbox();
    sandbox.answer_next("/p/v1/chat/settings", at_once(503));
    sandbox.answer_next("/c/v1/tracking/tokens/current", at_once(429));
    Client::init(InitOptions { max_retries: 1, ..options(&sandbox) }).unwrap();
    assert_eq!(sandbox.requests().len(), 4);
}

#[test]
fn it_waits_as_long_as_the_service_asks_for() {
    let sandbox = sandbox();
    let client = client(&sandbox, 1);
    plan(&sandbox, 1, &answer(503, &[("retry-after", "1")]));
    client.get_conversations(&all()).unwrap();
    let at: Vec<_> = sandbox.requests().iter().map(|seen| seen.at).collect();
    assert!(at[1] - at[0] >= Duration::from_secs(1), "{:?}", at[1] - at[0]);
}

#[test]
fn a_wait_that_does_not_fit_the_deadline_is_not_begun_and_the_error_says_how_long_it_is() {
    let sandbox = sandbox();
    let client = client(&sandbox, 5);
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (status, headers, ms) in [
        (429, vec![("retry-after", "3600")], Some(3_600_000)),
        (503, vec![("retry-after", "Sun, 06 Nov 1994 09:49:37 GMT"), ("date", date)], Some(3_600_000)),
        (429, vec![("x-ratelimit-reset", "784115377"), ("date", date)], Some(3_600_000)),
    ] {
        sandbox.clear_requests();
        plan(&sandbox, 1, &answer(status, &headers));
        let error = client.get_conversations(&all()).unwrap_err();
        assert_eq!((error.http_status(), error.retry_after_ms(), error.retryable()), (Some(status), ms, true));
        assert_eq!(paths(&sandbox).len(), 1);
    }
    // Where no limit was hit, the end of its window is no reason to wait.
    plan(&sandbox, 1, &answer(400, &[("x-ratelimit-reset", "784115377"), ("date", date)]));
    assert_eq!(client.get_conversations(&all()).unwrap_err().retry_after_ms(), None);
}

#[test]
fn a_date_that_is_past_by_the_services_clock_means_now() {
    let sandbox = sandbox();
    let client = client(&sandbox, 1);
    // By this device's clock both are far in the future.
    let later = SystemTime::now() + Duration::from_secs(1_000_000);
    let (then, date) = (httpdate::fmt_http_date(later), httpdate::fmt_http_date(later + Duration::from_secs(5)));
    plan(&sandbox, 1, &answer(503, &[("retry-after", &then), ("date", &date)]));
    assert_eq!(client.get_conversations(&all()).unwrap().len(), 100);
}

#[test]
fn a_deadline_that_passes_names_the_last_failure() {
    let sandbox = sandbox();
    let client = client(&sandbox, 5);
    plan(&sandbox, 1, &at_once(503));
    let first = sandbox.hold_next(LIST);
    let second = sandbox.hold_next(LIST);
    let thread = std::thread::spawn(move || {
        client.get_conversations(&GetConversationsOptions { timeout_ms: 1000, ..all() }).unwrap_err()
    });
    first.wait();
    drop(first);
    second.wait();
    let error = thread.join().unwrap();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().contains("waiting for the answer") && error.message().contains("HTTP 503"), "{error}");
}

#[test]
fn a_client_whose_requests_keep_failing_stops_repeating_them_until_some_succeed() {
    let sandbox = sandbox();
    let client = client(&sandbox, 10);
    let requests_of_a_failure = |planned: usize| {
        sandbox.clear_requests();
        plan(&sandbox, planned, &at_once(503));
        assert_eq!(kind(client.get_conversations(&all())), ErrorKind::Server);
        paths(&sandbox).len()
    };
    // 500 tokens (two successes at init cannot make it more), 5 a repeat: 100 repeats.
    for _ in 0..10 {
        assert_eq!(requests_of_a_failure(11), 11);
    }
    assert_eq!(requests_of_a_failure(1), 1);
    for _ in 0..5 {
        client.get_conversations(&all()).unwrap();
    }
    assert_eq!(requests_of_a_failure(2), 2);
}

#[test]
fn every_repeat_is_a_warning_and_every_request_a_line() {
    let sandbox = sandbox();
    let (tell, told) = mpsc::channel();
    let client = Client::init(InitOptions {
        max_retries: 2,
        log_level: Level::Debug,
        log: Some(Box::new(move |level, line| tell.send((level, line.to_owned())).unwrap())),
        ..options(&sandbox)
    })
    .unwrap();
    let _init = told.try_iter().count();
    plan(&sandbox, 2, &at_once(429));
    client.get_conversations(&all()).unwrap();
    let lines: Vec<_> = told.try_iter().collect();
    let levels: Vec<_> = lines.iter().map(|(level, _)| *level).collect();
    assert_eq!(levels, [Level::Debug, Level::Warning, Level::Debug, Level::Warning, Level::Debug], "{lines:?}");
    assert!(lines[1].1.contains("trying again in 0 ms") && lines[4].1.contains("HTTP 200"), "{lines:?}");
}

/// A client of a server that says this to its nth request, and then ends the connection.
fn client_of(say: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static, end: End) -> (Server, Client) {
    let server = Server::start(Scheme::Http, move |mut peer| {
        peer.request()?;
        let words = say(peer.number);
        peer.send(&words)?;
        peer.end(end)
    });
    let client = Client::init(InitOptions {
        api_key: "key".to_owned(),
        auth: Auth::ApiKey,
        base_url: Some(server.url()),
        proxy: Some(String::new()),
        ..InitOptions::default()
    })
    .unwrap();
    (server, client)
}

fn somebody() -> GetConversationsOptions {
    GetConversationsOptions { customer_id: Some("c".to_owned()), ..all() }
}

#[test]
fn a_body_that_was_cut_where_only_its_json_can_tell_is_asked_for_again() {
    const BODY: &str = r#"{"data":[{"id":"a"}],"meta":{"totalPages":1}}"#;
    let say = |n| [b"HTTP/1.1 200 OK\r\n\r\n", &BODY.as_bytes()[..if n == 0 { 20 } else { BODY.len() }]].concat();
    let (server, client) = client_of(say, End::Fin);
    assert_eq!(client.get_conversations(&somebody()).unwrap().len(), 1);
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_call_whose_time_ran_out_has_no_status_however_far_the_answer_had_come() {
    for status in [200, 503] {
        let say = move |_| format!("HTTP/1.1 {status} x\r\ncontent-length: 100\r\n\r\n{{").into_bytes();
        let (_server, client) = client_of(say, End::Stall);
        let error = client.get_conversations(&GetConversationsOptions { timeout_ms: 300, ..somebody() }).unwrap_err();
        assert_eq!((error.kind(), error.http_status()), (ErrorKind::Timeout, None));
    }
}
