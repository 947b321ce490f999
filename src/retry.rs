//! What may be tried again, and when: decisions only, no I/O.
//!
//! Backoff and budget are those of AWS's standard retry mode, so that a fleet of kiosks does not make an
//! outage worse.

use crate::error::{Error, ErrorKind};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The first backoff is at most this, each further one at most twice the one before.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const LONGEST_BACKOFF: Duration = Duration::from_secs(8);

/// Whether a GET that failed like this may be sent again.
pub(crate) fn is_transient(error: &Error) -> bool {
    // A deadline is the call's own: nothing is left to try again in.
    error.retryable() && error.kind() != ErrorKind::Timeout
}

/// How long to wait before the next try: as long as the service asks for, else a backoff with full jitter.
/// `repeats` counts the tries after the first one so far, `random` is from 0 to 1.
pub(crate) fn wait(error: &Error, repeats: u32, random: f64) -> Duration {
    match error.retry_after_ms() {
        Some(ms) => Duration::from_millis(ms),
        None => FIRST_BACKOFF.saturating_mul(1 << repeats.min(16)).min(LONGEST_BACKOFF).mul_f64(random),
    }
}

/// What a client may spend on repeats: a bucket that successes fill again. When it is empty, failures are
/// the caller's at once, so that a service that is down is not asked several times by everybody.
pub(crate) struct Budget(Mutex<u32>);

impl Budget {
    const FULL: u32 = 500;
    const REPEAT: u32 = 5;
    const REPEAT_AFTER_TIMEOUT: u32 = 10;

    pub fn new() -> Budget {
        Budget(Mutex::new(Budget::FULL))
    }

    /// Pays for a repeat; what it cost, or `None` when too little is left.
    pub fn spend(&self, after_timeout: bool) -> Option<u32> {
        let cost = if after_timeout { Budget::REPEAT_AFTER_TIMEOUT } else { Budget::REPEAT };
        let mut left = self.left();
        *left = left.checked_sub(cost)?;
        Some(cost)
    }

    /// A request succeeded: at its first try, or by a repeat that cost so much.
    pub fn succeeded(&self, cost: Option<u32>) {
        let mut left = self.left();
        *left = (*left + cost.unwrap_or(1)).min(Budget::FULL);
    }

    fn left(&self) -> std::sync::MutexGuard<'_, u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long an answer asks to wait, in milliseconds: by `Retry-After` (seconds or a date, RFC 9110), else by
/// `x-ratelimit-reset` (epoch seconds; source: Kustomer's documentation). Points in time are measured
/// against the answer's own `Date`, since this device's clock may be wrong; one that is past is 0.
pub(crate) fn retry_after_ms(
    retry_after: Option<&str>,
    reset: Option<&str>,
    date: Option<&str>,
    now: SystemTime,
) -> Option<u64> {
    let until = |then: u64| {
        let now = date.and_then(epoch_seconds).unwrap_or_else(|| since_epoch(now));
        milliseconds(then.saturating_sub(now))
    };
    retry_after
        .and_then(|text| seconds(text).map(milliseconds).or_else(|| epoch_seconds(text).map(until)))
        .or_else(|| reset.and_then(seconds).map(until))
}

/// Digits only. More of them than fit are as good as for ever.
fn seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

fn epoch_seconds(date: &str) -> Option<u64> {
    httpdate::parse_http_date(date.trim()).ok().map(since_epoch)
}

fn since_epoch(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn milliseconds(seconds: u64) -> u64 {
    seconds.saturating_mul(1000).min(i64::MAX as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(kind: ErrorKind, status: u16) -> Error {
        Error::new(kind, "").with_status(status)
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (kind, status, again) in [
            (ErrorKind::Network, 0, true),
            (ErrorKind::Network, 200, true),
            (ErrorKind::RateLimited, 429, true),
            (ErrorKind::Http, 408, true),
            (ErrorKind::Server, 500, true),
            (ErrorKind::Server, 501, false),
            (ErrorKind::Server, 502, true),
            (ErrorKind::Server, 503, true),
            (ErrorKind::Server, 504, true),
            (ErrorKind::Server, 505, false),
            (ErrorKind::Timeout, 0, false),
            (ErrorKind::Cancelled, 0, false),
            (ErrorKind::Tls, 0, false),
            (ErrorKind::Unauthorized, 401, false),
            (ErrorKind::Http, 400, false),
            (ErrorKind::Http, 302, false),
            (ErrorKind::Decode, 200, false),
            (ErrorKind::Limit, 200, false),
            (ErrorKind::Internal, 0, false),
        ] {
            assert_eq!(is_transient(&error(kind, status)), again, "{kind:?} {status}");
        }
    }

    #[test]
    fn the_backoff_doubles_up_to_eight_seconds_and_is_anything_below() {
        let plain = error(ErrorKind::Server, 503);
        let most: Vec<_> = (0..8).map(|repeats| wait(&plain, repeats, 1.0).as_millis()).collect();
        assert_eq!(most, [500, 1000, 2000, 4000, 8000, 8000, 8000, 8000]);
        assert_eq!(wait(&plain, u32::MAX, 1.0), LONGEST_BACKOFF);
        assert_eq!(wait(&plain, 3, 0.0), Duration::ZERO);
        assert_eq!(wait(&plain, 1, 0.25).as_millis(), 250);
        assert_eq!(wait(&plain.with_retry_after_ms(Some(70_000)), 0, 0.5), Duration::from_secs(70));
    }

    #[test]
    fn the_budget_pays_for_a_hundred_repeats_and_successes_fill_it_again() {
        let budget = Budget::new();
        assert_eq!((0..).take_while(|_| budget.spend(false).is_some()).count(), 100);
        budget.succeeded(None);
        assert_eq!(budget.spend(false), None);
        (0..4).for_each(|_| budget.succeeded(None));
        assert_eq!(budget.spend(true), None);
        assert_eq!(budget.spend(false), Some(5));
        budget.succeeded(Some(10));
        assert_eq!(budget.spend(true), Some(10));
        assert_eq!(budget.spend(false), None);
        (0..1000).for_each(|_| budget.succeeded(Some(5)));
        assert_eq!((0..).take_while(|_| budget.spend(true).is_some()).count(), 50);
    }

    #[test]
    fn retry_after_in_seconds_as_a_date_and_by_the_rate_limit() {
        const DATE: Option<&str> = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        const EPOCH: u64 = 784_111_777;
        // A kiosk whose clock stands in 1970.
        let now = UNIX_EPOCH + Duration::from_secs(5);
        let reset = |after: i64| (EPOCH as i64 + after).to_string();
        for (retry_after, reset, date, ms) in [
            (None, None, DATE, None),
            (Some("0"), None, None, Some(0)),
            (Some(" 7 "), None, None, Some(7000)),
            (Some("120"), Some(reset(5)), DATE, Some(120_000)),
            (Some("99999999999999999999999"), None, None, Some(i64::MAX as u64)),
            (Some("Sun, 06 Nov 1994 08:50:37 GMT"), None, DATE, Some(60_000)),
            (Some("Sunday, 06-Nov-94 08:49:40 GMT"), None, DATE, Some(3000)),
            (Some("Sun Nov  6 08:49:38 1994"), None, DATE, Some(1000)),
            (Some("Sun, 06 Nov 1994 08:00:00 GMT"), None, DATE, Some(0)),
            (Some("Thu, 01 Jan 1970 00:00:08 GMT"), None, None, Some(3000)),
            (Some("Thu, 01 Jan 1970 00:00:08 GMT"), None, Some("soon"), Some(3000)),
            (Some("soon"), None, DATE, None),
            (Some("-1"), None, DATE, None),
            (Some("+1"), None, DATE, None),
            (Some("1.5"), None, DATE, None),
            (Some(""), None, DATE, None),
            (Some("soon"), Some(reset(30)), DATE, Some(30_000)),
            (None, Some(reset(30)), DATE, Some(30_000)),
            (None, Some(reset(-30)), DATE, Some(0)),
            (None, Some("never".to_owned()), DATE, None),
            (None, Some(String::new()), DATE, None),
        ] {
            let seen = retry_after_ms(retry_after, reset.as_deref(), date, now);
            assert_eq!(seen, ms, "{retry_after:?} {reset:?} {date:?}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(a in "\\PC*", b in "[0-9]*", c in "\\PC*") {
            let _ = retry_after_ms(Some(&a), Some(&b), Some(&c), SystemTime::now());
        }
    }
}
