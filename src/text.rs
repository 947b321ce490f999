//! Text that both faces can hand out: a `str` to Rust, NUL-terminated bytes to C, one copy.

use std::fmt;

/// Owned text with one NUL behind its end, so that the C side can lend it as it stands.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Text(Box<str>);

impl Text {
    pub fn as_str(&self) -> &str {
        &self.0[..self.0.len() - 1]
    }

    /// The text and the NUL behind it.
    pub fn with_nul(&self) -> &str {
        &self.0
    }
}

impl From<String> for Text {
    fn from(mut text: String) -> Text {
        text.push('\0');
        Text(text.into_boxed_str())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        text.to_owned().into()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}
