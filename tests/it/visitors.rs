//! Login, logout, and whose history a call may show.

use crate::api::{LIST, SETTINGS, TOKEN, all, client, kind, options, paths, sandbox, told};
use crate::sandbox::{Answer, Outage, Sandbox};
use kustomer::{CallOptions, Cancel, Client, Error, ErrorKind, GetConversationsOptions, InitOptions, Visitor};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;

const IDENTITY: &str = "/c/v1/identity";
const RESET: &str = "/c/v1/tracking/tokens";

fn now() -> CallOptions {
    CallOptions::default()
}

fn log_in(client: &Client, sandbox: &Sandbox) -> kustomer::Result<()> {
    client.login(&sandbox.login_jwt("grace"), &now())
}

fn tokens(told: &Arc<Mutex<Vec<Visitor>>>) -> Vec<Option<String>> {
    told.lock().unwrap().iter().map(|visitor| visitor.tracking_token().map(str::to_owned)).collect()
}

/// A client of the returning visitor whose hook is `told`.
fn told_client(sandbox: &Sandbox, seen: &Arc<Mutex<Vec<Visitor>>>) -> Client {
    let client = Client::init(InitOptions { on_visitor: told(seen), ..options(sandbox) }).unwrap();
    sandbox.clear_requests();
    client
}

fn rows(client: &Client) -> usize {
    client.get_conversations(&all()).unwrap().total().unwrap() as usize
}

fn carries(sandbox: &Sandbox, token: &str) -> bool {
    sandbox.requests().iter().any(|seen| seen.headers.iter().any(|(_, value)| value == token))
}

#[test]
fn a_login_shows_the_customers_history_now_and_after_a_restart() {
    let sandbox = sandbox();
    let seen = Arc::default();
    let new = Client::init(InitOptions { tracking_token: None, on_visitor: told(&seen), ..options(&sandbox) }).unwrap();
    assert_eq!((rows(&new), new.visitor().unwrap().verified()), (0, Some(false)));
    sandbox.clear_requests();
    let connections = sandbox.connections();
    log_in(&new, &sandbox).unwrap();
    assert_eq!(paths(&sandbox), [IDENTITY, TOKEN]);
    let sent = &sandbox.requests()[0];
    assert_eq!((sent.method.as_str(), sent.header("content-type")), ("POST", Some("application/json")));
    assert_eq!(sent.header("x-kustomer-tracking-token"), tokens(&seen)[0].as_deref());
    assert_eq!(sandbox.connections(), connections + 1, "a login opens a connection of its own");
    assert_eq!((rows(&new), new.visitor().unwrap().verified()), (40, Some(true)));
    let told_tokens = tokens(&seen);
    assert_eq!(told_tokens.len(), 2);
    let back = Client::init(InitOptions { tracking_token: told_tokens[1].clone(), ..options(&sandbox) }).unwrap();
    assert_eq!((rows(&back), back.visitor().unwrap().verified()), (40, Some(true)));
}

#[test]
fn a_refused_login_changes_nothing_but_the_next_call_makes_sure_of_the_token() {
    let sandbox = sandbox();
    let seen = Arc::default();
    let client = told_client(&sandbox, &seen);
    let old = sandbox.login_jwt_at("grace", crate::sandbox::now_s() - 16 * 60);
    let error = client.login(&old, &now()).unwrap_err();
    assert_eq!((error.kind(), error.http_status()), (ErrorKind::Unauthorized, Some(401)));
    assert!(error.message().contains("login JWT or the tracking token was refused"), "{error}");
    assert!(error.message().contains("15 minutes") && !error.message().contains(&old), "{error}");
    assert_eq!(paths(&sandbox), [IDENTITY]);
    sandbox.clear_requests();
    assert_eq!(rows(&client), 250);
    assert_eq!(paths(&sandbox), [TOKEN, LIST]);
    assert!(tokens(&seen).is_empty());
    sandbox.clear_requests();
    client.login(&old, &now()).unwrap_err();
    log_in(&client, &sandbox).unwrap();
    assert_eq!(paths(&sandbox), [IDENTITY, TOKEN, IDENTITY, TOKEN]);
}

#[test]
fn a_login_is_sent_once_whatever_becomes_of_it() {
    let sandbox = sandbox();
    let client = Client::init(InitOptions { max_retries: 5, ..options(&sandbox) }).unwrap();
    for status in [403, 408, 429, 500, 503] {
        sandbox.clear_requests();
        let mut answer = Answer::json(status, r#"{"errors":[{"code":"no"}]}"#);
        answer.headers.push(("retry-after".to_owned(), "0".to_owned()));
        sandbox.answer_next(IDENTITY, answer);
        let error = log_in(&client, &sandbox).unwrap_err();
        assert_eq!((error.http_status(), error.details()[0].code()), (Some(status), Some("no")));
        assert_eq!(paths(&sandbox), [IDENTITY]);
        assert_eq!(rows(&client), 250);
        assert_eq!(paths(&sandbox), [IDENTITY, LIST]);
    }
    sandbox.clear_requests();
    sandbox.drop_next(IDENTITY);
    let error = log_in(&client, &sandbox).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.message().contains("it may have been"), "{error}");
    assert_eq!(paths(&sandbox), [IDENTITY]);
}

#[test]
fn any_2xx_but_a_list_of_errors_accepts_a_login() {
    let sandbox = sandbox();
    let client = client(&sandbox);
    for answer in [
        Answer::json(200, "{}"),
        Answer::json(201, "what?"),
        Answer::json(204, ""),
        Answer::json(200, r#"{"errors":[{"code":"odd"}],"data":{}}"#),
        Answer { headers: vec![("content-encoding".to_owned(), "gzip".to_owned())], ..Answer::json(200, "no gzip") },
    ] {
        sandbox.clear_requests();
        sandbox.answer_next(IDENTITY, answer);
        log_in(&client, &sandbox).unwrap();
        assert_eq!(paths(&sandbox), [IDENTITY, TOKEN]);
    }
    sandbox.clear_requests();
    sandbox.answer_next(IDENTITY, Answer::json(200, r#"{"errors":[{"code":"odd"}],"data":null}"#));
    let error = log_in(&client, &sandbox).unwrap_err();
    assert_eq!((error.kind(), error.http_status()), (ErrorKind::Http, Some(200)));
    assert_eq!(error.details()[0].code(), Some("odd"));
    assert_eq!(rows(&client), 250);
    assert_eq!(paths(&sandbox), [IDENTITY, LIST]);
}

#[test]
fn a_login_whose_token_could_not_be_fetched_says_so_and_the_next_call_fetches_it() {
    let sandbox = sandbox();
    let seen = Arc::default();
    let client = told_client(&sandbox, &seen);
    let mut pager = client.pages(&all()).unwrap();
    pager.next().unwrap().unwrap();
    sandbox.clear_requests();
    sandbox.answer_next(TOKEN, Answer::json(503, ""));
    let error = log_in(&client, &sandbox).unwrap_err();
    assert_eq!((error.kind(), error.retryable()), (ErrorKind::Server, true));
    assert!(error.message().contains("the login was accepted"), "{error}");
    assert_eq!(rows(&client), 40);
    assert_eq!(paths(&sandbox), [IDENTITY, TOKEN, TOKEN, LIST]);
    assert_eq!(tokens(&seen).len(), 1);
    assert_eq!(kind(pager.next().unwrap()), ErrorKind::Unauthorized);
}

#[test]
fn a_logout_tells_to_erase_before_it_sends_and_nobody_uses_the_old_token() {
    let sandbox = sandbox();
    let sent_when_told = Arc::new(Mutex::new(Vec::new()));
    let kept = sent_when_told.clone();
    let sandbox = Arc::new(sandbox);
    let theirs = Arc::downgrade(&sandbox);
    let client = Client::init(InitOptions {
        on_visitor: Some(Box::new(move |visitor| {
            let sent = theirs.upgrade().unwrap().requests().len();
            kept.lock().unwrap().push((visitor.tracking_token().is_some(), sent));
        })),
        ..options(&sandbox)
    })
    .unwrap();
    sandbox.clear_requests();
    client.logout(&now()).unwrap();
    assert_eq!(*sent_when_told.lock().unwrap(), [(false, 0), (true, 1)]);
    assert_eq!(rows(&client), 0);
    assert_eq!(paths(&sandbox), [RESET, LIST]);
    assert_eq!(sandbox.requests()[0].method, "POST");
    assert!(!carries(&sandbox, &sandbox.tracking_token()));
    assert_ne!(client.visitor().unwrap().tracking_id(), Some(sandbox.tracking_id().as_str()));
}

#[test]
fn a_logout_without_a_network_leaves_nobodys_history_behind() {
    let sandbox = sandbox();
    let seen = Arc::default();
    let client = told_client(&sandbox, &seen);
    sandbox.set_outage(Outage::Drop);
    let error = client.logout(&now()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Network);
    assert!(error.message().contains("the visitor is forgotten here"), "{error}");
    assert_eq!(tokens(&seen), [None]);
    assert!(client.visitor().is_none());
    sandbox.set_outage(Outage::Off);
    assert_eq!(rows(&client), 0);
    assert!(!carries(&sandbox, &sandbox.tracking_token()));
    assert_eq!(tokens(&seen).len(), 2);
}

#[test]
fn a_logout_that_is_cancelled_has_forgotten_the_visitor_all_the_same() {
    let sandbox = sandbox();
    let seen = Arc::default();
    let client = told_client(&sandbox, &seen);
    let cancel = Cancel::new();
    cancel.trigger();
    let options = CallOptions { cancel: Some(cancel), ..now() };
    assert_eq!(kind(client.login("a.b.c", &options)), ErrorKind::Cancelled);
    assert!(tokens(&seen).is_empty());
    assert_eq!(kind(client.logout(&options)), ErrorKind::Cancelled);
    assert_eq!(tokens(&seen), [None]);
    assert!(sandbox.requests().is_empty());
    assert_eq!(rows(&client), 0);
}

#[test]
fn a_lazy_client_needs_neither_settings_nor_list_for_login_and_logout() {
    let sandbox = sandbox();
    let lazy = || Client::init(InitOptions { lazy_init: true, ..options(&sandbox) }).unwrap();
    log_in(&lazy(), &sandbox).unwrap();
    assert_eq!(paths(&sandbox), [TOKEN, IDENTITY, TOKEN]);
    sandbox.clear_requests();
    let seen = Arc::default();
    let client = Client::init(InitOptions { lazy_init: true, on_visitor: told(&seen), ..options(&sandbox) }).unwrap();
    client.logout(&now()).unwrap();
    assert_eq!(paths(&sandbox), [RESET]);
    assert_eq!(tokens(&seen)[0], None);
    assert!(!carries(&sandbox, &sandbox.tracking_token()));
}

/// What becomes of a list and a walk that are under way while `change` happens.
fn calls_under_way_end(change: impl Fn(&Client, &Sandbox)) {
    let sandbox = sandbox();
    let client = client(&sandbox);
    let mut pager = client.pages(&all()).unwrap();
    pager.next().unwrap().unwrap();
    let held = sandbox.hold_next(LIST);
    let theirs = client.clone();
    let list = thread::spawn(move || theirs.get_conversations(&all()));
    held.wait();
    change(&client, &sandbox);
    drop(held);
    assert_eq!(kind(list.join().unwrap()), ErrorKind::Unauthorized);
    for _ in 0..2 {
        assert_eq!(kind(pager.next().unwrap()), ErrorKind::Unauthorized);
    }
    client.get_conversations(&all()).unwrap();
}

#[test]
fn calls_that_began_before_a_login_or_logout_show_nobody_elses_rows() {
    calls_under_way_end(|client, sandbox| log_in(client, sandbox).unwrap());
    calls_under_way_end(|client, _| client.logout(&now()).unwrap());
}

#[test]
fn a_list_that_fails_after_a_logout_says_that_the_visitor_is_another() {
    let sandbox = sandbox();
    let client = client(&sandbox);
    sandbox.answer_next(LIST, Answer::json(503, "{}"));
    let held = sandbox.hold_next(LIST);
    let theirs = client.clone();
    let list = thread::spawn(move || theirs.get_conversations(&all()));
    held.wait();
    client.logout(&now()).unwrap();
    drop(held);
    assert_eq!(kind(list.join().unwrap()), ErrorKind::Unauthorized);
}

#[test]
fn a_request_that_waits_to_be_repeated_is_not_sent_after_a_logout() {
    let sandbox = sandbox();
    let (tell, told) = mpsc::channel();
    let client = Client::init(InitOptions {
        max_retries: 3,
        log: Some(Box::new(move |_, line| drop(tell.send(line.to_owned())))),
        ..options(&sandbox)
    })
    .unwrap();
    sandbox.clear_requests();
    let mut answer = Answer::json(503, "");
    answer.headers.push(("retry-after".to_owned(), "1".to_owned()));
    sandbox.answer_next(LIST, answer);
    let theirs = client.clone();
    let list = thread::spawn(move || theirs.get_conversations(&all()));
    while !told.recv().unwrap().contains("trying again") {}
    client.logout(&now()).unwrap();
    assert_eq!(kind(list.join().unwrap()), ErrorKind::Unauthorized);
    assert_eq!(paths(&sandbox), [LIST, RESET]);
}

#[test]
fn a_token_that_is_fetched_while_somebody_logs_out_is_dropped() {
    let sandbox = sandbox();
    let seen = Arc::default();
    let client = told_client(&sandbox, &seen);
    sandbox.expire_tokens();
    let held = sandbox.hold_next(TOKEN);
    let theirs = client.clone();
    let list = thread::spawn(move || theirs.get_conversations(&all()));
    held.wait();
    client.logout(&now()).unwrap();
    let logged_out_as = client.visitor().unwrap();
    drop(held);
    assert_eq!(kind(list.join().unwrap()), ErrorKind::Unauthorized);
    assert_eq!(client.visitor().unwrap().tracking_token(), logged_out_as.tracking_token());
    assert_eq!(tokens(&seen), [None, logged_out_as.tracking_token().map(str::to_owned)]);
}

#[test]
fn a_login_during_which_somebody_logs_out_logs_nobody_in() {
    let sandbox = sandbox();
    let client = client(&sandbox);
    let held = sandbox.hold_next(IDENTITY);
    let (theirs, jwt) = (client.clone(), sandbox.login_jwt("grace"));
    let login = thread::spawn(move || theirs.login(&jwt, &now()));
    held.wait();
    client.logout(&now()).unwrap();
    drop(held);
    assert_eq!(kind(login.join().unwrap()), ErrorKind::Unauthorized);
    assert_eq!((rows(&client), client.visitor().unwrap().verified()), (0, Some(false)));
}

#[test]
fn logins_at_once_come_one_after_the_other() {
    let sandbox = sandbox();
    let client = client(&sandbox);
    sandbox.clear_requests();
    let logins: Vec<_> = (0..4)
        .map(|n| {
            let (client, jwt) = (client.clone(), sandbox.login_jwt(&format!("customer {n}")));
            thread::spawn(move || client.login(&jwt, &now()))
        })
        .collect();
    logins.into_iter().for_each(|login| login.join().unwrap().unwrap());
    assert_eq!(paths(&sandbox), [[IDENTITY, TOKEN]; 4].concat());
    assert!(rows(&client) >= 40);
}

#[test]
fn an_api_key_has_nobody_to_log_in() {
    let sandbox = sandbox();
    let client = Client::init(InitOptions {
        api_key: sandbox.api_key(),
        auth: kustomer::Auth::ApiKey,
        tracking_token: None,
        ..options(&sandbox)
    })
    .unwrap();
    assert_eq!(kind(client.login("a.b.c", &now())), ErrorKind::Unsupported);
    assert_eq!(kind(client.login("", &now())), ErrorKind::InvalidArgument);
    assert_eq!(kind(client.logout(&now())), ErrorKind::Unsupported);
    assert!(sandbox.requests().is_empty());
}

/// Calls of many threads on a lazy client whose first token request is held; what they end with.
fn together(
    sandbox: &Sandbox,
    client: &Client,
    leader: GetConversationsOptions,
    end: impl FnOnce(),
) -> Vec<Option<Error>> {
    let list = |options: GetConversationsOptions| {
        let client = client.clone();
        thread::spawn(move || client.get_conversations(&options).err())
    };
    let held = sandbox.hold_next(TOKEN);
    let mut calls = vec![list(leader)];
    held.wait();
    calls.extend((0..7).map(|_| list(all())));
    end();
    drop(held);
    calls.into_iter().map(|call| call.join().unwrap()).collect()
}

fn lazy(sandbox: &Sandbox) -> Client {
    let client = Client::init(InitOptions { lazy_init: true, ..options(sandbox) }).unwrap();
    sandbox.clear_requests();
    client
}

fn count(sandbox: &Sandbox, path: &str) -> usize {
    paths(sandbox).iter().filter(|seen| *seen == path).count()
}

#[test]
fn calls_that_need_a_token_at_once_share_one_fetch_and_its_failure() {
    let sandbox = sandbox();
    let ends = together(&sandbox, &lazy(&sandbox), all(), || {});
    assert!(ends.iter().all(Option::is_none));
    assert_eq!((count(&sandbox, SETTINGS), count(&sandbox, TOKEN), count(&sandbox, LIST)), (1, 1, 8));

    let client = lazy(&sandbox);
    sandbox.answer_next(TOKEN, Answer::json(503, ""));
    let ends = together(&sandbox, &client, all(), || {});
    // Those that came after it ended have fetched for themselves.
    let failed = ends.iter().filter(|end| end.is_some()).count();
    assert!(failed >= 1 && ends.iter().flatten().all(|e| e.http_status() == Some(503)));
    assert!(ends[0].is_some());
    client.get_conversations(&all()).unwrap();
}

#[test]
fn calls_that_wait_for_a_fetch_that_is_cancelled_or_late_fetch_for_themselves() {
    let sandbox = sandbox();
    let cancel = Cancel::new();
    let leader = GetConversationsOptions { cancel: Some(cancel.clone()), ..all() };
    let ends = together(&sandbox, &lazy(&sandbox), leader, || cancel.trigger());
    assert_eq!(ends[0].as_ref().map(Error::kind), Some(ErrorKind::Cancelled));
    assert!(ends[1..].iter().all(Option::is_none), "{ends:?}");
    assert_eq!(count(&sandbox, TOKEN), 2);

    let client = lazy(&sandbox);
    client.get_conversations(&all()).unwrap();
    let client = lazy(&sandbox);
    let held = sandbox.hold_next(TOKEN);
    let theirs = client.clone();
    let leader =
        thread::spawn(move || theirs.get_conversations(&GetConversationsOptions { timeout_ms: 1000, ..all() }));
    held.wait();
    client.get_conversations(&all()).unwrap();
    assert_eq!(kind(leader.join().unwrap()), ErrorKind::Timeout);
}

#[test]
fn a_change_that_comes_while_the_hook_runs_is_told_after_it_and_nobody_waits() {
    let sandbox = sandbox();
    let (entered, enter) = mpsc::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (kept, wait) = (seen.clone(), Mutex::new(wait));
    let client = Client::init(InitOptions {
        lazy_init: true,
        tracking_token: None,
        on_visitor: Some(Box::new(move |visitor| {
            entered.send(()).unwrap();
            let _ = wait.lock().unwrap().recv();
            kept.lock().unwrap().push((thread::current().id(), visitor.tracking_token().map(str::to_owned)));
        })),
        ..options(&sandbox)
    })
    .unwrap();
    let theirs = client.clone();
    let list = thread::spawn(move || theirs.get_conversations(&all()));
    enter.recv().unwrap();
    // The hook is held, and yet this returns.
    client.logout(&now()).unwrap();
    let newest = client.visitor().unwrap().tracking_token().map(str::to_owned);
    drop(go_on);
    let hook_thread = list.thread().id();
    let _ = list.join().unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.iter().all(|(id, _)| *id == hook_thread));
    assert_eq!(seen.iter().map(|(_, token)| token.is_some()).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(seen[2].1, newest);
}

#[test]
fn the_hook_may_make_calls_also_while_a_logout_runs() {
    let sandbox = sandbox();
    let me: Arc<OnceLock<Client>> = Arc::default();
    let listed = Arc::new(Mutex::new(Vec::new()));
    let (theirs, kept) = (me.clone(), listed.clone());
    let client = Client::init(InitOptions {
        on_visitor: Some(Box::new(move |_| {
            if let Some(client) = theirs.get() {
                let list = || client.get_conversations(&all()).map(|page| page.len());
                // Here, and in another thread that the hook waits for.
                let there = thread::scope(|scope| scope.spawn(list).join().unwrap());
                kept.lock().unwrap().extend([there, list()]);
            }
        })),
        ..options(&sandbox)
    })
    .unwrap();
    me.set(client.clone()).unwrap();
    sandbox.clear_requests();
    client.logout(&now()).unwrap();
    let listed = listed.lock().unwrap();
    assert!(!listed.is_empty() && listed.iter().all(|rows| matches!(rows, Ok(0))), "{listed:?}");
    assert_eq!(count(&sandbox, TOKEN) + count(&sandbox, RESET), 1, "one new visitor: {:?}", paths(&sandbox));
}
