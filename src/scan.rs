//! One pass over a page's JSON: where each value begins and ends, and whether it is JSON at all.
//!
//! serde_json reads every value that is wanted, and here it examines the odd ones: numbers, escapes, what is
//! nested deeply. Most of a page are plain strings in values nobody wants; these are passed eight bytes at a time.

use crate::json::{self, Malformed};
use serde::de::IgnoredAny;
use std::borrow::Cow;

type Result<T> = std::result::Result<T, Malformed>;

pub(crate) struct Scanner<'a> {
    json: &'a str,
    at: usize,
    /// Somewhere is a control character, line breaks between values included: strings have to be searched for one.
    has_controls: bool,
}

/// A well-formed value's text.
#[derive(Clone, Copy)]
pub(crate) struct Value<'a> {
    pub json: &'a str,
    /// A string without escapes.
    is_plain: bool,
}

impl<'a> Value<'a> {
    /// The text that a string means, `None` for any other value.
    pub fn string(self) -> Option<Cow<'a, str>> {
        match self.is_plain {
            true => Some(Cow::Borrowed(&self.json[1..self.json.len() - 1])),
            false => json::string(self.json),
        }
    }
}

impl<'a> Scanner<'a> {
    pub fn new(json: &'a str) -> Scanner<'a> {
        let eights = json.as_bytes().chunks_exact(8);
        let in_rest = eights.remainder().iter().any(|&byte| byte < b' ');
        // Subtracting a blank borrows the high bit of a byte below it; a borrow that comes along only makes for a search.
        let below = eights.fold(0, |below, eight| {
            let word = u64::from_le_bytes(eight.try_into().unwrap_or_default());
            below | (word.wrapping_sub(EACH * u64::from(b' ')) & !word)
        });
        Scanner { json, at: 0, has_controls: in_rest || below & (EACH << 7) != 0 }
    }

    /// Calls `member` with each key, in order; it has to take the value.
    pub fn object(&mut self, mut member: impl FnMut(&str, &mut Scanner<'a>) -> Result<()>) -> Result<()> {
        self.items(b'{', b'}', |scan| {
            let key = scan.key()?.string().ok_or(Malformed::Other)?;
            member(&key, scan)
        })
    }

    /// Calls `element` before each element; it has to take it.
    pub fn array(&mut self, element: impl FnMut(&mut Scanner<'a>) -> Result<()>) -> Result<()> {
        self.items(b'[', b']', element)
    }

    fn items(&mut self, open: u8, close: u8, mut item: impl FnMut(&mut Scanner<'a>) -> Result<()>) -> Result<()> {
        self.expect(open)?;
        if self.is_next(close)? {
            return Ok(());
        }
        loop {
            item(self)?;
            if self.is_next(close)? {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    /// The value that comes.
    pub fn value(&mut self) -> Result<Value<'a>> {
        let first = self.peek()?;
        let start = self.at;
        let is_plain = self.pass(first)?;
        Ok(Value { json: &self.json[start..self.at], is_plain })
    }

    /// Passes the value that comes.
    pub fn skip(&mut self) -> Result<()> {
        let first = self.peek()?;
        self.pass(first).map(drop)
    }

    /// The byte the next value or mark begins with, behind blanks.
    #[inline(always)]
    pub fn peek(&mut self) -> Result<u8> {
        match self.json.as_bytes().get(self.at) {
            Some(&byte) if byte > b' ' => Ok(byte),
            _ => self.peek_behind_blanks(),
        }
    }

    #[inline(never)]
    fn peek_behind_blanks(&mut self) -> Result<u8> {
        let rest = &self.json.as_bytes()[self.at..];
        let blanks = rest.iter().position(|b| !matches!(b, b' ' | b'\n' | b'\r' | b'\t')).unwrap_or(rest.len());
        self.at += blanks;
        rest.get(blanks).copied().ok_or(Malformed::Cut)
    }

    /// Nothing but blanks may be left.
    pub fn end(&mut self) -> Result<()> {
        self.peek().map_or(Ok(()), |_| Err(Malformed::Other))
    }

    /// Where the next value begins.
    pub fn position(&mut self) -> Result<usize> {
        self.peek().map(|_| self.at)
    }

    /// What was passed since `start`.
    pub fn passed(&self, start: usize) -> &'a str {
        &self.json[start..self.at]
    }

    #[inline(always)]
    fn is_next(&mut self, mark: u8) -> Result<bool> {
        let is_next = self.peek()? == mark;
        self.at += usize::from(is_next);
        Ok(is_next)
    }

    #[inline(always)]
    fn expect(&mut self, mark: u8) -> Result<()> {
        if self.is_next(mark)? { Ok(()) } else { Err(Malformed::Other) }
    }

    #[inline(always)]
    fn key(&mut self) -> Result<Value<'a>> {
        let start = self.position()?;
        let (end, is_plain) = self.pass_key()?;
        Ok(Value { json: &self.json[start..end], is_plain })
    }

    /// Passes a key and its colon; where the key ends, and whether it has no escapes.
    #[inline(always)]
    fn pass_key(&mut self) -> Result<(usize, bool)> {
        if self.peek()? != b'"' {
            return Err(Malformed::Other);
        }
        let is_plain = self.pass_string()?;
        let end = self.at;
        self.expect(b':')?;
        Ok((end, is_plain))
    }

    /// Passes a value, of which this byte is the first and next; whether it is a string without escapes.
    #[inline]
    fn pass(&mut self, first: u8) -> Result<bool> {
        match first {
            b'"' => self.pass_string(),
            b'{' | b'[' => self.pass_nested().map(|()| false),
            _ => self.pass_word().map(|()| false),
        }
    }

    #[inline(always)]
    fn pass_string(&mut self) -> Result<bool> {
        let mut rest = &self.json.as_bytes()[self.at + 1..];
        while let Some((eight, more)) = rest.split_first_chunk() {
            let found = marks(u64::from_le_bytes(*eight));
            if found == 0 {
                rest = more;
                continue;
            }
            let end = found.trailing_zeros() as usize / 8;
            if eight[end] != b'"' || self.has_controls {
                break;
            }
            self.at = self.json.len() - rest.len() + end + 1;
            return Ok(true);
        }
        self.pass_odd_string()
    }

    /// One with escapes, without an end, at the end of the text, or perhaps with a control character.
    #[inline(never)]
    fn pass_odd_string(&mut self) -> Result<bool> {
        let bytes = self.json.as_bytes();
        let start = self.at;
        let mut is_plain = true;
        self.at += 1;
        loop {
            match bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    is_plain = false;
                    self.at += 2;
                }
                Some(0x20..) => self.at += 1,
                Some(_) => return Err(Malformed::Other),
                None => return Err(Malformed::Cut),
            }
        }
        self.at += 1;
        if !is_plain {
            self.check(&self.json[start..self.at])?;
        }
        Ok(is_plain)
    }

    /// A number, `true`, `false` or `null`.
    #[inline(never)]
    fn pass_word(&mut self) -> Result<()> {
        let rest = &self.json[self.at..];
        let end = rest.bytes().position(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'-' | b'+' | b'.'));
        let word = &rest[..end.unwrap_or(rest.len())];
        self.at += word.len();
        match word {
            "null" | "true" | "false" => Ok(()),
            other => self.check(other),
        }
    }

    /// An object or array.
    #[inline(never)]
    fn pass_nested(&mut self) -> Result<()> {
        let start = self.at;
        // One bit for each that is open: 1 for an object.
        let (mut open, mut depth) = (0u64, 0u32);
        loop {
            let first = self.peek()?;
            let is_object = first == b'{';
            if is_object || first == b'[' {
                if depth == u64::BITS {
                    self.at = start;
                    return self.pass_deeply_nested();
                }
                open = open << 1 | u64::from(is_object);
                depth += 1;
                self.at += 1;
                if !self.is_next(first + 2)? {
                    if is_object {
                        self.pass_key()?;
                    }
                    continue;
                }
                open >>= 1;
                depth -= 1;
            } else if first == b'"' {
                self.pass_string()?;
            } else {
                self.pass_word()?;
            }
            // Behind a value.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let in_object = open & 1 == 1;
                if self.is_next(b',')? {
                    if in_object {
                        self.pass_key()?;
                    }
                    break;
                }
                self.expect(if in_object { b'}' } else { b']' })?;
                open >>= 1;
                depth -= 1;
            }
        }
    }

    /// Deeper than there are bits for.
    #[cold]
    fn pass_deeply_nested(&mut self) -> Result<()> {
        let mut values = serde_json::Deserializer::from_str(&self.json[self.at..]).into_iter::<IgnoredAny>();
        values.next().ok_or(Malformed::Cut)??;
        self.at += values.byte_offset();
        Ok(())
    }

    /// Whether the piece that was just passed is well-formed. Where it ends with the text it may have been cut.
    fn check(&self, piece: &str) -> Result<()> {
        let cut = self.at >= self.json.len();
        let malformed = if cut { Malformed::Cut } else { Malformed::Other };
        serde_json::from_str::<IgnoredAny>(piece).map(drop).map_err(|_| malformed)
    }
}

/// Whether a body is the beginning of JSON, and ends before it should.
pub(crate) fn is_cut(body: &[u8]) -> bool {
    let end = json::text(body).and_then(|text| {
        let mut scan = Scanner::new(text);
        scan.skip()?;
        scan.end()
    });
    end == Err(Malformed::Cut)
}

/// A 1 in each byte.
const EACH: u64 = u64::from_ne_bytes([1; 8]);

/// Has the high bit of the first byte that is a quote or a backslash; of later bytes perhaps too.
#[inline]
fn marks(word: u64) -> u64 {
    // Subtracting 1 borrows the high bit of a byte that is 0, and of none that has it already.
    let quote = (word ^ (EACH * b'"' as u64)).wrapping_sub(EACH);
    let backslash = (word ^ (EACH * b'\\' as u64)).wrapping_sub(EACH);
    (quote | backslash) & !word & (EACH << 7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scan(text: &str) -> Result<()> {
        let mut scan = Scanner::new(text);
        scan.skip()?;
        scan.end()
    }

    #[test]
    fn a_text_that_ends_early_is_cut() {
        let whole = r#"{"a":["é\n",{"b":"\u0041"},[],{}],"c":-1.5e3,"d":true,"e":null, "f" : "long enough for more than eight bytes"}"#;
        assert_eq!(scan(whole), Ok(()));
        for (end, _) in whole.char_indices() {
            assert_eq!(scan(&whole[..end]), Err(Malformed::Cut), "cut at {end}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        for depth in [1, 63, 64, 65, 66, 1_000_000] {
            for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
                let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
                assert_eq!(scan(&deep), Ok(()));
                assert_eq!(scan(&deep[..deep.len() - 1]), Err(Malformed::Cut));
                assert_eq!(scan(&format!("{deep}{close}")), Err(Malformed::Other));
            }
        }
    }

    const PIECES: [&str; 36] = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "{}",
        "[]",
        "\"\"",
        "\"a\"",
        "\"a\":",
        "\"\\u00e9\"",
        "\"\\ud800\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"",
        "\\",
        "1",
        "-0",
        "01",
        "1e5",
        "1.",
        "-",
        "+1",
        "true",
        "tru",
        "null",
        "nullx",
        "NaN",
        " ",
        "\n",
        "\t",
        "é",
        "\u{1}",
        "\"eight bytes and more\"",
        "\"\u{7f}\n\"",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn what_serde_json_takes_for_json_is_json_here_and_nothing_else_is(
            pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..12),
            inside in any::<bool>(),
        ) {
            let soup = pieces.concat();
            let text = if inside { format!("{{\"a\":[{soup}]}}") } else { soup };
            let theirs = serde_json::from_str::<IgnoredAny>(&text);
            prop_assert_eq!(scan(&text).is_ok(), theirs.is_ok(), "{}", text);
        }

        #[test]
        fn json_is_json_however_it_is_laid_out(text in "\\PC*", number in any::<f64>(), pretty in any::<bool>()) {
            let value = serde_json::json!({"a": [text, number, null, {"b": [[], {}, true]}], "c": text});
            let json = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            prop_assert_eq!(scan(&json), Ok(()));
        }
    }
}
