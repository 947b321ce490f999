//! The proxy: `http://[user:password@]host[:port]`, always spoken to by CONNECT, so that it sees
//! neither token nor answer.

use super::{Exchange, Socket};
use crate::error::{Error, ErrorKind, Result};
use crate::origin::{Origin, is_host};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use std::fmt;
use std::io;

/// The most bytes of a proxy's answer to CONNECT.
const LONGEST_ANSWER: usize = 32 * 1024;

/// What to do about a proxy that is of no use.
pub(super) const REMEDY: &str = "check the option `proxy` or the `*_proxy` environment variables";

#[derive(Clone)]
pub(crate) struct Proxy {
    host: String,
    port: u16,
    /// `user:password` in base64, as the header has it.
    credentials: Option<String>,
    password: Option<String>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

impl fmt::Display for Proxy {
    /// Where it is, without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Proxy {
    /// The proxy that an option names: `""` is none; without the option the environment decides.
    pub fn choose(option: Option<&str>, origin: &Origin) -> Result<Option<Proxy>> {
        match option {
            Some("") => Ok(None),
            Some(url) => Proxy::parse("`proxy`", url).map(Some),
            None => Proxy::from_environment(origin, |name| match std::env::var(name) {
                Ok(value) => Ok(Some(value).filter(|v| !v.is_empty())),
                Err(std::env::VarError::NotPresent) => Ok(None),
                Err(std::env::VarError::NotUnicode(_)) => Err(unusable(&format!("`{name}`"), "it is no UTF-8")),
            }),
        }
    }

    fn from_environment(origin: &Origin, variable: impl Fn(&str) -> Result<Option<String>>) -> Result<Option<Proxy>> {
        // Upper-case HTTP_PROXY is not looked at: in a CGI program a client's `Proxy:` header sets it.
        let names: &[&str] =
            if origin.is_https() { &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] } else { &["http_proxy"] };
        for name in names {
            let Some(url) = variable(name)? else { continue };
            for exceptions in ["no_proxy", "NO_PROXY"] {
                if let Some(list) = variable(exceptions)? {
                    if is_exception(&list, origin) {
                        return Ok(None);
                    }
                    break;
                }
            }
            return Proxy::parse(&format!("the environment variable `{name}`"), &url).map(Some);
        }
        Ok(None)
    }

    fn parse(name: &str, url: &str) -> Result<Proxy> {
        let bad = |why: &str| unusable(name, why);
        let rest = match url.split_once("://") {
            None => url,
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some(_) => return Err(bad("only http proxies are supported")),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let digits = port.bytes().all(|b| b.is_ascii_digit());
                let port = port.parse().ok().filter(|&port| digits && port > 0);
                (host, port.ok_or_else(|| bad("its port is no number from 1 to 65535"))?)
            }
            _ => (place, 80),
        };
        if !is_host(host) {
            return Err(bad("it names no host"));
        }
        let user = user.map(|user| {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            [name, password].map(|part| percent_decode_str(part).collect::<Vec<u8>>())
        });
        if user.iter().flatten().flatten().any(u8::is_ascii_control) {
            return Err(bad("its user or password holds a control character"));
        }
        Ok(Proxy {
            host: host.to_ascii_lowercase(),
            port,
            credentials: user.as_ref().map(|parts| STANDARD.encode(parts.join(&b':'))),
            password: user.map(|[_, password]| String::from_utf8_lossy(&password).into_owned()),
        })
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What must not be seen of it.
    pub fn secrets(&self) -> impl Iterator<Item = String> {
        self.credentials.iter().chain(&self.password).cloned()
    }

    /// Has the proxy connect this socket with the host.
    pub(super) fn connect(&self, exchange: &Exchange, socket: &Socket, host: &str, port: u16) -> io::Result<()> {
        let authorization = self.credentials.as_ref().map(|c| format!("Proxy-Authorization: Basic {c}\r\n"));
        let request = format!(
            "CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{}\r\n",
            authorization.unwrap_or_default()
        );
        let ended = |e: io::Error| match exchange.gave_up() {
            true => e,
            false => exchange.fail(self.error(&format!("ended the connection ({e})"))),
        };
        socket.send(exchange, request.as_bytes()).map_err(ended)?;
        let mut answer = Vec::new();
        let mut buffer = [0; 1024];
        while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
            let read = socket.receive(exchange, &mut buffer).map_err(ended)?;
            answer.extend_from_slice(&buffer[..read]);
            if read == 0 || answer.len() > LONGEST_ANSWER {
                return Err(exchange.fail(self.error("did not answer as a proxy does")));
            }
        }
        match status(&answer) {
            Some(200..=299) if answer.ends_with(b"\r\n\r\n") => Ok(()),
            Some(200..=299) | None => Err(exchange.fail(self.error("did not answer as a proxy does"))),
            Some(407) => Err(exchange.fail(self.error("asks for a user and password (HTTP 407), or for others"))),
            Some(status) => {
                Err(exchange.fail(self.error(&format!("refused to connect to {host} (port {port}): HTTP {status}"))))
            }
        }
    }

    fn error(&self, what: &str) -> Error {
        Error::new(ErrorKind::Network, format!("the proxy {self} {what}; {REMEDY}"))
    }
}

/// The status of an HTTP/1 answer.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|&b| b == b'\r').next()?;
    let rest = line.strip_prefix(b"HTTP/1.0 ").or_else(|| line.strip_prefix(b"HTTP/1.1 "))?;
    let (digits, rest) = rest.split_at_checked(3)?;
    let whole = digits.iter().all(u8::is_ascii_digit) && (rest.is_empty() || rest[0] == b' ');
    std::str::from_utf8(digits).ok().filter(|_| whole)?.parse().ok()
}

fn unusable(name: &str, why: &str) -> Error {
    Error::invalid(format!("{name} is no proxy this library can use: {why}; give http://[user:password@]host[:port]"))
}

/// Whether a `no_proxy` list names the origin: by host or a domain above it, with or without port, or `*`.
fn is_exception(list: &str, origin: &Origin) -> bool {
    list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port.parse().ok())),
            _ => (entry, None),
        };
        let domain = host.trim_start_matches("*.").trim_start_matches('.').to_ascii_lowercase();
        let origin_host = origin.host();
        let inside = origin_host.strip_suffix(&domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        entry == "*"
            || (!domain.is_empty()
                && (inside || origin_host.trim_matches(['[', ']']) == domain)
                && port.is_none_or(|port: Option<u16>| port == Some(origin.port())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Option<(String, u16, Option<String>)> {
        let proxy = Proxy::parse("`proxy`", url).ok()?;
        let user = proxy.credentials.map(|c| String::from_utf8(STANDARD.decode(c).unwrap()).unwrap());
        Some((proxy.host, proxy.port, user))
    }

    #[test]
    fn a_proxy_url_in_all_its_forms() {
        let plain = |host: &str, port| Some((host.to_owned(), port, None));
        assert_eq!(parse("http://proxy.test:3128"), plain("proxy.test", 3128));
        assert_eq!(parse("HTTP://Proxy.test/"), plain("proxy.test", 80));
        assert_eq!(parse("proxy.test"), plain("proxy.test", 80));
        assert_eq!(parse("http://[::1]:3128"), plain("[::1]", 3128));
        assert_eq!(parse("http://[::1]"), plain("[::1]", 80));
        let user = |user: &str| Some(("p".to_owned(), 1, Some(user.to_owned())));
        assert_eq!(parse("http://u:p%40ss@p:1"), user("u:p@ss"));
        assert_eq!(parse("http://u@p:1"), user("u:"));
        assert_eq!(parse("u:a@b@p:1"), user("u:a@b"));
        for bad in [
            "https://p",
            "socks5://p:1",
            "http://",
            "http://p:0",
            "http://p:65536",
            "http://p:x",
            "http://p:",
            "http://p:+1",
            "http://p/path",
            "http://p?q",
            "http://a b",
            "http://u%0d%0a:x@p",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn neither_debug_nor_errors_tell_the_password() {
        let proxy = Proxy::parse("`proxy`", "http://user:hunter2@p.test").unwrap();
        let seen = format!("{proxy:?} {proxy} {}", proxy.error("said no"));
        assert!(!seen.contains("hunter2") && seen.contains("p.test:80"), "{seen}");
        let error = Proxy::parse("`proxy`", "ftp://user:hunter2@p").unwrap_err();
        assert!(!error.message().contains("hunter2"));
    }

    #[test]
    fn the_environment_decides_in_this_order() {
        let origin = |url: &str| Origin::parse(url).unwrap();
        let chosen = |url: &str, vars: &[(&str, &str)]| {
            let vars: Vec<_> = vars.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            Proxy::from_environment(&origin(url), |name| {
                Ok(vars.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()))
            })
            .map(|proxy| proxy.map(|p| p.host))
        };
        let (https, http) = ("https://a.b.test", "http://localhost:1");
        let all = [
            ("ALL_PROXY", "4"),
            ("all_proxy", "3"),
            ("HTTPS_PROXY", "2"),
            ("https_proxy", "1"),
            ("HTTP_PROXY", "x"),
            ("http_proxy", "h"),
        ];
        assert_eq!(chosen(https, &all).unwrap().as_deref(), Some("1"));
        assert_eq!(chosen(https, &all[..3]).unwrap().as_deref(), Some("2"));
        assert_eq!(chosen(https, &all[..2]).unwrap().as_deref(), Some("3"));
        assert_eq!(chosen(http, &all).unwrap().as_deref(), Some("h"));
        assert_eq!(chosen(http, &all[..5]).unwrap(), None);
        assert!(chosen(https, &[("ALL_PROXY", "socks5://x")]).is_err());
        for (list, direct) in [
            ("*", true),
            ("b.test", true),
            (".b.test", true),
            ("*.b.test", true),
            ("x, A.B.test:443", true),
            ("a.b.test:80", false),
            ("ab.test", false),
            ("", false),
            ("est", false),
        ] {
            let none = chosen(https, &[("https_proxy", "p"), ("no_proxy", list)]).unwrap().is_none();
            assert_eq!(none, direct, "{list}");
        }
    }

    #[test]
    fn only_an_http_answer_has_a_status() {
        assert_eq!(status(b"HTTP/1.1 200 Connection established\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 407\r\n\r\n"), Some(407));
        for bad in [&b"SSH-2.0-x\r\n"[..], b"HTTP/1.1 2000 x\r\n", b"HTTP/1.1 20\r\n", b"HTTP/2 200\r\n", b""] {
            assert_eq!(status(bad), None);
        }
    }
}
