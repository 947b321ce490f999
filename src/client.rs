//! The client: the front door of the Rust API.

use crate::cancel::Cancel;
use crate::conversations::{self, Pager};
use crate::error::{Error, ErrorKind, Result};
use crate::http::Http;
use crate::key;
use crate::log::{Logger, Secrets};
use crate::model::{Response, Settings};
use crate::options::{Auth, CallOptions, GetConversationsOptions, InitOptions, Limits, Query, check_secret};
use crate::origin::Origin;
use crate::transport::{Call, Proxy};
use crate::visitor::{Visitor, Visitors};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A client for one organisation. It may be used from any number of threads at once; clones are the
/// same client. Calls block until they are done, their deadline passes or their token is triggered.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

pub(crate) struct Inner {
    pub http: Http,
    /// Whose conversations a chat key lists; `None` with an API key, where each call says it.
    pub visitors: Option<Visitors>,
    pub api_key: String,
    auth: Auth,
    brand_id: Option<String>,
    limits: Limits,
    /// What ends the fetching ahead of its walks.
    ahead: Mutex<Vec<Cancel>>,
    /// The process that made the connections.
    process: u32,
}

impl Client {
    /// `KustomerCore.init`: reads the key, fetches the chat settings and the visitor's tracking token.
    ///
    /// # Errors
    /// `InvalidArgument` for an option that cannot be, before anything is sent; and everything a call can
    /// fail with. With [`lazy_init`](InitOptions::lazy_init) or an API key nothing is sent.
    pub fn init(options: InitOptions) -> Result<Client> {
        let limits = options.check()?;
        let call = Call::new(limits.timeout, options.cancel.clone());
        let origin = match &options.base_url {
            Some(url) => {
                if options.auth == Auth::ChatKey {
                    key::organisation(&options.api_key)?;
                }
                Origin::parse(url)?
            }
            None => {
                let domain = options.host_domain.as_deref().unwrap_or("kustomerapp.com");
                Origin::of(&key::organisation(&options.api_key)?, domain)?
            }
        };
        let proxy = Proxy::choose(options.proxy.as_deref(), &origin)?;
        let secrets = [options.api_key.clone()].into_iter().chain(options.saved_token().map(str::to_owned));
        let secrets = Secrets::new(secrets.chain(proxy.iter().flat_map(Proxy::secrets)));
        let mut options = options;
        let logger = Arc::new(Logger::new(options.log_level, options.log.take(), secrets));
        let http = Http::new(&options, &limits, origin, proxy, logger)?;
        call.check("about to begin")?;
        let hook = options.on_visitor.take();
        let visitors = (options.auth == Auth::ChatKey).then(|| Visitors::new(options.saved_token(), hook));
        if let Some(visitors) = visitors.as_ref().filter(|_| !options.lazy_init) {
            visitors.settings(&http, &call)?;
            visitors.who(&http, &call)?;
        }
        Ok(Client(Arc::new(Inner {
            http,
            visitors,
            api_key: options.api_key,
            auth: options.auth,
            brand_id: options.brand_id,
            limits,
            ahead: Mutex::default(),
            process: std::process::id(),
        })))
    }

    /// `KustomerCore.getConversations`: one page of the visitor's conversations.
    ///
    /// # Errors
    /// Any kind but `NotInitialized` and `Stopped`.
    pub fn get_conversations(&self, options: &GetConversationsOptions) -> Result<Response> {
        let query = self.0.query(options, false)?;
        let call = Call::new(query.timeout, query.cancel.clone());
        conversations::fetch(&self.0, &call, &query, query.page, &mut None)
    }

    /// The pages from [`page`](GetConversationsOptions::page) on, one at a time, in the memory of one.
    /// Rows that were delivered before are dropped and counted; rows that move up in the service's list
    /// while one walks can be missed, since it is paged by number.
    ///
    /// # Errors
    /// `InvalidArgument` and `Unsupported`; nothing is sent.
    pub fn pages(&self, options: &GetConversationsOptions) -> Result<Pager> {
        Ok(Pager::new(self.0.clone(), self.0.query(options, true)?))
    }

    /// Logs the visitor in: their history becomes that of the customer whom a JWT of your own server names
    /// (HS256, claims `externalId` or `email`, and `iat` at most 15 minutes old; source: Kustomer's documentation).
    /// Calls and pagers that began before end with [`ErrorKind::Unauthorized`].
    ///
    /// # Errors
    /// `Unsupported` with an API key. `Unauthorized` when the JWT or the tracking token was refused: nothing has
    /// changed, and the next call fetches a fresh token. After `Network`, `Timeout` and `Cancelled` the login may
    /// have been accepted all the same. Anything else a call can fail with; it is never repeated by itself.
    pub fn login(&self, jwt: &str, options: &CallOptions) -> Result<()> {
        self.0.check_process()?;
        let timeout = options.check(&self.0.limits)?;
        check_secret("jwt", jwt)?;
        let visitors = self.0.visitors("log a visitor in")?;
        let call = Call::new(timeout, options.cancel.clone());
        call.check("about to begin")?;
        visitors.login(&self.0.http, &call, jwt)
    }

    /// Forgets the visitor, at once and whatever it returns: `on_visitor` is told to erase the saved token, and no
    /// later call uses the old one. Then asks the service for a new visitor, whose history is empty. Calls and
    /// pagers that began before end with [`ErrorKind::Unauthorized`].
    ///
    /// # Errors
    /// `Unsupported` with an API key; anything a call can fail with, when the service could not be asked for a new
    /// visitor: the next call does that.
    pub fn logout(&self, options: &CallOptions) -> Result<()> {
        self.0.check_process()?;
        let timeout = options.check(&self.0.limits)?;
        let visitors = self.0.visitors("log a visitor out")?;
        visitors.logout(&self.0.http, &Call::new(timeout, options.cancel.clone()))
    }

    /// The organisation's chat settings, which are fetched once a client; `None` with an API key, before they were fetched,
    /// and in a process forked from the client's.
    pub fn settings(&self) -> Option<Settings> {
        self.visitors_here()?.settings_now()
    }

    /// The visitor as of now; `None` with an API key, before one was fetched, and in a process forked from
    /// the client's.
    pub fn visitor(&self) -> Option<Visitor> {
        self.visitors_here()?.visitor_now()
    }

    fn visitors_here(&self) -> Option<&Visitors> {
        self.0.check_process().ok()?;
        self.0.visitors.as_ref()
    }

    pub(crate) fn check_process(&self) -> Result<()> {
        self.0.check_process()
    }

    /// Ends all fetching ahead, for a client whose walks are not asked any more.
    pub(crate) fn stop_ahead(&self) {
        self.0.ahead().iter().for_each(Cancel::trigger);
    }
}

impl Inner {
    fn query(&self, options: &GetConversationsOptions, walk: bool) -> Result<Query> {
        self.check_process()?;
        options.check(self.auth, &self.limits, self.brand_id.as_deref(), walk)
    }

    fn ahead(&self) -> MutexGuard<'_, Vec<Cancel>> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `stop` is to be triggered by [`Client::stop_ahead`].
    pub fn stop_when_freed(&self, stop: Cancel) {
        self.ahead().push(stop);
    }

    /// Lets go of the tokens that were triggered.
    pub fn forget_stopped(&self) {
        self.ahead().retain(|stop| !stop.is_triggered());
    }

    fn visitors(&self, what: &str) -> Result<&Visitors> {
        self.visitors.as_ref().ok_or_else(|| {
            let why = format!("an API key has no visitor, so it cannot {what}; use a chat key");
            Error::new(ErrorKind::Unsupported, why)
        })
    }

    /// A forked child has the parent's connections: two processes speaking on one would hear each other's answers.
    pub fn check_process(&self) -> Result<()> {
        if self.process == std::process::id() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            "this client was made before fork() and its connections belong to the parent process; make one here with kustomer_init",
        ))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Inner {
    /// Without key and token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("http", &self.http).field("auth", &self.auth).finish_non_exhaustive()
    }
}
