//! Pages of a long list, and the places between them.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::OperationContext;

/// A part of a list, and where it goes on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Page {
    /// The operations of this page, in the order of the list.
    pub operations: Vec<OperationContext>,
    /// What to ask with for the next page; `None` where this was the last.
    pub next: Option<Cursor>,
}

/// A place in a list of a registry: after the last operation of a page. It stays valid whatever comes and goes.
///
/// As text, and in JSON, it is a short word that need not be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor(pub(super) u64);

impl Page {
    pub(super) fn new(operations: Vec<OperationContext>, next: Option<u64>) -> Self {
        Self {
            operations,
            next: next.map(Cursor),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        // A sign is a number's business, not a word's.
        let is_word = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = is_word.then(|| u64::from_str_radix(text, 16).ok());
        match number.flatten() {
            // What comes after the last number there can be is not asked for by a cursor of ours.
            Some(number) if number < u64::MAX => Ok(Self(number)),
            Some(_) | None => Err(InvalidCursor),
        }
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidCursor;

impl fmt::Display for InvalidCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid cursor; give the one that came with the page before, or none for the first page")
    }
}

impl Error for InvalidCursor {}
