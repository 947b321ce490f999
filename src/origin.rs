//! Where a client's requests go, and what a host is.

use crate::error::{Error, Result};
use crate::key::is_dns_label;
use std::net::{Ipv4Addr, Ipv6Addr};
use ureq::http::Uri;

/// Where every request of a client goes: scheme, host and port.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    https: bool,
    host: String,
    port: Option<u16>,
}

impl Origin {
    /// An origin as text: scheme, host, optional port, nothing else.
    pub fn parse(text: &str) -> Result<Origin> {
        let bad = |why: &str| {
            Err(Error::invalid(format!("`base_url` is no origin: {why}; give https://host or https://host:port")))
        };
        let Some((scheme, rest)) = text.split_once("://") else {
            return bad("it has no scheme");
        };
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return bad("its scheme is neither https nor http"),
        };
        let place = rest.strip_suffix('/').unwrap_or(rest);
        if place.contains(['/', '?', '#', '@', '\\']) {
            return bad("it has more than a host and a port (user, path, query or fragment)");
        }
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let digits = port.bytes().all(|b| b.is_ascii_digit());
                match port.parse() {
                    Ok(port) if digits && port > 0 => (host, Some(port)),
                    _ => return bad("its port is no number from 1 to 65535"),
                }
            }
            _ => (place, None),
        };
        if !is_host(host) {
            return bad("it names no host");
        }
        if !https && !is_loopback(host) {
            return bad(
                "http:// is only for loopback (localhost, 127.0.0.0/8, [::1]), since a token must not travel in the clear",
            );
        }
        Ok(Origin { https, host: host.to_ascii_lowercase(), port })
    }

    /// The origin of an organisation: `https://{organisation}.api.{domain}` (source: Kustomer's documentation).
    pub fn of(organisation: &str, domain: &str) -> Result<Origin> {
        if domain.contains([':', '[']) || !is_host(domain) {
            return Err(Error::invalid("`host_domain` is no domain; give one such as kustomerapp.com"));
        }
        let host = format!("{organisation}.api.{}", domain.to_ascii_lowercase());
        if !is_host(&host) {
            return Err(Error::invalid("`host_domain` is too long for a host name; give one such as kustomerapp.com"));
        }
        Ok(Origin { https: true, host, port: None })
    }

    pub fn is_https(&self) -> bool {
        self.https
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port.unwrap_or(if self.https { 443 } else { 80 })
    }

    /// From its parts: joined as text, a path that begins with `@` would change the host.
    pub fn uri(&self, path_and_query: &str) -> std::result::Result<Uri, ureq::http::Error> {
        let authority = match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        };
        let scheme = if self.https { "https" } else { "http" };
        Uri::builder().scheme(scheme).authority(authority).path_and_query(path_and_query).build()
    }
}

/// Whether a text is a DNS name, an IPv4 address or an IPv6 address in brackets.
pub(crate) fn is_host(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        Some(ip) => ip.parse::<Ipv6Addr>().is_ok(),
        None => text.len() <= 253 && text.split('.').all(is_dns_label),
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        || host == "[::1]"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port_and_nothing_else() {
        for good in [
            "https://acme.api.kustomerapp.com",
            "https://acme.test/",
            "HTTPS://Acme.test:8443",
            "http://localhost:1",
            "http://127.9.9.9",
            "http://[::1]:80",
            "https://[::1]",
            "https://10.0.0.1",
        ] {
            let origin = Origin::parse(good).unwrap();
            let uri = origin.uri("/p?q=@evil.test").unwrap();
            assert!(
                good.to_ascii_lowercase().starts_with(&format!(
                    "{}://{}",
                    uri.scheme_str().unwrap(),
                    uri.authority().unwrap()
                )),
                "{uri}"
            );
        }
        for bad in [
            "acme.test",
            "ftp://acme.test",
            "https://",
            "https://u@acme.test",
            "https://u:p@acme.test",
            "https://a.test/p",
            "https://a.test//",
            "https://a.test?q",
            "https://a.test#f",
            "https://a.test:",
            "https://a.test:0",
            "https://a.test:65536",
            "https://a.test:+1",
            "https://a b",
            "https://a_b",
            "https://a..b",
            "https://a.test.\\x",
            "http://a.test",
            "http://10.0.0.1",
            "http://127.0.0.1.evil.test",
            "http://localhost.evil.test",
            "https://[::1",
            "https://::1",
            "https://[127.0.0.1]",
        ] {
            let error = Origin::parse(bad).err().unwrap_or_else(|| panic!("{bad}"));
            assert!(error.message().contains("`base_url`"));
        }
        assert_eq!(Origin::of("acme", "Kustomerapp.com").unwrap().host(), "acme.api.kustomerapp.com");
        for bad in ["", "a/b", "a:1", "@a", "a b", ".a", "[::1]"] {
            assert!(Origin::of("acme", bad).is_err(), "{bad}");
        }
    }
}
