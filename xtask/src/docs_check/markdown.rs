//! As much of Markdown as the checks need: lines outside code, sections, tables, and the anchors of headings.

use std::collections::{BTreeMap, BTreeSet};

/// A line and its number, from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) number: usize,
    pub(crate) text: &'a str,
}

/// The lines that are not part of a fenced block of code.
pub(crate) fn prose(text: &str) -> Vec<Line<'_>> {
    let mut fence: Option<&str> = None;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        match (fence, fence_of(line)) {
            (None, None) => lines.push(Line {
                number: index + 1,
                text: line,
            }),
            (None, opening) => fence = opening,
            (Some(open), Some(_)) if closes(line, open) => fence = None,
            (Some(_), _) => {}
        }
    }
    lines
}

/// What stands behind the opening fences of blocks of code, such as `rust,no_run`.
pub(crate) fn code_languages(text: &str) -> Vec<&str> {
    let mut fence: Option<&str> = None;
    let mut languages = Vec::new();
    for line in text.lines() {
        match (fence, fence_of(line)) {
            (None, Some(opening)) => {
                fence = Some(opening);
                languages.push(line.trim_start()[opening.len()..].trim());
            }
            (Some(open), Some(_)) if closes(line, open) => fence = None,
            (Some(_) | None, _) => {}
        }
    }
    languages
}

/// The lines under `heading`, given as `## Title`, up to the next heading that is not below it.
pub(crate) fn section<'a>(text: &'a str, heading: &str) -> Option<Vec<Line<'a>>> {
    let lines = prose(text);
    let start = lines
        .iter()
        .position(|line| line.text.trim_end() == heading)?;
    let depth = level(heading);
    let ends = |line: &Line<'_>| (1..=depth).contains(&level(line.text));
    let body = lines.into_iter().skip(start + 1);
    Some(body.take_while(|line| !ends(line)).collect())
}

/// The cells of a row of a table, if the line is one; `\|` does not part cells.
pub(crate) fn cells(line: &str) -> Option<Vec<String>> {
    const ESCAPED: &str = "\u{0}";
    let inner = line.trim().strip_prefix('|')?.replace(r"\|", ESCAPED);
    let inner = inner.strip_suffix('|').unwrap_or(&inner);
    let unescape = |cell: &str| cell.trim().replace(ESCAPED, "|");
    Some(inner.split('|').map(unescape).collect())
}

/// The contents of the code spans in a line.
pub(crate) fn code_spans(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

/// A line with its code spans emptied, so that nothing in them is taken for a link.
pub(crate) fn without_code_spans(line: &str) -> String {
    let outside: Vec<&str> = line.split('`').step_by(2).collect();
    outside.join("``")
}

/// The fragments that links can name: those of headings, as GitHub makes them, and explicit ids.
pub(crate) fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut seen = BTreeMap::<String, usize>::new();
    for line in prose(text) {
        if level(line.text) > 0 {
            let slug = slug(line.text.trim_start_matches('#'));
            let count = seen.entry(slug.clone()).or_default();
            anchors.insert(match *count {
                0 => slug,
                again => format!("{slug}-{again}"),
            });
            *count += 1;
        }
        let ids = line.text.split("id=\"").skip(1);
        anchors.extend(ids.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
    }
    anchors
}

fn slug(heading: &str) -> String {
    let mut text = heading.trim().to_lowercase();
    // Of a link only its text counts.
    while let Some((start, end)) = link_target(&text) {
        text.replace_range(start..end, "");
    }
    let kept = |c: char| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        _ => c.is_alphanumeric().then_some(c),
    };
    text.chars().filter_map(kept).collect()
}

fn link_target(text: &str) -> Option<(usize, usize)> {
    let start = text.find("](")?;
    let end = start + text[start..].find(')')?;
    Some((start, end + 1))
}

/// How many `#` open a heading; none, if the line is not one.
fn level(line: &str) -> usize {
    let hashes = line.len() - line.trim_start_matches('#').len();
    match line[hashes..].starts_with(' ') {
        true => hashes,
        false => 0,
    }
}

fn fence_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let mark = line.chars().next().filter(|c| "`~".contains(*c))?;
    let length = line.len() - line.trim_start_matches(mark).len();
    (length >= 3).then(|| &line[..length])
}

fn closes(line: &str, open: &str) -> bool {
    let line = line.trim();
    line.starts_with(open) && line.trim_start_matches(&open[..1]).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fenced_code_is_not_prose() {
        let text = "one\n```rust\n## no\n``` no\n```\ntwo\n````md\n```\n````\nthree";
        let found: Vec<&str> = prose(text).iter().map(|line| line.text).collect();
        assert_eq!(found, ["one", "two", "three"]);
        assert_eq!(prose(text)[2].number, 10);
        assert_eq!(code_languages(text), ["rust", "md"]);
    }

    #[test]
    fn a_section_holds_its_subsections_only() {
        let text = "# A\n## B\nx\n### C\ny\n## D\nz";
        let found = section(text, "## B").expect("the heading is there");
        let found: Vec<&str> = found.iter().map(|line| line.text).collect();
        assert_eq!(found, ["x", "### C", "y"]);
        assert_eq!(section(text, "## E"), None);
    }

    #[test]
    fn cells_are_parted_by_bars_that_are_not_escaped() {
        assert_eq!(
            cells(r"| a | `b \| c` || "),
            Some(vec!["a".into(), "`b | c`".into(), String::new()])
        );
        assert_eq!(cells("a | b"), None);
    }

    fn check_anchor(heading: &str, anchor: &str) {
        assert!(anchors(heading).contains(anchor), "{:?}", anchors(heading));
    }

    #[test]
    fn anchors_are_made_as_github_makes_them() {
        check_anchor("## What may be skipped", "what-may-be-skipped");
        check_anchor(
            "# `run` & [friends](x.md), at last!",
            "run--friends-at-last",
        );
        check_anchor("# A_b-c", "a_b-c");
        check_anchor("# Same\n# Same", "same-1");
        check_anchor("<a id=\"here\"></a>", "here");
    }
}
