//! Checks what is written about the code: links lead somewhere, snippets are tested, each law has its test.

mod laws;
mod links;
pub(crate) mod markdown;
mod pages;
mod tree;

use std::fmt::{self, Display};
use std::io;
use std::path::Path;

use self::tree::Tree;

/// All that is wrong with the Markdown files under `root`.
pub(crate) fn check(root: &Path) -> io::Result<Vec<Problem>> {
    let tree = Tree::read(root)?;
    let mut problems = pages::check(&tree);
    problems.extend(links::check(&tree, |path| root.join(path).exists()));
    problems.extend(laws::check(&tree));
    Ok(problems)
}

/// Something to mend, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    file: String,
    line: usize,
    what: String,
}

impl Problem {
    fn new(file: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            what: what.into(),
        }
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}
