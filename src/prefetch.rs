//! Pages asked for ahead, while the caller looks at an earlier one.
//!
//! Its threads fetch what they are told to, and nothing else: no repeat, no renewal, no line to the log.
//! What a page is worth is decided by the calling thread, which asks again for whatever did not come.

use crate::cancel::{Cancel, Signal};
use crate::client::Inner;
use crate::conversations;
use crate::error::Result;
use crate::log::{Lines, Logger};
use crate::model::Response;
use crate::options::Query;
use crate::transport::Call;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// A request needs 64 KiB of stack.
const STACK: usize = 256 * 1024;

/// The pages ahead of one walk. Its threads are gone when this is.
pub(crate) struct Prefetch {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// What was asked for and not taken yet, by page.
    ahead: VecDeque<Arc<Job>>,
}

struct Shared {
    client: Arc<Inner>,
    query: Query,
    stop: Cancel,
    jobs: Mutex<VecDeque<Arc<Job>>>,
    wake: Condvar,
}

struct Job {
    page: i32,
    /// The visitor's epoch in the walk.
    epoch: u64,
    done: Signal,
    result: Mutex<(Option<Response>, Lines)>,
}

impl Job {
    fn result(&self) -> MutexGuard<'_, (Option<Response>, Lines)> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Prefetch {
    /// Starts as many threads, of which all but one open a connection: the calling thread's own is there
    /// when the first page is.
    pub fn start(client: &Arc<Inner>, query: &Query) -> Prefetch {
        let shared = Arc::new(Shared {
            client: client.clone(),
            query: query.clone(),
            stop: Cancel::new(),
            jobs: Mutex::default(),
            wake: Condvar::new(),
        });
        client.stop_when_freed(shared.stop.clone());
        let most = query.max_pages.map_or(query.prefetch, |most| query.prefetch.min(most - 1));
        let threads = (0..most).map_while(|n| {
            let shared = shared.clone();
            let builder = std::thread::Builder::new().name("kustomer-ahead".to_owned()).stack_size(STACK);
            // Without a thread the pages it would have fetched are fetched in their turn.
            builder.spawn(move || shared.work(n)).ok()
        });
        let threads = threads.collect();
        Prefetch { shared, threads, ahead: VecDeque::new() }
    }

    /// Asks for that many pages from `page` on, as far as they have not been asked for.
    pub fn ask(&mut self, page: i32, count: u32, epoch: u64) {
        let pages = (0..count).map_while(|n| page.checked_add_unsigned(n));
        let new: Vec<_> = pages.filter(|page| self.ahead.iter().all(|job| job.page != *page)).collect();
        for page in new {
            let job = Arc::new(Job { page, epoch, done: Signal::new(), result: Mutex::default() });
            self.ahead.push_back(job.clone());
            self.shared.jobs().push_back(job);
            self.shared.wake.notify_one();
        }
    }

    /// A page that was asked for, when it came. Waits for one that is under way, not for one that no thread has begun.
    pub fn take(&mut self, page: i32, call: &Call, logger: &Logger) -> Result<Option<Response>> {
        self.shared.jobs().retain(|job| {
            let wanted = job.page > page;
            if !wanted {
                job.done.set();
            }
            wanted
        });
        let mut found = None;
        while let Some(job) = self.ahead.front().filter(|job| job.page <= page) {
            if job.page == page {
                // The other half is for asking oneself: what hangs for one connection need not for another.
                call.wait_a_while(&job.done, "waiting for the answer")?;
            }
            let (response, lines) = std::mem::take(&mut *job.result());
            lines.deliver(logger);
            found = response.filter(|_| job.page == page);
            self.ahead.pop_front();
        }
        Ok(found)
    }

    /// Ends it, and hands out the lines of what was not taken.
    pub fn end(mut self, logger: &Logger) {
        let ahead = std::mem::take(&mut self.ahead);
        drop(self);
        for job in ahead {
            std::mem::take(&mut job.result().1).deliver(logger);
        }
    }
}

impl Drop for Prefetch {
    fn drop(&mut self) {
        if self.shared.client.check_process().is_err() {
            // A forked child: the threads and the lock are the parent's.
            return std::mem::forget(std::mem::take(&mut self.threads));
        }
        self.shared.stop.trigger();
        self.shared.client.forget_stopped();
        // With the lock, so that no thread is between its look at the token and its wait.
        drop(self.shared.jobs());
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Prefetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prefetch").field("ahead", &self.ahead.len()).finish_non_exhaustive()
    }
}

impl Shared {
    fn jobs(&self) -> MutexGuard<'_, VecDeque<Arc<Job>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, connections: u32) {
        let call = || Call::new(self.query.timeout, Some(self.stop.clone()));
        if connections > 0 {
            // Its lines are nobody's: a connection is no request.
            let _ = Lines::keep(|| self.client.http.connect(&call(), connections + 1));
        }
        while let Some(job) = self.next() {
            let job = Landing(job);
            let (response, lines) =
                Lines::keep(|| conversations::fetch_ahead(&self.client, &call(), &self.query, job.0.page, job.0.epoch));
            *job.0.result() = (response, lines);
        }
    }

    /// The next job; none when the walk is over.
    fn next(&self) -> Option<Arc<Job>> {
        let mut jobs = self.jobs();
        loop {
            if self.stop.is_triggered() || self.query.cancel.as_ref().is_some_and(Cancel::is_triggered) {
                return None;
            }
            if let Some(job) = jobs.pop_front() {
                return Some(job);
            }
            jobs = self.wake.wait(jobs).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Ends a job, also when its fetch panics.
struct Landing(Arc<Job>);

impl Drop for Landing {
    fn drop(&mut self) {
        self.0.done.set();
    }
}
