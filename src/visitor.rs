//! Who is asking: the chat settings, the visitor's tracking token, login and logout, and all of it being
//! fetched once however many calls need it at the same time.
//!
//! Two numbers stand beside the visitor. The *epoch* goes up when the visitor becomes another (login, logout,
//! another tracking id): whatever was begun in an earlier one must neither be shown nor stored. The
//! *generation* goes up with each token: a call whose token was refused asks for a newer one.

use crate::cancel::Signal;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Answer, Credential, Http, is_own, is_refusal};
use crate::json;
use crate::log::Level;
use crate::model::{self, Settings};
use crate::options::{VisitorFn, check_secret};
use crate::text::Text;
use crate::transport::Call;
use std::collections::VecDeque;
use std::convert::Infallible;
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

    /// After a logout: nothing to save.
    fn nobody() -> Visitor {
        Visitor(Arc::new(VisitorFields { tracking_token: None, tracking_id: None, verified: None }))
    }

    /// A missing id is never the same one.
    fn is_same(&self, other: &Visitor) -> bool {
        self.tracking_id().is_some() && self.tracking_id() == other.tracking_id()
    }
}

impl fmt::Debug for Visitor {
    /// Without the token, and without an id in which a server may have put it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visitor").field("verified", &self.0.verified).finish_non_exhaustive()
    }
}

/// The visitor a call asks for.
pub(crate) struct Who {
    pub visitor: Visitor,
    pub epoch: u64,
    generation: u64,
}

impl Who {
    pub fn token(&self) -> &str {
        self.visitor.tracking_token().unwrap_or_default()
    }
}

const WAITING: &str = "waiting for the tracking token";

/// What to do when the service refuses the token with which a fresh one is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// Ask without it: a kiosk must start, and nothing of the old history was shown.
    GoOnAsNew,
    Fail,
}

fn changed() -> Error {
    Error::new(
        ErrorKind::Unauthorized,
        "the visitor became another one while this call ran; begin the list anew to see the new visitor's conversations",
    )
}

fn is_success(error: &Error) -> bool {
    error.http_status().is_some_and(|status| (200..300).contains(&status))
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
    /// The visitor's token has to be fetched anew before it is used again: the service refused it, or somebody logged in.
    outdated: bool,
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

impl State {
    /// The visitor, with a token that may be used.
    fn who(&self) -> Option<Who> {
        let visitor = self.visitor.clone().filter(|_| !self.outdated)?;
        Some(Who { visitor, epoch: self.epoch, generation: self.generation })
    }
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
    /// What it fetches is of no use in another one.
    epoch: u64,
}

/// What a call that needs something finds: it, or that it is the one to fetch it.
enum Turn<'a, T> {
    Found(T),
    Ours(Landing<'a>),
}

type Slot = fn(&mut State) -> &mut Option<Arc<Flight>>;

const TOKEN: Slot = |state| &mut state.token_flight;

impl Landing<'_> {
    /// Whether no logout has taken its place.
    fn is_ours(&self, state: &mut State) -> bool {
        (self.slot)(state).as_ref().is_some_and(|flight| Arc::ptr_eq(flight, &self.flight))
    }

    /// Lets the waiting calls have a failure, unless it is one of this call's own or of an earlier epoch.
    fn share<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(e) = &result {
            let own = is_own(e) || e.kind() == ErrorKind::Internal;
            if !own && self.visitors.epoch() == self.epoch {
                let _ = self.flight.failure.set(e.clone());
            }
        }
        result
    }
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let mut state = self.visitors.state();
        if self.is_ours(&mut state) {
            *(self.slot)(&mut state) = None;
        }
        drop(state);
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

    /// The visitor with a token that may be used, if there is one.
    pub fn who_now(&self) -> Option<Who> {
        self.state().who()
    }

    /// The settings, fetched if they have not been.
    pub fn settings(&self, http: &Http, call: &Call) -> Result<Settings> {
        self.shared(
            call,
            "waiting for the settings",
            |state| state.settings.clone(),
            |state| &mut state.settings_flight,
            |_| {
                let path = http.with_lang("/p/v1/chat/settings");
                let answer = http.get(call, &path, Credential::None, &|| Ok(()))?;
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
            WAITING,
            |state| state.who().filter(|who| who.generation > generation),
            TOKEN,
            |landing| self.fetch_token(http, call, landing.epoch, Refused::GoOnAsNew),
        );
        self.tell();
        who
    }

    /// Fails when the visitor is no longer the one of an epoch.
    pub fn still(&self, epoch: u64) -> Result<()> {
        if self.epoch() == epoch {
            return Ok(());
        }
        Err(changed())
    }

    /// Logs the visitor in: from now on their history is that of the customer whom the JWT names.
    pub fn login(&self, http: &Http, call: &Call, jwt: &str) -> Result<()> {
        http.logger.secrets.learn(jwt);
        let done = self.try_login(http, call, jwt);
        self.tell();
        done
    }

    fn try_login(&self, http: &Http, call: &Call, jwt: &str) -> Result<()> {
        let Turn::Ours(mut landing) = self.turn(call, WAITING, TOKEN, |_| None::<Infallible>)?;
        let who = self.who_now();
        let who = match who.filter(|who| who.epoch == landing.epoch) {
            Some(who) => who,
            None => {
                landing.share(self.fetch_token(http, call, landing.epoch, Refused::GoOnAsNew))?;
                let mut state = self.state();
                // Another visitor than the last one will do, but not after a logout.
                let who = state.who().filter(|_| landing.is_ours(&mut state)).ok_or_else(changed)?;
                landing.epoch = who.epoch;
                who
            }
        };
        call.check("about to log in")?;
        let body = format!("{{\"externalToken\":{}}}", serde_json::Value::from(jwt));
        match http.post(call, "/c/v1/identity", &body, Credential::TrackingToken(who.token())) {
            // Whatever else stands in it, a 2xx is a yes.
            Ok(answer) => http.error_list(&answer).map_or(Ok(()), Err)?,
            Err(e) if matches!(e.kind(), ErrorKind::Decode | ErrorKind::Limit) && is_success(&e) => {}
            Err(e) => return Err(self.login_failed(http, e, landing.epoch)),
        }
        {
            let mut state = self.state();
            if state.epoch != landing.epoch {
                return Err(changed());
            }
            state.epoch += 1;
            state.outdated = true;
            landing.epoch = state.epoch;
        }
        http.logger.log(Level::Info, || "the visitor logged in".to_owned());
        let fetched = self.fetch_token(http, call, landing.epoch, Refused::Fail);
        landing.share(fetched).map_err(|e| {
            e.reworded(|why| {
                format!("the login was accepted, but the new tracking token could not be fetched, which the next call tries again: {why}")
            })
        })
    }

    fn login_failed(&self, http: &Http, error: Error, epoch: u64) -> Error {
        match error.kind() {
            ErrorKind::Network | ErrorKind::Timeout | ErrorKind::Cancelled => {
                error.reworded(|why| format!("it is not known whether the login was accepted, it may have been: {why}"))
            }
            _ if is_refusal(&error) => {
                let mut state = self.state();
                state.outdated |= state.epoch == epoch;
                let said = http.said(401, error.details());
                error.reworded(|_| {
                    format!(
                        "{said}: the login JWT or the tracking token was refused; have your server sign a fresh JWT (its `iat` at most 15 minutes old by a right clock) and log in again"
                    )
                })
            }
            _ => error,
        }
    }

    /// Forgets the visitor, tells the application to, and asks for a new one.
    pub fn logout(&self, http: &Http, call: &Call) -> Result<()> {
        let epoch = {
            let mut state = self.state();
            state.visitor = None;
            state.saved_token = None;
            state.known_token = None;
            state.outdated = false;
            state.epoch += 1;
            state.untold.push_back(Visitor::nobody());
            // Whoever fetches now does so for nobody.
            if let Some(flight) = state.token_flight.take() {
                flight.done.set();
            }
            state.epoch
        };
        http.logger.log(Level::Info, || "the visitor was forgotten".to_owned());
        // Nothing is held meanwhile: the hook, and other threads, may make calls, which make the new visitor.
        self.tell();
        let done = self.start_anew(http, call, epoch);
        self.tell();
        done.map_err(|e| {
            e.reworded(|why| {
                format!("the visitor is forgotten here, but the service could not be asked for a new one: {why}")
            })
        })
    }

    fn start_anew(&self, http: &Http, call: &Call, epoch: u64) -> Result<()> {
        call.check("about to ask for a new visitor")?;
        let needless = |state: &State| (state.visitor.is_some() || state.epoch != epoch).then_some(());
        let landing = match self.turn(call, WAITING, TOKEN, needless)? {
            Turn::Found(()) => return Ok(()),
            Turn::Ours(landing) => landing,
        };
        let answer = http.post(call, "/c/v1/tracking/tokens", "{}", Credential::None);
        landing.share(answer.and_then(|answer| Visitor::decode(http, &answer)).map(|new| self.adopt(http, new, epoch)))
    }

    fn fetch_token(&self, http: &Http, call: &Call, epoch: u64, refused: Refused) -> Result<()> {
        const PATH: &str = "/c/v1/tracking/tokens/current";
        let get = |credential: Credential<'_>| http.get(call, PATH, credential, &|| self.still(epoch));
        let sent = {
            let state = self.state();
            let current = state.visitor.as_ref().and_then(Visitor::tracking_token);
            current.map(str::to_owned).or_else(|| state.saved_token.clone())
        };
        let answer = match &sent {
            None => get(Credential::None)?,
            Some(token) => match get(Credential::TrackingToken(token)) {
                Err(e) if is_refusal(&e) && refused == Refused::GoOnAsNew => {
                    self.still(epoch)?;
                    http.logger.log(Level::Warning, || {
                        "the service refused the tracking token; going on as a new visitor, without the history"
                            .to_owned()
                    });
                    get(Credential::None)?
                }
                result => result?,
            },
        };
        self.adopt(http, Visitor::decode(http, &answer)?, epoch);
        Ok(())
    }

    /// Takes a visitor whom the service named for the one to ask as, unless it was asked in another epoch.
    fn adopt(&self, http: &Http, visitor: Visitor, epoch: u64) {
        let token = visitor.tracking_token().unwrap_or_default().to_owned();
        http.logger.secrets.learn(&token);
        let mut state = self.state();
        crate::step();
        if state.epoch != epoch {
            return;
        }
        state.saved_token = None;
        state.outdated = false;
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
        drop(state);
        if changed {
            http.logger.log(Level::Info, || "the visitor has another tracking token".to_owned());
        }
    }

    /// What `have` finds, after at most one fetch at a time. A failed fetch fails the calls that waited for
    /// it too, unless it ended for a reason of its own call's.
    fn shared<T>(
        &self,
        call: &Call,
        doing: &str,
        have: impl Fn(&State) -> Option<T>,
        slot: Slot,
        fetch: impl Fn(&Landing<'_>) -> Result<()>,
    ) -> Result<T> {
        loop {
            match self.turn(call, doing, slot, &have)? {
                Turn::Found(found) => return Ok(found),
                Turn::Ours(landing) => landing.share(fetch(&landing))?,
            }
        }
    }

    /// What `have` finds, or the turn to fetch. Waits for another call's fetch by this call's own deadline and
    /// token, and fails with it.
    fn turn<T>(&self, call: &Call, doing: &str, slot: Slot, have: impl Fn(&State) -> Option<T>) -> Result<Turn<'_, T>> {
        loop {
            let mut state = self.state();
            if let Some(found) = have(&state) {
                return Ok(Turn::Found(found));
            }
            let Some(flight) = slot(&mut state).clone() else {
                let flight = Arc::new(Flight { done: Signal::new(), failure: OnceLock::new() });
                *slot(&mut state) = Some(flight.clone());
                return Ok(Turn::Ours(Landing { visitors: self, slot, flight, epoch: state.epoch }));
            };
            drop(state);
            call.wait_for(&flight.done, doing)?;
            if let Some(failure) = flight.failure.get() {
                return Err(failure.clone());
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
