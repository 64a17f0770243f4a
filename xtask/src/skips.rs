//! What a run leaves out, and which of it `ARCHITECTURE.md` permits in CI.

use std::collections::BTreeSet;
use std::fmt::{self, Display};

use crate::docs_check::markdown;

/// Something that a run does not test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skip {
    /// The name that `ARCHITECTURE.md` calls it by.
    pub(crate) name: &'static str,
    /// What was left out or done instead, and why.
    pub(crate) detail: String,
}

impl Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.detail)
    }
}

/// Those of `skips` that `architecture`, the document's text, does not name.
pub(crate) fn unnamed(skips: &[Skip], architecture: &str) -> Vec<Skip> {
    let named = named(architecture);
    let is_unnamed = |skip: &&Skip| !named.contains(skip.name);
    skips.iter().filter(is_unnamed).cloned().collect()
}

/// The names in the bullets ``- `name`: reason``; a bullet without a reason permits nothing.
fn named(architecture: &str) -> BTreeSet<&str> {
    let bullet = |line: &'_ markdown::Line<'_>| line.text.starts_with("- `");
    markdown::section(architecture, HEADING)
        .unwrap_or_default()
        .into_iter()
        .filter(bullet)
        .filter_map(|line| line.text.trim_start_matches("- `").split_once("`:"))
        .filter(|(_, reason)| !reason.trim().is_empty())
        .map(|(name, _)| name)
        .collect()
}

pub(crate) const HEADING: &str = "## What may be skipped";

#[cfg(test)]
mod tests {
    use super::*;

    const ARCHITECTURE: &str = "\
# Architecture

- `elsewhere`: a bullet of another section.

## What may be skipped

- `nextest`: the tests run under another runner.
- `bare`:
- plain: no code marks.

## Next

- `after`: a bullet of another section.
";

    fn check(name: &'static str, permitted: bool) {
        let detail = String::new();
        let found = unnamed(&[Skip { name, detail }], ARCHITECTURE);
        assert_eq!(found.is_empty(), permitted, "{name}");
    }

    #[test]
    fn only_bullets_of_the_section_with_a_reason_permit_a_skip() {
        check("nextest", true);
        check("bare", false);
        check("plain", false);
        check("elsewhere", false);
        check("after", false);
    }

    #[test]
    fn no_document_permits_nothing() {
        let detail = String::new();
        let name = "nextest";
        assert_eq!(unnamed(&[Skip { name, detail }], "").len(), 1);
    }
}
