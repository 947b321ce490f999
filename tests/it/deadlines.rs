//! A call ends when its time is up, whatever it is doing, and says what it was.

use crate::c_programs::factor;
use crate::figures::{self, is_full, ms, trials};
use crate::phases::{BESIDE, CLOSING, Call, Phase, Service, get, stuck};
use kustomer::{CallOptions, Client, ErrorKind, GetConversationsOptions, InitOptions};
use std::time::{Duration, Instant};

/// How much later than its deadline a call may end.
const LATE: Duration = ms(50);

/// Long enough for a busy machine to get as far as the phase.
fn timeout_ms() -> u32 {
    if is_full() { 250 } else { 500 * factor() }
}

/// How long a call took over its time. Never less than nothing: it does not give up early either.
fn excess(began: Instant, timeout_ms: u32, phase: &str) -> Duration {
    let elapsed = began.elapsed();
    elapsed.checked_sub(ms(timeout_ms.into())).unwrap_or_else(|| panic!("{phase}: gave up after {elapsed:?}"))
}

fn measure(phase: &str, trial: impl Fn() -> Duration) {
    figures::measure("deadline", phase, LATE, trials(50, 1), trial);
}

#[test]
fn a_call_ends_by_its_deadline_in_every_phase_and_says_which() {
    let service = Service::start();
    for phase in Phase::ALL.into_iter().filter(|phase| *phase != Phase::Pause) {
        let (timeout_ms, label) = (timeout_ms(), phase.label());
        measure(label, || {
            let client = service.client_for(phase);
            service.stick(phase);
            std::thread::scope(|scope| {
                let other = phase.is_anothers().then(|| {
                    let other = Call::start(scope, || get(&client, BESIDE));
                    service.until_stuck(phase);
                    other
                });
                let began = Instant::now();
                let error = client.get_conversations(&stuck(timeout_ms, None)).unwrap_err();
                let excess = excess(began, timeout_ms, label);
                service.release();
                assert_eq!((error.kind(), error.retryable()), (ErrorKind::Timeout, true), "{label}: {error}");
                assert!(error.message().contains(phase.doing()), "{label}: {error}");
                assert!(error.message().contains(&format!("{timeout_ms} ms")), "{label}: {error}");
                if let Some(other) = other {
                    other.join().0.unwrap();
                }
                excess
            })
        });
    }
}

#[test]
fn init_and_login_end_by_their_deadlines() {
    let service = Service::start();
    let timeout_ms = timeout_ms();
    measure("init", || {
        service.stick(Phase::Settings);
        let began = Instant::now();
        let error = Client::init(InitOptions { timeout_ms, ..service.options() }).unwrap_err();
        let excess = excess(began, timeout_ms, "init");
        service.release();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        excess
    });
    let client = Client::init(service.options()).unwrap();
    measure("login", || {
        service.stick(Phase::Answer);
        let began = Instant::now();
        let error = client.login("a.b.c", &CallOptions { timeout_ms, ..CallOptions::default() }).unwrap_err();
        let excess = excess(began, timeout_ms, "login");
        service.release();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(error.message().contains("may have been"), "{error}");
        excess
    });
}

#[test]
fn a_walk_ends_by_the_deadline_of_each_page_though_it_was_asked_for_ahead() {
    let service = Service::start();
    let client = Client::init(service.options()).unwrap();
    let timeout_ms = timeout_ms();
    measure("a page ahead", || {
        let walk = GetConversationsOptions { prefetch: 2, timeout_ms, ..Default::default() };
        let mut pages = client.pages(&walk).unwrap();
        service.stick(Phase::Answer);
        pages.next().unwrap().unwrap();
        service.until_stuck(Phase::Answer);
        let began = Instant::now();
        let error = pages.next().unwrap().unwrap_err();
        let late = began.elapsed().saturating_sub(ms(timeout_ms.into()));
        service.release();
        assert_eq!((error.kind(), error.retryable()), (ErrorKind::Timeout, true), "{error}");
        late
    });
}

#[test]
fn retries_and_the_waits_between_them_end_by_the_deadline() {
    let service = Service::start();
    let timeout_ms = timeout_ms();
    // Each try costs its own time and fails, until there is none left.
    measure("slow retries", || {
        let options = InitOptions { max_retries: 10, connect_timeout_ms: 30, ..service.options_for(Phase::Connect) };
        let client = Client::init(options).unwrap();
        let _ = get(&client, CLOSING);
        service.stick(Phase::Connect);
        let began = Instant::now();
        let error = client.get_conversations(&stuck(timeout_ms, None)).unwrap_err();
        let excess = began.elapsed().saturating_sub(ms(timeout_ms.into()));
        service.release();
        // A wait that does not fit is not begun: then it is the last try's error.
        assert!(matches!(error.kind(), ErrorKind::Timeout | ErrorKind::Network), "{error}");
        excess
    });
    // A wait that the service asks for and that does not fit is not begun.
    measure("long Retry-After", || {
        let client = service.client_for(Phase::Pause);
        service.stick(Phase::Pause);
        let began = Instant::now();
        let error = client.get_conversations(&stuck(timeout_ms, None)).unwrap_err();
        let excess = began.elapsed().saturating_sub(ms(timeout_ms.into()));
        service.release();
        assert_eq!((error.kind(), error.retry_after_ms()), (ErrorKind::Server, Some(20_000)), "{error}");
        excess
    });
}

#[test]
fn a_connection_has_a_time_of_its_own_which_a_slow_answer_does_not_count_against() {
    let service = Service::start();
    let connect_timeout_ms = timeout_ms();
    for phase in Phase::ALL.into_iter().filter(|phase| phase.is_connecting()) {
        measure(&format!("connect: {}", phase.label()), || {
            let client =
                Client::init(InitOptions { lazy_init: true, connect_timeout_ms, ..service.options_for(phase) });
            let client = client.unwrap();
            service.stick(phase);
            let began = Instant::now();
            let error = client.get_conversations(&stuck(0, None)).unwrap_err();
            let excess = excess(began, connect_timeout_ms, phase.label());
            service.release();
            assert_eq!((error.kind(), error.retryable()), (ErrorKind::Network, true), "{phase:?}: {error}");
            assert!(error.message().contains(phase.doing()), "{phase:?}: {error}");
            assert!(error.message().contains(&format!("{connect_timeout_ms} ms")), "{phase:?}: {error}");
            excess
        });
    }
    let connect_timeout_ms = if is_full() { 50 } else { 200 * factor() };
    let client = Client::init(InitOptions { connect_timeout_ms, ..service.options() }).unwrap();
    // So that the next call makes a connection, too.
    get(&client, CLOSING).unwrap();
    let connections = service.accepted();
    service.hold(true);
    std::thread::scope(|scope| {
        let slow = Call::start(scope, || get(&client, BESIDE));
        service.until_held();
        // The time of a second connection, which passes while the first one waits for its answer.
        service.stick(Phase::Tls);
        let error = client.get_conversations(&stuck(0, None)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Network, "{error}");
        service.release();
        service.hold(false);
        slow.join().0.unwrap();
    });
    assert_eq!(service.accepted(), connections + 2);
}
