//! The command line.

use crate::Effort;

/// What the command line asks for.
pub(crate) enum Asked {
    Table(Options),
    /// One measurement in a process of its own, asked for by a table.
    Subject(Vec<String>),
    /// The tests that there are, asked for by a test runner.
    ListOfTests,
    Nothing,
}

/// What the table is to show, and how.
pub(crate) struct Options {
    pub(crate) effort: Effort,
    pub(crate) markdown: bool,
    /// Parts of names; none is all rows.
    rows: Vec<String>,
}

impl Options {
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.rows.is_empty() || self.rows.iter().any(|row| name.contains(row.as_str()))
    }
}

/// Reads the words after the program's name.
pub(crate) fn parse(words: impl Iterator<Item = String>, effort: Effort) -> Asked {
    let mut options = Options {
        effort,
        markdown: false,
        rows: Vec::new(),
    };
    let mut words = words.peekable();
    let mut lists_tests = false;
    let mut is_ignored_only = false;
    while let Some(word) = words.next() {
        match word.as_str() {
            "--subject" => return Asked::Subject(words.collect()),
            "--row" => options.rows.extend(words.next()),
            "--quick" => options.effort = Effort::quick(),
            "--markdown" => options.markdown = true,
            // Of cargo and of test runners.
            "--list" => lists_tests = true,
            "--ignored" => is_ignored_only = true,
            "--format" => {
                words.next();
            }
            "--bench" | "--exact" | "--nocapture" | "--no-capture" | "table" => {}
            _ => panic!("not understood: {word}; there are --row NAME, --quick and --markdown"),
        }
    }
    match (lists_tests, is_ignored_only) {
        (_, true) => Asked::Nothing,
        (true, false) => Asked::ListOfTests,
        (false, false) => Asked::Table(options),
    }
}
