//! What must hold for any bytes at all: one function a fuzz target, each with an idea of its own of the
//! right answer. cargo-fuzz calls them (`fuzz/`), and `cargo test` with every file of `fuzz/corpus`.
//!
//! Not part of the library: compiled for tests and by cargo-fuzz only.

mod options;
mod page;

pub use options::options;
pub use page::{errors, page, paging, settings};

use crate::error::ErrorKind;
use crate::log::{Level, Logger, Secrets};
use crate::origin::Origin;
use crate::retry::retry_after_ms;
use crate::timestamp::epoch_ms;
use crate::transport::Proxy;
use crate::{json, key};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::Value;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};
use time::format_description::well_known::{Rfc2822, Rfc3339};
use ureq::http::Uri;

/// The input as text; what is no UTF-8 is as no input, where only text can come in.
fn text(data: &[u8]) -> &str {
    std::str::from_utf8(data).unwrap_or_default()
}

fn is_label(text: &str) -> bool {
    let (letters, hyphens) = text.split('-').fold((0, 0), |(n, h), part| (n + part.len(), h + 1));
    text.split('-').all(|part| part.bytes().all(|b| matches!(b, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9')))
        && (1..=63).contains(&(letters + hyphens - 1))
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// A key as it stands, and a key made of claims.
pub fn key(data: &[u8]) {
    let text = text(data);
    match key::organisation(text) {
        Ok(name) => {
            assert!(is_label(&name) && name == name.to_lowercase(), "{name:?}");
            assert_eq!(text.split('.').count(), 3);
        }
        Err(e) => {
            assert_eq!(e.kind(), ErrorKind::InvalidArgument);
            assert!(e.message().len() < 200 && e.message().contains("`api_key`"), "{e}");
        }
    }
    let names = [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD]
        .map(|engine| key::organisation(&format!("e30.{}.c2ln", engine.encode(data))).ok());
    assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
    if let Ok(claims) = serde_json::from_slice::<Value>(data) {
        let name = claims["orgName"].as_str().filter(|name| is_label(name)).map(str::to_lowercase);
        assert_eq!(names[0], name);
    }
}

/// A timestamp, compared with the `time` crate.
pub fn timestamp(data: &[u8]) {
    let text = text(data);
    let ours = epoch_ms(text);
    let theirs = time::OffsetDateTime::parse(text, &Rfc3339);
    let theirs = theirs.ok().map(|t| t.unix_timestamp_nanos().div_euclid(1_000_000));
    // There the two differ: no instant in epoch milliseconds is a leap second, and `time` lets anything be the T.
    let refused = text.get(16..19) == Some(":60") || !matches!(text.get(10..11), Some("T" | "t" | " "));
    assert_eq!(ours.map(i128::from), theirs.filter(|_| !refused), "{text:?}");
}

/// `Retry-After`, `x-ratelimit-reset` and `Date`, a line each.
pub fn retry_after(data: &[u8]) {
    const NOW: u64 = 1_792_591_331;
    let mut lines = text(data).lines();
    let [header, reset, date] = [lines.next(), lines.next(), lines.next()];
    let ours = retry_after_ms(header, reset, date, UNIX_EPOCH + Duration::from_secs(NOW));
    assert!(ours.is_none_or(|ms| ms <= i64::MAX as u64 && (ms % 1000 == 0 || ms == i64::MAX as u64)), "{ours:?}");

    let seconds = |text: &str| {
        let digits = text.trim();
        let digits = (!digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())).then_some(digits)?;
        Some(digits.parse().unwrap_or(u128::MAX))
    };
    let theirs = || {
        let now = date.map_or(Some(None), http_date)?.unwrap_or(NOW.into());
        let until = |then: u128| then.saturating_sub(now);
        let asked = header
            .and_then(seconds)
            .map_or_else(|| Some(header.map_or(Some(None), http_date)?.map(until)), |n| Some(Some(n)))?;
        Some(asked.or_else(|| reset.and_then(seconds).map(until)))
    };
    if let Some(theirs) = theirs() {
        let ms = theirs.map(|seconds| seconds.saturating_mul(1000).min(i64::MAX as u128));
        assert_eq!(ours.map(u128::from), ms, "{:?}", [header, reset, date]);
    }
}

/// The seconds since 1970 of a date as HTTP writes it; the outer `None`: not known, for one of the obsolete forms.
fn http_date(text: &str) -> Option<Option<u128>> {
    let text = text.trim();
    if text.len() < "Sun Nov  6 08:49:37 1994".len() {
        return Some(None);
    }
    let date = time::OffsetDateTime::parse(text, &Rfc2822).ok()?;
    let same_again = date.format(&Rfc2822).ok()?.replace("+0000", "GMT") == text;
    let seconds = u128::try_from(date.unix_timestamp()).ok().filter(|_| same_again)?;
    Some(Some(seconds))
}

/// `base_url`, `host_domain` and `proxy`: where a token may be sent, compared with the parser of `http`.
pub fn address(data: &[u8]) {
    let text = text(data);
    // IPv6 hosts are as they were written; both sides keep the brackets.
    let agrees = |uri: &str, host: &str, port: u16, default: u16| {
        let uri: Uri = uri.parse().unwrap_or_else(|e| panic!("{uri:?}: {e}"));
        assert!(uri.host().is_some_and(|theirs| theirs.eq_ignore_ascii_case(host)), "{uri} {host}");
        assert_eq!(uri.port_u16().unwrap_or(default), port, "{uri}");
        uri
    };
    match Origin::parse(text) {
        Ok(origin) => {
            let default = if origin.is_https() { 443 } else { 80 };
            let uri = agrees(text, origin.host(), origin.port(), default);
            assert!(!text.contains('@') && uri.path().len() <= 1 && uri.query().is_none(), "{text:?}");
            assert!(uri.scheme_str().is_some_and(|s| s == if origin.is_https() { "https" } else { "http" }));
            let ip: Option<std::net::Ipv4Addr> = origin.host().parse().ok();
            let local = matches!(origin.host(), "localhost" | "[::1]") || ip.is_some_and(|ip| ip.octets()[0] == 127);
            assert!(origin.is_https() || local, "{text:?}");
        }
        Err(e) => assert!(e.message().contains("`base_url`") && e.message().len() < 250, "{e}"),
    }
    match Origin::of("acme", text) {
        Ok(origin) => {
            assert_eq!(origin.host(), format!("acme.api.{}", text.to_lowercase()));
            assert!(origin.host().len() <= 253 && origin.host().split('.').all(is_label), "{text:?}");
        }
        Err(e) => assert!(e.message().contains("`host_domain`") && e.message().len() < 250, "{e}"),
    }
    let origin = Origin::of("acme", "kustomerapp.com").unwrap_or_else(|e| panic!("{e}"));
    match Proxy::choose(Some(text), &origin) {
        Ok(None) => assert_eq!(text, ""),
        Ok(Some(proxy)) => {
            let place = text.rsplit('@').next().unwrap_or_default();
            let place = place.rsplit("://").next().unwrap_or_default();
            agrees(&format!("http://{place}"), proxy.host(), proxy.port(), 80);
            // All that is ever shown of it.
            let shown = format!("{}:{}", proxy.host(), proxy.port());
            assert_eq!([format!("{proxy}"), format!("{proxy:?}")], [shown.clone(), format!("Proxy({shown})")]);
            let secrets: Vec<String> = proxy.secrets().collect();
            assert_eq!(secrets.len(), if text.contains('@') { 2 } else { 0 });
            if let [credentials, password] = &secrets[..] {
                let pair = STANDARD.decode(credentials).unwrap_or_default();
                let split = pair.iter().position(|&b| b == b':').map(|at| String::from_utf8_lossy(&pair[at + 1..]));
                // A user's name may have a colon in it, percent-encoded; then the header means another pair.
                assert!(split.is_some_and(|p| p.ends_with(password.as_str())), "{text:?}");
                assert!(!pair.iter().any(u8::is_ascii_control), "a header could be split: {text:?}");
            }
        }
        Err(e) => {
            assert_eq!(e.kind(), ErrorKind::InvalidArgument);
            // The text, and so a password in it, is no part of it.
            assert!(e.message().starts_with("`proxy` is no proxy") && e.message().len() < 200, "{e}");
        }
    }
}

/// Secrets, a line each, an empty line, and a text that may have them in it.
pub fn redaction(data: &[u8]) {
    const MARK: &str = "[redacted]";
    let (secrets, shown) = text(data).split_once("\n\n").unwrap_or_default();
    // As many as are remembered. One that is part of the mark itself would be found in every redacted text.
    let secrets: Vec<&str> = secrets.lines().filter(|s| !s.is_empty() && !s.contains(MARK)).take(8).collect();
    let known = || {
        let half = secrets.len() / 2;
        let known = Secrets::new(secrets[..half].iter().map(|&s| s.to_owned()));
        secrets[half..].iter().for_each(|s| known.learn(s));
        known
    };
    let seen = known().redact(shown.to_owned());

    for secret in &secrets {
        // A mark that was put in may join what stands around it to something else: only what it left counts.
        for piece in seen.split(MARK) {
            assert!(!holds(piece, secret), "{secret:?} in {piece:?}");
        }
    }
    // Nothing else is lost: the rest stands in its order, and without a secret all of it.
    let mut rest = shown;
    for piece in seen.split(MARK) {
        let at = rest.find(piece).unwrap_or_else(|| panic!("{piece:?} of {seen:?} is not in {shown:?}"));
        rest = &rest[at + piece.len()..];
    }
    if !secrets.iter().any(|secret| holds(shown, secret)) {
        assert_eq!(seen, shown);
    }

    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let sink = Box::new(move |_, line: &str| sink.lock().unwrap_or_else(|e| e.into_inner()).push(line.to_owned()));
    Logger::new(Level::Debug, Some(sink), known()).log(Level::Error, || shown.to_owned());
    let lines = lines.lock().unwrap_or_else(|e| e.into_inner());
    assert!(lines.len() == 1 && !lines[0].contains(char::is_control), "{lines:?}");
    assert!(seen.contains(char::is_control) || lines[0] == seen, "{lines:?}");
}

/// Whether a secret can be seen in a text: whole, or a part of 16 bytes.
fn holds(text: &str, secret: &str) -> bool {
    if secret.len() < 16 {
        return text.contains(secret);
    }
    let parts: HashSet<&[u8]> = secret.as_bytes().windows(16).collect();
    text.as_bytes().windows(16).any(|part| parts.contains(part))
}

/// Whether a text is JSON, whatever it means.
fn is_json(data: &[u8]) -> bool {
    json::text(data).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    type Target = fn(&[u8]);

    const TARGETS: [(&str, Target); 10] = [
        ("address", super::address),
        ("errors", super::errors),
        ("key", super::key),
        ("options", super::options),
        ("page", super::page),
        ("paging", super::paging),
        ("redaction", super::redaction),
        ("retry_after", super::retry_after),
        ("settings", super::settings),
        ("timestamp", super::timestamp),
    ];

    fn files(dir: &Path) -> Vec<PathBuf> {
        let entries = dir.read_dir().unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    #[test]
    fn what_the_fuzzer_found_is_replayed() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        let sources = files(&fuzz.join("fuzz_targets"));
        let sources: BTreeSet<_> = sources.iter().map(|file| file.file_stem().unwrap().to_str().unwrap()).collect();
        assert_eq!(sources, TARGETS.iter().map(|(name, _)| *name).collect());
        for (name, target) in TARGETS {
            target(b"");
            let corpus = files(&fuzz.join("corpus").join(name));
            assert!(!corpus.is_empty(), "{name}");
            for file in corpus {
                println!("{}", file.display());
                target(&std::fs::read(file).unwrap());
            }
        }
    }
}
