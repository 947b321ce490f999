//! Name lookup that a call need not wait for.
//!
//! `getaddrinfo` cannot be stopped, so it runs on a thread, and a call waits for that thread as for
//! anything else. A client asks for one name (its origin's, or its proxy's) and calls share a lookup, so
//! there is at most one such thread a client, however many calls gave up on it; it ends when
//! `getaddrinfo` returns.

use super::Exchange;
use crate::cancel::Signal;
use crate::error::{Error, ErrorKind};
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

#[derive(Default)]
pub(super) struct Lookup(Mutex<Option<Arc<Running>>>);

struct Running {
    host: String,
    done: Signal,
    found: OnceLock<Result<Vec<IpAddr>, String>>,
}

impl Lookup {
    /// The addresses of a host, as the system's resolver orders them.
    pub fn addresses(&self, exchange: &Exchange, host: &str) -> io::Result<Vec<IpAddr>> {
        let running = self.join_or_start(host).map_err(|e| exchange.fail(not_found(host, &e.to_string())))?;
        loop {
            if let Some(found) = running.found.get() {
                return found.clone().map_err(|e| exchange.fail(not_found(host, &e)));
            }
            exchange.wait(&[], Some(&running.done), None)?;
        }
    }

    fn join_or_start(&self, host: &str) -> io::Result<Arc<Running>> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = slot.as_ref().filter(|r| r.host == host && r.found.get().is_none()) {
            return Ok(running.clone());
        }
        let running = Arc::new(Running { host: host.to_owned(), done: Signal::new(), found: OnceLock::new() });
        let theirs = running.clone();
        std::thread::Builder::new().name("kustomer-lookup".to_owned()).stack_size(512 * 1024).spawn(move || {
            let found = (theirs.host.as_str(), 0).to_socket_addrs();
            let ips = found.map(|all| all.map(|a| a.ip()).collect()).map_err(|e| e.to_string());
            // Set before the signal: whoever is woken finds it.
            let _ = theirs.found.set(ips);
            theirs.done.set();
        })?;
        *slot = Some(running.clone());
        Ok(running)
    }
}

fn not_found(host: &str, why: &str) -> Error {
    Error::new(
        ErrorKind::Network,
        format!("no address was found for the host {host}: {why}; check its name, and that this device is online"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_found_is_named_with_the_cause_and_a_remedy() {
        let error = not_found("acme.api.kustomerapp.com", "Name or service not known");
        assert_eq!(error.kind(), ErrorKind::Network);
        let (happened, remedy) = error.message().split_once("; ").unwrap();
        assert!(happened.contains("acme.api.kustomerapp.com: Name or service not known"), "{error}");
        assert!(remedy.contains("check its name"), "{error}");
    }
}
