//! JSON taken apart into pieces of its own text, so that every server field can be read leniently: one
//! odd value costs that field, not the page, and of a key that stands twice the last one counts.
//!
//! serde_json does all the reading. A piece is checked for well-formedness when it is cut out; what it
//! means is looked at only by whoever wants it.

use serde::de::{Deserializer as _, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Why text is not the JSON it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// It is the beginning of something: it ends before it should.
    Cut,
    /// It is something else.
    Other,
    /// It has more elements than there is any sense in.
    TooMany,
}

impl From<serde_json::Error> for Malformed {
    fn from(e: serde_json::Error) -> Malformed {
        if e.is_eof() { Malformed::Cut } else { Malformed::Other }
    }
}

/// The text of a body.
pub(crate) fn text(body: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(body).map_err(|e| if e.error_len().is_none() { Malformed::Cut } else { Malformed::Other })
}

/// Calls `member` with each key and the text of its value, in order.
pub(crate) fn object<'a>(json: &'a str, mut member: impl FnMut(&str, &'a str)) -> Result<(), Malformed> {
    struct Members<F>(F);
    impl<'a, F: FnMut(&str, &'a str)> Visitor<'a> for Members<F> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                let key = string(key.get()).ok_or_else(|| A::Error::custom("a key is no string"))?;
                self.0(&key, value.get());
            }
            Ok(())
        }
    }
    let mut json = serde_json::Deserializer::from_str(json);
    json.deserialize_map(Members(&mut member))?;
    Ok(json.end()?)
}

/// Calls `element` with the text of each element, in order.
pub(crate) fn array<'a>(json: &'a str, mut element: impl FnMut(&'a str)) -> Result<(), Malformed> {
    struct Elements<F>(F);
    impl<'a, F: FnMut(&'a str)> Visitor<'a> for Elements<F> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }
        fn visit_seq<A: SeqAccess<'a>>(mut self, mut seq: A) -> Result<(), A::Error> {
            while let Some(value) = seq.next_element::<&RawValue>()? {
                self.0(value.get());
            }
            Ok(())
        }
    }
    let mut json = serde_json::Deserializer::from_str(json);
    json.deserialize_seq(Elements(&mut element))?;
    Ok(json.end()?)
}

/// The members of an object by name, each the text of its value, `None` when it is not there.
pub(crate) fn pick<'a, const N: usize>(json: &'a str, names: [&str; N]) -> Result<[Option<&'a str>; N], Malformed> {
    let mut found = [None; N];
    object(json, |key, value| {
        if let Some(i) = names.iter().position(|name| *name == key) {
            found[i] = Some(value);
        }
    })?;
    Ok(found)
}

/// The same where what is no object has no members.
pub(crate) fn members<'a, const N: usize>(json: &'a str, names: [&str; N]) -> [Option<&'a str>; N] {
    pick(json, names).unwrap_or([None; N])
}

pub(crate) fn is_object(json: &str) -> bool {
    json.starts_with('{')
}

pub(crate) fn is_null(json: &str) -> bool {
    json == "null"
}

/// The text that a JSON string means, `None` for any other value. A lone surrogate means U+FFFD.
pub(crate) fn string(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    // Read as bytes, serde_json lets a lone surrogate stand as its three bytes; as text it refuses the string.
    struct Bytes;
    impl Visitor<'_> for Bytes {
        type Value = Vec<u8>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }
        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }
    }
    let mut bytes = serde_json::Deserializer::from_str(json).deserialize_bytes(Bytes).ok()?;
    let mut at = 0;
    while let Err(e) = std::str::from_utf8(&bytes[at..]) {
        at += e.valid_up_to();
        bytes.get_mut(at..at + 3)?.copy_from_slice("\u{fffd}".as_bytes());
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

pub(crate) fn boolean(json: &str) -> Option<bool> {
    match json {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// A whole number, as JSON has it or as numeric text.
pub(crate) fn integer(json: &str) -> Option<i64> {
    let number = string(json);
    let number = number.as_deref().unwrap_or(json);
    number.parse().ok().or_else(|| {
        // JavaScript has one kind of number: 2.0 and 1e3 are whole there, and exact up to 2^53.
        let float: f64 = number.parse().ok()?;
        (float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0).then_some(float as i64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces(json: &str) -> Result<Vec<(String, String)>, Malformed> {
        let mut found = Vec::new();
        object(json, |k, v| found.push((k.to_owned(), v.to_owned())))?;
        Ok(found)
    }

    #[test]
    fn an_object_is_cut_into_the_text_of_its_members() {
        let json = r#" {"a" : 1e400, "\u0062":[1, {"x":"}"}] ,"c\ud800": "\"","a":null} "#;
        let seen = pieces(json).unwrap();
        let seen: Vec<_> = seen.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(seen, [("a", "1e400"), ("b", r#"[1, {"x":"}"}]"#), ("c\u{fffd}", r#""\"""#), ("a", "null")]);
        assert_eq!(members(json, ["a", "b", "z"]), [Some("null"), Some(r#"[1, {"x":"}"}]"#), None]);
    }

    #[test]
    fn what_is_cut_is_told_from_what_is_wrong() {
        let whole = r#"{"a":["é",{"b":"\u0041"}],"c":1}"#;
        for end in 0..whole.len() {
            let cut = text(&whole.as_bytes()[..end]).and_then(pieces);
            assert_eq!(cut.unwrap_err(), Malformed::Cut, "cut at {end}");
        }
        for wrong in [
            "[]",
            "null",
            "1",
            "\"a\"",
            "{}{}",
            "{\"a\":1}x",
            "{\"a\":01}",
            "{a:1}",
            "{\"a\":\"\n\"}",
            "{\"\u{1}\":1}",
            "{\"a\":1,}",
            "{\"a\":NaN}",
            "\u{feff}{}",
            "{}\0",
            "<html>",
        ] {
            assert_eq!(pieces(wrong).unwrap_err(), Malformed::Other, "{wrong}");
        }
        assert_eq!(text(b"\"\xff\"").unwrap_err(), Malformed::Other);
    }

    #[test]
    fn an_array_is_cut_into_its_elements_and_nothing_else_is_one() {
        let mut seen = Vec::new();
        array(r#"[1, "two" , [3],{}]"#, |e| seen.push(e)).unwrap();
        assert_eq!(seen, ["1", "\"two\"", "[3]", "{}"]);
        assert!(array("{}", |_| ()).is_err() && array("[1,]", |_| ()).is_err());
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(pieces(&deep).unwrap().len(), 1);
    }

    #[test]
    fn a_string_is_the_text_it_means() {
        for (json, means) in [
            (r#""""#, Some("")),
            (r#""é\n\u00e9\ud83d\ude00\u0000""#, Some("é\né😀\0")),
            (r#""a\ud800b""#, Some("a\u{fffd}b")),
            (r#""\udc00\ud800""#, Some("\u{fffd}\u{fffd}")),
            (r#""\ud800\u0041""#, Some("\u{fffd}A")),
            ("1", None),
            ("null", None),
            ("[\"a\"]", None),
        ] {
            assert_eq!(string(json).as_deref(), means, "{json}");
        }
    }

    #[test]
    fn whole_numbers_also_as_text() {
        for (json, number) in [
            ("7", Some(7)),
            ("\"7\"", Some(7)),
            ("-1", Some(-1)),
            ("2.0", Some(2)),
            ("1e3", Some(1000)),
            ("2.5", None),
            ("1e400", None),
            ("9223372036854775808", None),
            ("null", None),
            ("true", None),
            ("\"\"", None),
            ("\"seven\"", None),
            ("[7]", None),
            ("{}", None),
        ] {
            assert_eq!(integer(json), number, "{json}");
        }
    }

    proptest! {
        #[test]
        fn every_string_comes_back(text in "\\PC*", more in "[\\x00-\\x1f\"\\\\]*") {
            let text = text + &more;
            let json = serde_json::to_string(&text).unwrap();
            let means = string(&json);
            prop_assert_eq!(means.as_deref(), Some(text.as_str()));
        }
    }
}
