//! What every request passes before its route: the record of requests, the switches, the header check.

use super::refusal::Refusal;
use super::world::World;
use super::{Answer, Held, Options, Outage, Seen};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub const TRACKING_TOKEN: &str = "x-kustomer-tracking-token";
/// What every call on a chat key carries, and how the value begins.
const CHAT_HEADERS: [(&str, &[u8]); 3] =
    [("x-kustomer", b"kustomer"), ("x-kustomer-client", b"kustomer-c"), ("x-kustomer-version", b"release-v")];

/// What the routes, the listeners and the handle share: all that changes while the sandbox runs.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<Live>>);

pub struct Live {
    /// The switches, as they stand now.
    pub options: Options,
    pub world: World,
    pub seen: Vec<Seen>,
    pub connections: usize,
    /// For the next request on a path: an answer, or none at all.
    pub planned: Vec<(String, Option<Answer>)>,
    /// For the next request on a path: who is told of it and says when it goes on.
    pub held: Vec<(String, Held)>,
    /// When the rate limit's window began, and how many requests it has seen.
    window: (Instant, u32),
}

enum Decision {
    Serve(HeaderMap),
    Answer(Response),
    HangUp,
}

impl Shared {
    pub fn new(options: Options) -> Shared {
        let live = Live {
            world: World::new(options.conversations, options.customer_conversations),
            options,
            seen: Vec::new(),
            connections: 0,
            planned: Vec::new(),
            held: Vec::new(),
            window: (Instant::now(), 0),
        };
        Shared(Arc::new(Mutex::new(live)))
    }

    pub fn lock(&self) -> MutexGuard<'_, Live> {
        self.0.lock().unwrap()
    }
}

pub async fn gate(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let latency = shared.lock().arrive(&request);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let held = shared.lock().take_held(request.uri().path());
    if let Some((arrived, release)) = held {
        let _ = arrived.send(());
        let _ = release.await;
    }
    let decision = shared.lock().decide(request.uri().path());
    match decision {
        // hyper has no word for "no answer". Unwinding ends the connection's task and with it the
        // connection; resume_unwind does so without a panic's message.
        Decision::HangUp => std::panic::resume_unwind(Box::new("dropped by a switch")),
        Decision::Answer(response) => response,
        Decision::Serve(quota) => {
            let mut response = match check_headers(request.uri().path(), request.headers()) {
                Ok(()) => next.run(request).await,
                Err(refusal) => refusal.into_response(),
            };
            response.headers_mut().extend(quota);
            response
        }
    }
}

impl Live {
    /// Takes note of a request; how long its answer has to wait.
    fn arrive(&mut self, request: &Request) -> Duration {
        if self.options.record {
            self.seen.push(Seen::new(request));
        }
        Duration::from_millis(self.options.latency_ms)
    }

    fn take_held(&mut self, path: &str) -> Option<Held> {
        let at = self.held.iter().position(|(held, _)| held == path)?;
        Some(self.held.remove(at).1)
    }

    fn decide(&mut self, path: &str) -> Decision {
        match self.options.outage {
            Outage::Off => {}
            Outage::Drop => return Decision::HangUp,
            Outage::Unavailable => {
                let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the sandbox's outage switch is on");
                return Decision::Answer(refusal.into_response());
            }
        }
        if let Some(at) = self.planned.iter().position(|(planned, _)| planned == path) {
            return match self.planned.remove(at).1 {
                Some(answer) => Decision::Answer(answer.into_response()),
                None => Decision::HangUp,
            };
        }
        self.count_against_quota()
    }

    fn count_against_quota(&mut self) -> Decision {
        let Some(limit) = self.options.rate_limit else {
            return Decision::Serve(HeaderMap::new());
        };
        let length = Duration::from_millis(limit.window_ms);
        if self.window.0.elapsed() >= length {
            self.restart_window();
        }
        self.window.1 += 1;
        let (began, count) = self.window;

        let mut quota = HeaderMap::new();
        quota.insert("x-ratelimit-limit", limit.requests.into());
        quota.insert("x-ratelimit-remaining", limit.requests.saturating_sub(count).into());
        if count <= limit.requests {
            return Decision::Serve(quota);
        }
        let left = length.saturating_sub(began.elapsed());
        let reset = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + left;
        quota.insert("x-ratelimit-reset", whole_seconds(reset));
        quota.insert("retry-after", whole_seconds(left));
        let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "the organisation's rate limit is used up");
        Decision::Answer((quota, refusal).into_response())
    }

    pub fn restart_window(&mut self) {
        self.window = (Instant::now(), 0);
    }
}

/// Rounded up: who comes back then must not be too early.
fn whole_seconds(duration: Duration) -> HeaderValue {
    duration.as_millis().div_ceil(1000).to_string().try_into().unwrap()
}

/// Refuses what the real service may let pass, so that tests notice a client that is careless with its
/// headers: the three that make a call a chat-key call, and credentials where they do not belong.
fn check_headers(path: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    let on_visitor_route = path.starts_with("/c/");
    if on_visitor_route || path.starts_with("/p/") {
        for (name, expected) in CHAT_HEADERS {
            if !headers.get(name).is_some_and(|value| value.as_bytes().starts_with(expected)) {
                return Err(Refusal::bad_request(format!("missing or wrong header: {name}")));
            }
        }
        if headers.contains_key("authorization") {
            return Err(Refusal::bad_request("a chat-key call carries no Authorization"));
        }
    }
    if !on_visitor_route && headers.contains_key(TRACKING_TOKEN) {
        return Err(Refusal::bad_request("a tracking token belongs on /c/ routes only"));
    }
    Ok(())
}

impl Seen {
    fn new(request: &Request) -> Seen {
        let header = |(name, value): (&axum::http::HeaderName, &HeaderValue)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        Seen {
            at: Instant::now(),
            method: request.method().to_string(),
            path: request.uri().path().into(),
            query: request.uri().query().unwrap_or_default().into(),
            headers: request.headers().iter().map(header).collect(),
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response.body(Body::from(self.body)).expect("an answer given to answer_next is valid HTTP")
    }
}
