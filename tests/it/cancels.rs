//! A token ends a call from another thread, whatever the call is doing, and disturbs nobody else.

use crate::figures::{self, is_full, ms, trials};
use crate::phases::{BESIDE, CLOSING, Call, Phase, Service, get, stuck};
use kustomer::{CallOptions, Cancel, Client, Error, ErrorKind, GetConversationsOptions, InitOptions};
use std::time::{Duration, Instant};

/// How long after the trigger a call returns: always, and mostly.
const ALWAYS: Duration = ms(50);
const MOSTLY: Duration = ms(10);

fn measure(phase: &str, trial: impl Fn() -> Duration) {
    let figures = figures::measure("cancel", phase, ALWAYS, trials(200, 5), trial);
    let p99 = figures.percentile(0.99);
    assert!(p99 <= MOSTLY || !is_full(), "{phase}: p99 is {p99:?}");
}

/// Triggers the token of a call that waits; how long it then took to return.
fn cancel<T>(call: Call<'_, Result<T, Error>>, token: &Cancel) -> (Error, Duration)
where
    T: std::fmt::Debug + Send,
{
    call.thread.until_it_waits();
    let triggered = Instant::now();
    token.trigger();
    let (result, returned) = call.join();
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.retryable()), (ErrorKind::Cancelled, false), "{error}");
    (error, returned - triggered)
}

/// One call gets stuck and is cancelled, while another one runs on the same client.
fn trial(service: &Service, phase: Phase, client: &Client) -> Duration {
    let token = Cancel::new();
    let took = std::thread::scope(|scope| {
        // What gets stuck for another call's fetch does so in its first request.
        if phase.is_anothers() {
            service.stick(phase);
        } else {
            service.hold(true);
        }
        let beside = Call::start(scope, || get(client, BESIDE));
        if phase.is_anothers() {
            service.until_stuck(phase);
        } else {
            service.until_held();
            service.stick(phase);
        }
        let call = Call::start(scope, || client.get_conversations(&stuck(0, Some(&token))));
        if !phase.is_anothers() {
            service.until_stuck(phase);
        }
        let (error, took) = cancel(call, &token);
        assert!(error.message().contains(phase.doing()), "{phase:?}: {error}");
        service.release();
        if !phase.is_anothers() {
            // By all the phases, since the kept connection is in use.
            get(client, CLOSING).unwrap();
        }
        service.hold(false);
        beside.join().0.unwrap();
        took
    });
    // The connection of the call beside was kept.
    let connections = service.accepted();
    get(client, BESIDE).unwrap();
    assert_eq!(service.accepted(), connections, "{phase:?}");
    assert_eq!(client.get_conversations(&stuck(0, Some(&token))).unwrap_err().kind(), ErrorKind::Cancelled);
    took
}

#[test]
fn a_token_ends_a_call_in_every_phase_while_the_client_and_its_other_calls_go_on() {
    let service = Service::start();
    for phase in Phase::ALL {
        let kept = (!phase.is_anothers()).then(|| service.client_for(phase));
        measure(phase.label(), || match &kept {
            Some(client) => trial(&service, phase, client),
            // Settings and token are fetched once a client.
            None => trial(&service, phase, &service.client_for(phase)),
        });
    }
}

#[test]
fn a_token_ends_init_login_and_logout() {
    let service = Service::start();
    let options = |token: &Cancel| CallOptions { cancel: Some(token.clone()), ..CallOptions::default() };
    for phase in [Phase::Lookup, Phase::Connect, Phase::Tls, Phase::Settings, Phase::Token] {
        let label = match phase {
            Phase::Settings => "the settings",
            Phase::Token => "the tracking token",
            _ => phase.label(),
        };
        measure(&format!("init, {label}"), || {
            let token = Cancel::new();
            service.stick(phase);
            std::thread::scope(|scope| {
                let options = InitOptions { cancel: Some(token.clone()), ..service.options() };
                let call = Call::start(scope, || Client::init(options));
                service.until_stuck(phase);
                let took = cancel(call, &token).1;
                service.release();
                took
            })
        });
    }
    let client = Client::init(service.options()).unwrap();
    for phase in [Phase::Connect, Phase::Tls, Phase::Answer, Phase::Body] {
        measure(&format!("login, {}", phase.label()), || {
            let token = Cancel::new();
            service.stick(phase);
            let took = std::thread::scope(|scope| {
                let call = Call::start(scope, || client.login("a.b.c", &options(&token)));
                service.until_stuck(phase);
                let (error, took) = cancel(call, &token);
                assert!(error.message().contains("may have been"), "{error}");
                took
            });
            service.release();
            get(&client, BESIDE).unwrap();
            took
        });
    }
    measure("logout, the new token", || {
        let token = Cancel::new();
        service.stick(Phase::Token);
        let took = std::thread::scope(|scope| {
            let call = Call::start(scope, || client.logout(&options(&token)));
            service.until_stuck(Phase::Token);
            cancel(call, &token).1
        });
        service.release();
        get(&client, BESIDE).unwrap();
        took
    });
}

#[test]
fn a_token_ends_a_walk_that_waits_for_a_page_asked_for_ahead() {
    let service = Service::start();
    let client = Client::init(service.options()).unwrap();
    measure("a page ahead", || {
        let token = Cancel::new();
        service.stick(Phase::Answer);
        let walk = GetConversationsOptions { prefetch: 2, cancel: Some(token.clone()), ..Default::default() };
        let mut pages = client.pages(&walk).unwrap();
        pages.next().unwrap().unwrap();
        service.until_stuck(Phase::Answer);
        let took = std::thread::scope(|scope| {
            let call = Call::start(scope, || pages.next().unwrap());
            cancel(call, &token).1
        });
        let began = Instant::now();
        drop(pages);
        let ended = began.elapsed();
        service.release();
        get(&client, BESIDE).unwrap();
        took.max(ended)
    });
}

#[test]
fn one_token_ends_all_the_calls_it_was_handed_to() {
    let service = Service::start();
    let client = service.client_for(Phase::Answer);
    service.stick(Phase::Answer);
    measure("8 calls, one token", || {
        let token = Cancel::new();
        std::thread::scope(|scope| {
            let calls: Vec<_> =
                (0..8).map(|_| Call::start(scope, || client.get_conversations(&stuck(0, Some(&token))))).collect();
            calls.iter().for_each(|call| call.thread.until_it_waits());
            let triggered = Instant::now();
            token.trigger();
            let ended = calls.into_iter().map(|call| {
                let (result, returned) = call.join();
                assert_eq!(result.unwrap_err().kind(), ErrorKind::Cancelled);
                returned - triggered
            });
            ended.max().unwrap()
        })
    });
}
