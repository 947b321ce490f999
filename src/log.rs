//! Log lines: who gets them, and what never gets into them.

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// How much a log line matters. A client's log gets lines of its own level and of those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
#[repr(i32)]
pub enum Level {
    /// A bug in this library.
    Error = 1,
    /// A request that is repeated, a saved tracking token that was refused.
    #[default]
    Warning = 2,
    /// Another visitor.
    Info = 3,
    /// Every request.
    Debug = 4,
}

/// What receives log lines; see [`InitOptions::log`](crate::InitOptions::log).
pub type LogFn = Box<dyn Fn(Level, &str) + Send + Sync>;

pub(crate) struct Logger {
    level: Level,
    sink: Option<LogFn>,
    pub secrets: Secrets,
}

impl Logger {
    pub fn new(level: Level, sink: Option<LogFn>, secrets: Secrets) -> Logger {
        Logger { level, sink, secrets }
    }

    /// Hands one line to the log, if it wants lines of this level. No lock is held meanwhile.
    pub fn log(&self, level: Level, line: impl FnOnce() -> String) {
        if let Some(sink) = self.sink.as_ref().filter(|_| level <= self.level) {
            let line = escape_controls(&self.secrets.redact(line()));
            if let Some(line) = Lines::kept(level, line) {
                sink(level, &line);
            }
        }
    }
}

/// Lines of one of the library's own threads, which never call the application: kept for a thread that may.
#[derive(Default)]
pub(crate) struct Lines(Vec<(Level, String)>);

thread_local! {
    static KEPT: RefCell<Option<Lines>> = const { RefCell::new(None) };
}

impl Lines {
    /// Runs `f` on a thread of the library's own, keeping what it logs.
    pub fn keep<T>(f: impl FnOnce() -> T) -> (T, Lines) {
        KEPT.set(Some(Lines::default()));
        let result = f();
        (result, KEPT.take().unwrap_or_default())
    }

    /// The line, unless this thread keeps it.
    fn kept(level: Level, line: String) -> Option<String> {
        KEPT.with_borrow_mut(|kept| match kept {
            Some(lines) => {
                lines.0.push((level, line));
                None
            }
            None => Some(line),
        })
    }

    /// Hands the lines to the log, which has wanted them and made them fit already.
    pub fn deliver(self, logger: &Logger) {
        if let Some(sink) = &logger.sink {
            self.0.iter().for_each(|(level, line)| sink(*level, line));
        }
    }
}

fn escape_controls(line: &str) -> String {
    line.chars().fold(String::with_capacity(line.len()), |mut out, c| {
        if c.is_control() {
            let _ = write!(out, "{}", c.escape_default());
        } else {
            out.push(c);
        }
        out
    })
}

/// How many tracking tokens and login JWTs are remembered beside the client's fixed secrets.
const RECENT: usize = 64;
/// From how many characters on a part of a secret counts as the secret.
const PART: usize = 16;
const REDACTED: &str = "[redacted]";

/// What must never be seen: keys, tokens, login JWTs, the proxy's password. A server may echo them, so
/// every text that is made of what a server sent goes through [`Secrets::redact`].
#[derive(Default)]
pub(crate) struct Secrets {
    fixed: Vec<Box<str>>,
    recent: Mutex<VecDeque<Box<str>>>,
}

impl Secrets {
    pub fn new(fixed: impl IntoIterator<Item = String>) -> Secrets {
        let fixed = fixed.into_iter().filter(|s| !s.is_empty()).map(String::into_boxed_str);
        Secrets { fixed: fixed.collect(), recent: Mutex::default() }
    }

    pub fn learn(&self, secret: &str) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if secret.is_empty() || recent.iter().any(|known| **known == *secret) {
            return;
        }
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.push_back(secret.into());
    }

    /// The text with `[redacted]` where a secret stood, whole or a part of at least 16 characters.
    pub fn redact(&self, text: String) -> String {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<Range<usize>> =
            self.fixed.iter().chain(recent.iter()).flat_map(|secret| occurrences(&text, secret)).collect();
        drop(recent);
        if found.is_empty() {
            return text;
        }
        found.sort_by_key(|range| range.start);
        let mut out = String::with_capacity(text.len());
        let mut end = 0;
        for range in found {
            if range.start > end || end == 0 {
                out.push_str(&text[end..range.start]);
                out.push_str(REDACTED);
            }
            end = end.max(range.end);
        }
        out.push_str(&text[end..]);
        out
    }
}

fn occurrences(text: &str, secret: &str) -> Vec<Range<usize>> {
    if secret.len() < PART {
        return text.match_indices(secret).map(|(at, _)| at..at + secret.len()).collect();
    }
    let parts: HashSet<&[u8]> = secret.as_bytes().windows(PART).collect();
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, window) in text.as_bytes().windows(PART).enumerate() {
        if !parts.contains(window) {
            continue;
        }
        match found.last_mut().filter(|last| last.end >= at) {
            Some(last) => last.end = at + PART,
            None => found.push(at..at + PART),
        }
    }
    // A secret is not always ASCII (a proxy's password), and a cut must not split a character.
    for range in &mut found {
        while !text.is_char_boundary(range.start) {
            range.start -= 1;
        }
        while !text.is_char_boundary(range.end) {
            range.end += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpZCI6IjVmMWQwYzJhIn0.c2lnbmF0dXJlLW9mLWEtdG9rZW4";

    #[test]
    fn a_secret_is_redacted_whole_and_in_parts() {
        let secrets = Secrets::new(["hunter2".to_owned(), String::new()]);
        secrets.learn(JWT);
        for (text, seen) in [
            (format!("token {JWT} refused"), "token [redacted] refused".to_owned()),
            (format!("{JWT}{JWT}"), "[redacted]".to_owned()),
            (format!("cut {}", &JWT[5..30]), "cut [redacted]".to_owned()),
            (format!("short {}", &JWT[5..20]), format!("short {}", &JWT[5..20])),
            ("hunter2 hunter2!".to_owned(), "[redacted] [redacted]!".to_owned()),
            ("nothing".to_owned(), "nothing".to_owned()),
        ] {
            assert_eq!(secrets.redact(text), seen);
        }
    }

    #[test]
    fn many_tokens_do_not_push_out_the_key() {
        let secrets = Secrets::new([JWT.to_owned()]);
        for n in 0..100 {
            secrets.learn(&format!("token number {n}"));
        }
        assert_eq!(secrets.redact(JWT.to_owned()), REDACTED);
        assert_eq!(secrets.redact("token number 99, token number 50".to_owned()), "[redacted], [redacted]");
    }

    #[test]
    fn a_line_is_one_line_and_only_of_the_wanted_levels() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = lines.clone();
        let sink: LogFn = Box::new(move |level, line| kept.lock().unwrap().push((level, line.to_owned())));
        let logger = Logger::new(Level::Info, Some(sink), Secrets::new([JWT.to_owned()]));
        logger.log(Level::Debug, || unreachable!("nobody wants it"));
        logger.log(Level::Info, || format!("a\nb\u{7}\u{85} é {JWT}"));
        assert_eq!(*lines.lock().unwrap(), [(Level::Info, "a\\nb\\u{7}\\u{85} é [redacted]".to_owned())]);
    }
}
