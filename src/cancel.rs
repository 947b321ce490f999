//! Stopping a call from another thread, and the one place where this library waits.
//!
//! A [`Signal`] is a flag that a `poll(2)` can wait for: setting it makes a descriptor readable for
//! ever. Every wait (connect, send, receive, name lookup, another call's fetch) is one poll on what is
//! waited for and on the signals that may end the wait, so there is nothing to register and no lock to order.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often a wait looks at a signal that has no descriptor, because the process had none left.
const SLICE: Duration = Duration::from_millis(20);

/// A flag that is set once, from any thread, and that [`wait`] can wait for.
#[derive(Debug)]
pub(crate) struct Signal {
    set: AtomicBool,
    ends: Option<(UnixStream, UnixStream)>,
    /// The process it was made in. After a fork the ends are the parent's too: a child must not touch them.
    process: u32,
}

impl Signal {
    pub fn new() -> Signal {
        Signal { set: AtomicBool::new(false), ends: UnixStream::pair().ok(), process: std::process::id() }
    }

    pub fn set(&self) {
        if self.set.swap(true, Ordering::SeqCst) {
            return;
        }
        if let Some((tell, _)) = &self.ends {
            if self.process == std::process::id() {
                // The end of the stream keeps the other end readable for ever, and needs no memory, as a byte would.
                let _ = tell.shutdown(Shutdown::Write);
            }
        }
    }

    pub fn is_set(&self) -> bool {
        self.set.load(Ordering::SeqCst)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        let ours = self.process == std::process::id();
        self.ends.as_ref().filter(|_| ours).map(|(_, told)| told.as_fd())
    }
}

/// Stops calls from another thread.
///
/// A token may serve any number of calls, at once or in turn. Triggered, it ends all of them within
/// 50 ms with [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled), and every later call it is handed
/// to before anything is sent. Clones are the same token.
#[derive(Clone, Debug)]
pub struct Cancel(Arc<Signal>);

impl Cancel {
    /// A token that has not been triggered. It holds two descriptors; when the process has none left it
    /// works all the same, by looking every 20 ms.
    pub fn new() -> Cancel {
        Cancel(Arc::new(Signal::new()))
    }

    /// Ends every call that uses this token, now and later. May be called from any thread, any number of
    /// times; not from a signal handler.
    pub fn trigger(&self) {
        self.0.set();
    }

    /// Whether it was triggered.
    pub fn is_triggered(&self) -> bool {
        self.0.is_set()
    }

    pub(crate) fn signal(&self) -> &Signal {
        &self.0
    }
}

impl Default for Cancel {
    fn default() -> Cancel {
        Cancel::new()
    }
}

/// Waits until a socket is ready, a signal is set, or the time has come, whichever is first.
///
/// Returns which sockets are ready, one bit each; 0 says nothing more than "look again". At most 32 sockets.
pub(crate) fn wait(sockets: &[(BorrowedFd<'_>, PollFlags)], signals: &[&Signal], until: Instant) -> io::Result<u32> {
    let mut descriptors: Vec<PollFd<'_>> = Vec::with_capacity(sockets.len() + signals.len());
    for (socket, events) in sockets {
        descriptors.push(PollFd::from_borrowed_fd(*socket, *events));
    }
    let mut limit = until.saturating_duration_since(Instant::now());
    for signal in signals {
        if signal.is_set() {
            return Ok(0);
        }
        match signal.descriptor() {
            Some(fd) => descriptors.push(PollFd::from_borrowed_fd(fd, PollFlags::IN)),
            None => limit = limit.min(SLICE),
        }
    }
    let timeout =
        Timespec { tv_sec: limit.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: limit.subsec_nanos().into() };
    match poll(&mut descriptors, Some(&timeout)) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok(0),
        Err(e) => return Err(e.into()),
    }
    Ok(descriptors[..sockets.len()]
        .iter()
        .enumerate()
        .filter(|(_, socket)| !socket.revents().is_empty())
        .fold(0, |ready, (i, _)| ready | 1 << i))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn an_hour() -> Instant {
        Instant::now() + Duration::from_secs(3600)
    }

    #[test]
    fn a_trigger_wakes_a_wait_in_another_thread() {
        let cancel = Cancel::new();
        let theirs = cancel.clone();
        let waiter = std::thread::spawn(move || {
            while !theirs.is_triggered() {
                wait(&[], &[theirs.signal()], an_hour()).unwrap();
            }
        });
        cancel.trigger();
        cancel.trigger();
        waiter.join().unwrap();
    }

    #[test]
    fn a_token_without_descriptors_wakes_its_waits_too() {
        let signal = Arc::new(Signal { ends: None, ..Signal::new() });
        let theirs = signal.clone();
        let waiter = std::thread::spawn(move || {
            while !theirs.is_set() {
                wait(&[], &[&theirs], an_hour()).unwrap();
            }
        });
        signal.set();
        waiter.join().unwrap();
    }

    #[test]
    fn a_wait_ends_when_its_time_has_come() {
        let never = Signal::new();
        let until = Instant::now() + Duration::from_millis(5);
        while Instant::now() < until {
            assert_eq!(wait(&[], &[&never], until).unwrap(), 0);
        }
    }
}
