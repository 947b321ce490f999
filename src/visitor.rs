//! Who is asking: the chat settings, the visitor's tracking token, and their being fetched once however
//! many calls need them at the same time.

use crate::cancel::Signal;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Answer, Credential, Http};
use crate::json;
use crate::log::Level;
use crate::model::{self, Settings};
use crate::options::{VisitorFn, check_secret};
use crate::text::Text;
use crate::transport::Call;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// A visitor, as of now. Cheap to clone.
#[derive(Clone)]
pub struct Visitor(Arc<VisitorFields>);

pub(crate) struct VisitorFields {
    pub tracking_token: Option<Text>,
    pub tracking_id: Option<Text>,
    pub verified: Option<bool>,
}

impl Visitor {
    /// The token to save: handed to the next init as
    /// [`tracking_token`](crate::InitOptions::tracking_token), it keeps the visitor's history. `None`:
    /// erase what was saved.
    pub fn tracking_token(&self) -> Option<&str> {
        self.0.tracking_token.as_ref().map(Text::as_str)
    }

    /// The visitor's id.
    pub fn tracking_id(&self) -> Option<&str> {
        self.0.tracking_id.as_ref().map(Text::as_str)
    }

    /// Whether the visitor is logged in.
    pub fn verified(&self) -> Option<bool> {
        self.0.verified
    }

    pub(crate) fn fields(&self) -> &VisitorFields {
        &self.0
    }

    /// From the answer to `GET /c/v1/tracking/tokens/current`.
    fn decode(http: &Http, answer: &Answer) -> Result<Visitor> {
        const WHAT: &str = "a tracking token";
        let attributes = model::attributes(http, answer, WHAT)?;
        let [id, token, verified] = json::members(attributes, ["trackingId", "token", "verified"]);
        let token = token.and_then(json::string).filter(|token| check_secret("token", token).is_ok());
        let token = token.ok_or_else(|| http.decode_error(answer, json::Malformed::Other, WHAT))?;
        let id = id.and_then(json::string).filter(|id| !id.is_empty());
        Ok(Visitor(Arc::new(VisitorFields {
            tracking_token: Some(token.into_owned().into()),
            tracking_id: id.map(|id| id.into_owned().into()),
            verified: verified.and_then(json::boolean),
        })))
    }

    /// A missing id is never the same one.
    fn is_same(&self, other: &Visitor) -> bool {
        self.tracking_id().is_some() && self.tracking_id() == other.tracking_id()
    }
}

impl fmt::Debug for Visitor {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visitor")
            .field("tracking_id", &self.0.tracking_id)
            .field("verified", &self.0.verified)
            .finish_non_exhaustive()
    }
}

/// The visitor a call asks for.
pub(crate) struct Who {
    pub visitor: Visitor,
    /// Goes up when the visitor becomes another: a call whose visitor is gone must not show the other's rows.
    pub epoch: u64,
    /// Goes up with each token.
    generation: u64,
}

impl Who {
    pub fn token(&self) -> &str {
        self.visitor.tracking_token().unwrap_or_default()
    }
}

/// The settings and the visitor of a client with a chat key.
pub(crate) struct Visitors {
    state: Mutex<State>,
    hook: Option<VisitorFn>,
}

#[derive(Default)]
struct State {
    settings: Option<Settings>,
    visitor: Option<Visitor>,
    epoch: u64,
    generation: u64,
    /// The token the application handed to init, until it was sent for the first time.
    saved_token: Option<String>,
    /// The token that the application knows: the hook is called for another one.
    known_token: Option<String>,
    settings_flight: Option<Arc<Flight>>,
    token_flight: Option<Arc<Flight>>,
    /// Changes the hook has not been told, oldest first, and whether a thread is telling it.
    untold: VecDeque<Visitor>,
    telling: bool,
}

/// A fetch that other calls wait for.
struct Flight {
    done: Signal,
    failure: OnceLock<Error>,
}

/// Ends a flight, also when the fetch panics: the waiting calls then fetch for themselves.
struct Landing<'a> {
    visitors: &'a Visitors,
    slot: Slot,
    flight: Arc<Flight>,
}

type Slot = fn(&mut State) -> &mut Option<Arc<Flight>>;

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        *(self.slot)(&mut self.visitors.state()) = None;
        self.flight.done.set();
    }
}

impl Visitors {
    pub fn new(saved_token: Option<&str>, hook: Option<VisitorFn>) -> Visitors {
        let saved_token = saved_token.map(str::to_owned);
        let state = State { known_token: saved_token.clone(), saved_token, ..State::default() };
        Visitors { state: Mutex::new(state), hook }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The settings, if they have been fetched.
    pub fn settings_now(&self) -> Option<Settings> {
        self.state().settings.clone()
    }

    /// The visitor, if one has been fetched.
    pub fn visitor_now(&self) -> Option<Visitor> {
        self.state().visitor.clone()
    }

    pub fn epoch(&self) -> u64 {
        self.state().epoch
    }

    /// The settings, fetched if they have not been.
    pub fn settings(&self, http: &Http, call: &Call) -> Result<Settings> {
        self.shared(
            call,
            "waiting for the settings",
            |state| state.settings.clone(),
            |state| &mut state.settings_flight,
            || {
                let answer = http.get(call, &http.with_lang("/p/v1/chat/settings"), Credential::None)?;
                let settings = Settings::decode(http, &answer)?;
                self.state().settings = Some(settings);
                Ok(())
            },
        )
    }

    /// The visitor, fetched if there is none.
    pub fn who(&self, http: &Http, call: &Call) -> Result<Who> {
        self.newer_than(http, call, 0)
    }

    /// The visitor after the service has refused the token of `who`: with a fresh token when the service
    /// still names the same visitor.
    pub fn renew(&self, http: &Http, call: &Call, who: &Who) -> Result<Who> {
        self.newer_than(http, call, who.generation)
    }

    fn newer_than(&self, http: &Http, call: &Call, generation: u64) -> Result<Who> {
        let who = self.shared(
            call,
            "waiting for the tracking token",
            |state| {
                let visitor = state.visitor.clone().filter(|_| state.generation > generation)?;
                Some(Who { visitor, epoch: state.epoch, generation: state.generation })
            },
            |state| &mut state.token_flight,
            || self.fetch_token(http, call),
        );
        self.tell();
        who
    }

    fn fetch_token(&self, http: &Http, call: &Call) -> Result<()> {
        const PATH: &str = "/c/v1/tracking/tokens/current";
        let sent = {
            let state = self.state();
            let current = state.visitor.as_ref().and_then(Visitor::tracking_token);
            current.map(str::to_owned).or_else(|| state.saved_token.clone())
        };
        let answer = match &sent {
            None => http.get(call, PATH, Credential::None)?,
            Some(token) => match http.get(call, PATH, Credential::TrackingToken(token)) {
                Err(e) if e.http_status() == Some(401) => {
                    http.logger.log(Level::Warning, || {
                        "the service refused the tracking token; going on as a new visitor, without the history"
                            .to_owned()
                    });
                    http.get(call, PATH, Credential::None)?
                }
                result => result?,
            },
        };
        let visitor = Visitor::decode(http, &answer)?;
        let token = visitor.tracking_token().unwrap_or_default().to_owned();
        http.logger.secrets.learn(&token);
        let changed = {
            let mut state = self.state();
            state.saved_token = None;
            state.generation += 1;
            if state.visitor.as_ref().is_some_and(|old| !old.is_same(&visitor)) {
                state.epoch += 1;
            }
            let changed = state.known_token.as_ref() != Some(&token);
            if changed {
                state.known_token = Some(token);
                state.untold.push_back(visitor.clone());
            }
            state.visitor = Some(visitor);
            changed
        };
        if changed {
            http.logger.log(Level::Info, || "the visitor has another tracking token".to_owned());
        }
        Ok(())
    }

    /// What `have` finds, after at most one fetch at a time. A failed fetch fails the calls that waited for
    /// it too, unless it ended for a reason of its own call's.
    fn shared<T>(
        &self,
        call: &Call,
        doing: &str,
        have: impl Fn(&State) -> Option<T>,
        slot: Slot,
        fetch: impl Fn() -> Result<()>,
    ) -> Result<T> {
        loop {
            let mut state = self.state();
            if let Some(found) = have(&state) {
                return Ok(found);
            }
            if let Some(flight) = slot(&mut state).clone() {
                drop(state);
                call.wait_for(&flight.done, doing)?;
                if let Some(failure) = flight.failure.get() {
                    return Err(failure.clone());
                }
                continue;
            }
            let flight = Arc::new(Flight { done: Signal::new(), failure: OnceLock::new() });
            *slot(&mut state) = Some(flight.clone());
            drop(state);
            let landing = Landing { visitors: self, slot, flight };
            if let Err(e) = fetch() {
                if !matches!(e.kind(), ErrorKind::Cancelled | ErrorKind::Timeout | ErrorKind::Internal) {
                    let _ = landing.flight.failure.set(e.clone());
                }
                return Err(e);
            }
        }
    }

    /// Calls the hook for each change it has not been told. While it runs, another thread's change is left
    /// to the thread that is in it.
    fn tell(&self) {
        /// For a hook that panics.
        struct Told<'a>(&'a Visitors);
        impl Drop for Told<'_> {
            fn drop(&mut self) {
                self.0.state().telling = false;
            }
        }
        let mut state = self.state();
        let Some(hook) = &self.hook else {
            return state.untold.clear();
        };
        if state.telling {
            return;
        }
        state.telling = true;
        let told = Told(self);
        while let Some(visitor) = state.untold.pop_front() {
            drop(state);
            hook(&visitor);
            state = self.state();
        }
        // Under the lock that saw the queue empty, so that no change is left to a thread that is leaving.
        state.telling = false;
        std::mem::forget(told);
    }
}
