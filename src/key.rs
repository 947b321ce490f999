//! The API key: what is read from its claims, and whether it can be one at all.
//!
//! Signature, expiry and roles are the service's business (its own public test key is expired and accepted).

use crate::error::{Error, Result};
use crate::json;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// What makes a key's organisation a host name: `https://{org}.api.{host domain}` (source: Kustomer's SDKs).
const CLAIM: &str = "orgName";

/// The organisation's name in the claims of a key, in lower case: a non-empty DNS label.
pub(crate) fn organisation(key: &str) -> Result<String> {
    let parts: Vec<&str> = key.split('.').collect();
    let [_, payload, _] = parts[..] else {
        return Err(not_a_key(format!("it has {} dot-separated parts, not three", parts.len())));
    };
    let claims = decode(payload)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|text| json::object(text, |_, _| ()).is_ok())
        .ok_or_else(|| not_a_key("its middle part is no base64 of a JSON object".to_owned()))?;
    let [name] = json::members(&claims, [CLAIM]);
    let name = name.and_then(json::string).unwrap_or_default();
    if is_dns_label(&name) {
        Ok(name.to_ascii_lowercase())
    } else {
        Err(not_a_key(format!("its claims carry no `{CLAIM}` that could be part of a host name")))
    }
}

fn not_a_key(why: String) -> Error {
    Error::invalid(format!(
        "`api_key` is not a Kustomer API key: {why}; copy the whole key from Kustomer's API key settings"
    ))
}

/// Keys come in base64url and in the standard alphabet, padded or not, and with stray trailing bits.
fn decode(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let alphabet = if text.contains(['+', '/']) { &alphabet::STANDARD } else { &alphabet::URL_SAFE };
    GeneralPurpose::new(alphabet, LENIENT).decode(text).ok()
}

/// Whether a text is one label of a host name (RFC 1123).
pub(crate) fn is_dns_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

    #[test]
    fn every_base64_variant_is_read() {
        // `ø>?` makes characters in which the two alphabets differ.
        let claims = r#"{"org":"5f","orgName":"Acme-1","note":"ø>?ø>?~~~","exp":1}"#;
        for engine in [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD] {
            let key = format!("e30.{}.", engine.encode(claims));
            assert_eq!(organisation(&key).unwrap(), "acme-1", "{key}");
        }
        assert_ne!(STANDARD.encode(claims), URL_SAFE.encode(claims));
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_by_name() {
        let with = |claims: &str| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims));
        for key in [
            String::new(),
            "abc".to_owned(),
            "a.b".to_owned(),
            "a.b.c.d".to_owned(),
            "e30.!!!.c".to_owned(),
            "e30..c".to_owned(),
            with("[]"),
            with("{}"),
            with(r#"{"orgName":1}"#),
            with(r#"{"orgName":""}"#),
            with(r#"{"orgName":"a.b"}"#),
            with(r#"{"orgName":"-a"}"#),
            with(r#"{"orgName":"evil.test/x?"}"#),
            with(r#"{"orgName":"a"#),
            with(&format!(r#"{{"orgName":"{}"}}"#, "a".repeat(64))),
        ] {
            let error = organisation(&key).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.message().contains("`api_key`"), "{error}");
        }
    }
}
