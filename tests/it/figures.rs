//! What tests of time share: how strict they are, waiting for what can be observed, and the lines they print.
//!
//! `KUSTOMER_TEST_FULL=1` is a full run: as many trials as the figures are promised for, judged strictly, with
//! `--test-threads=1 --nocapture` to read them off. Otherwise there are few trials, with slack for busy machines.

use crate::c_programs::{factor, run};
use std::os::fd::RawFd;
use std::process::Command;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How much later than promised a busy machine may be.
const SLACK: Duration = Duration::from_millis(300);
/// How long a test waits for something that is certain to come.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn is_full() -> bool {
    std::env::var_os("KUSTOMER_TEST_FULL").is_some_and(|full| full == "1")
}

/// How many trials: so many in a full run, else a few.
pub fn trials(full: usize, few: usize) -> usize {
    if is_full() { full } else { few }
}

pub const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Runs trials that return how long they took, which is not to be longer than `limit`, and prints a line of figures.
/// Outside of a full run a trial that was too slow has one second chance.
pub fn measure(what: &str, phase: &str, limit: Duration, trials: usize, trial: impl Fn() -> Duration) -> Figures {
    let limit = if is_full() { limit } else { limit + SLACK * factor() };
    let again = |took| if took > limit && !is_full() { trial() } else { took };
    let figures = Figures((0..trials).map(|_| again(trial())).collect());
    let ms = |share| figures.percentile(share).as_secs_f64() * 1000.0;
    println!("{what:<8} {phase:<31} n={trials} p50={:.2} ms p99={:.2} ms max={:.2} ms", ms(0.5), ms(0.99), ms(1.0));
    let longest = figures.percentile(1.0);
    assert!(longest <= limit, "{what}, {phase}: {longest:?}, not within {limit:?}");
    figures
}

/// How long trials took.
pub struct Figures(Vec<Duration>);

impl Figures {
    /// The time that this share of them did not exceed.
    pub fn percentile(&self, share: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted[rank.clamp(1, sorted.len()) - 1]
    }
}

/// A value that threads wait for.
pub struct Watched<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Watched<T> {
    pub const fn new(value: T) -> Watched<T> {
        Watched { value: Mutex::new(value), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits, however long it takes, until `ready` has a result.
    pub fn wait<R>(&self, mut ready: impl FnMut(&T) -> Option<R>) -> R {
        let mut value = self.lock();
        loop {
            match ready(&value) {
                Some(result) => return result,
                None => value = self.changed.wait(value).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Waits until it is so, which must not take for ever.
    pub fn until(&self, what: &str, so: impl Fn(&T) -> bool) {
        let waiting = self.changed.wait_timeout_while(self.lock(), PATIENCE * factor(), |value| !so(value));
        let (value, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        assert!(so(&value), "in vain: waited until {what}");
    }
}

/// Waits until something is so that only looking can tell.
pub fn until(what: &str, so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE * factor();
    while !so() {
        assert!(Instant::now() < end, "in vain: waited until {what}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// A thread of this process, by the system's number.
#[derive(Clone, Copy)]
pub struct ThreadNumber(i32);

impl ThreadNumber {
    pub fn of_this() -> ThreadNumber {
        // SAFETY: it takes nothing and always succeeds.
        ThreadNumber(unsafe { libc::gettid() })
    }

    /// Waits until the thread waits. It does not while it has work to do, so all that was observed before has been
    /// taken in by then.
    pub fn until_it_waits(self) {
        until("the thread waits", || {
            let stat = std::fs::read_to_string(format!("/proc/self/task/{}/stat", self.0)).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'))
        });
    }
}

/// The names of this process's threads (the first 15 bytes of each).
pub fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.map(|name| name.trim_end().to_owned()).collect()
}

/// The descriptors that this process has open.
pub fn descriptors() -> Vec<RawFd> {
    let names = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    names.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Runs a test in a process of its own, whose threads and descriptors are nobody else's. `test` is its path, as
/// `cargo test` prints it.
pub fn alone(test: &str, body: impl FnOnce()) {
    const ALONE: &str = "KUSTOMER_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--quiet"]).env(ALONE, "1");
    let (output, stderr) = run(command);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && stdout.contains("1 passed"), "{test}: {stdout}\n{stderr}");
    // The figures; the rest is the harness's.
    stdout.lines().filter(|line| line.contains(" n=")).for_each(|line| println!("{line}"));
}
