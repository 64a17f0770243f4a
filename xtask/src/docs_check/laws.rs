//! Each law has a test, each test of a law stands in the table, and each row says which change makes it fail.

use std::collections::BTreeMap;

use super::Problem;
use super::markdown::{Line, cells, code_spans, section};
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let functions = functions(tree);
    let text = tree.markdown.get(PAGE).map_or("", String::as_str);
    let mut problems = Vec::new();
    let mut named = Vec::new();
    for row in rows(text) {
        for name in code_spans(&row.test) {
            let last = name.rsplit("::").next().unwrap_or(name);
            let last = last.trim_end_matches("()");
            if !functions.contains_key(last) && !is_file(name, tree) {
                problems.push(row.problem(&format!("no test or file is called `{name}`")));
            }
            named.push(last.to_owned());
        }
        problems.extend(row.gap().map(|gap| row.problem(gap)));
    }
    for (name, place) in &functions {
        if is_law(name) && !named.iter().any(|it| it == name) {
            let what = format!("`{name}` does not stand in {PAGE}, under \"{HEADING}\"");
            problems.push(Problem::new(place.file, place.line, what));
        }
    }
    problems
}

struct Row {
    number: usize,
    law: String,
    test: String,
    change: String,
}

impl Row {
    fn problem(&self, what: &str) -> Problem {
        let law = match self.law.as_str() {
            "" => "a law",
            law => law,
        };
        Problem::new(PAGE, self.number, format!("{law}: {what}"))
    }

    fn gap(&self) -> Option<&'static str> {
        if self.law.is_empty() {
            Some("the row does not say which law it is about")
        } else if code_spans(&self.test).is_empty() {
            Some("the row names no test in backticks")
        } else if !self.change.contains(char::is_alphanumeric) {
            Some("the row does not name the change that makes the test fail")
        } else {
            None
        }
    }
}

/// The rows under the heading, without each table's head.
fn rows(text: &str) -> Vec<Row> {
    let lines = section(text, HEADING).unwrap_or_default();
    let is_rule = |line: &Line<'_>| line.text.starts_with('|') && line.text.contains("---");
    let mut rows = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let is_head = lines.get(index + 1).is_some_and(is_rule);
        if is_head || is_rule(line) {
            continue;
        }
        if let Some(cells) = cells(line.text) {
            let cell = |column: usize| cells.get(column).cloned().unwrap_or_default();
            rows.push(Row {
                number: line.number,
                law: cell(0),
                test: cell(1),
                change: cell(2),
            });
        }
    }
    rows
}

#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a str,
    line: usize,
}

/// Every function that a line of the tree begins.
fn functions(tree: &Tree) -> BTreeMap<&str, Place<'_>> {
    let mut functions = BTreeMap::new();
    let rust = tree.rust.iter().map(|file| (file, rust_function as NameOf));
    let python = tree
        .python
        .iter()
        .map(|file| (file, python_function as NameOf));
    for ((file, text), name_of) in rust.chain(python) {
        for (index, line) in text.lines().enumerate() {
            let line_number = index + 1;
            if let Some(name) = name_of(line) {
                let place = Place {
                    file,
                    line: line_number,
                };
                functions.entry(name).or_insert(place);
            }
        }
    }
    functions
}

/// The name of the function that a line begins, if it begins one.
type NameOf = fn(&str) -> Option<&str>;

fn rust_function(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let is_modifier = |word: &str| {
        matches!(
            word,
            "pub" | "pub(crate)" | "pub(super)" | "async" | "const"
        )
    };
    let name = after.split(['(', '<']).next()?.trim();
    before.split_whitespace().all(is_modifier).then_some(name)
}

fn python_function(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("async ").unwrap_or(line);
    line.strip_prefix("def ")?.split('(').next()
}

/// Whether the function of that name is a test of a law; pytest wants its own word first.
fn is_law(name: &str) -> bool {
    name.strip_prefix("test_")
        .unwrap_or(name)
        .starts_with("law_")
}

/// Whether `name` is the path of a source file, or the end of one.
fn is_file(name: &str, tree: &Tree) -> bool {
    let end = format!("/{name}");
    let is_it = |path: &String| path == name || path.ends_with(&end);
    let is_source = name.ends_with(".rs") || name.ends_with(".py");
    is_source && tree.rust.keys().chain(tree.python.keys()).any(is_it)
}

const PAGE: &str = "ARCHITECTURE.md";
const HEADING: &str = "## Laws and their tests";

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks a table of `rows` against a tree whose one file is `source`.
    fn check_laws(rows: &str, source: &str, problems: &[&str]) {
        let page = format!(
            "# A\n{HEADING}\n| law | test | fails |\n| --- | --- | --- |\n{rows}\n## B\n| x | | |\n"
        );
        check_page(&page, source, problems);
    }

    fn check_page(page: &str, source: &str, problems: &[&str]) {
        let mut tree = Tree::default();
        tree.markdown.insert(PAGE.to_owned(), page.to_owned());
        let file = "crates/a/tests/models/main.rs".to_owned();
        tree.rust.insert(file, source.to_owned());
        let found = check(&tree);
        let found: Vec<String> = found.iter().map(Problem::to_string).collect();
        assert_eq!(found, problems, "{page}{source}");
    }

    const LAW_ONE: &str = "#[test]\n    pub(crate) async fn law_one() {}";

    #[test]
    fn a_table_that_matches_the_tree_passes() {
        check_laws("| T1 | `law_one` | drop the lock |", LAW_ONE, &[]);
        check_laws(
            "| T1 | `deep::law_one`, again | drop `x \\| y` |",
            LAW_ONE,
            &[],
        );
        check_laws("| T1 | `models/main.rs` | relax a store |", "", &[]);
        check_page("# A", "fn helper() {}\n// fn law_not() {}", &[]);
    }

    #[test]
    fn a_test_that_is_not_there_is_found() {
        check_laws(
            "| T1 | `law_one` `law_two` | drop the lock |",
            LAW_ONE,
            &["ARCHITECTURE.md:5: T1: no test or file is called `law_two`"],
        );
        check_laws(
            "| T1 | `models/other.rs` | drop the lock |",
            "",
            &["ARCHITECTURE.md:5: T1: no test or file is called `models/other.rs`"],
        );
    }

    #[test]
    fn a_law_that_no_row_names_is_found() {
        let problem = "crates/a/tests/models/main.rs:2: `law_one` does not stand in \
             ARCHITECTURE.md, under \"## Laws and their tests\"";
        check_laws("", LAW_ONE, &[problem]);
        check_page("# A", LAW_ONE, &[problem]);
        check_laws(
            "| T1 | `models/main.rs` | relax a store |",
            LAW_ONE,
            &[problem],
        );
    }

    #[test]
    fn tests_in_python_count_as_those_in_rust() {
        let check_python = |row: &str, source: &str, problems: usize| {
            let head = "| law | test | fails |\n| --- | --- | --- |";
            let mut tree = Tree::default();
            let page = format!("{HEADING}\n{head}\n{row}\n");
            tree.markdown.insert(PAGE.to_owned(), page);
            let file = "python/tests/test_scopes.py".to_owned();
            tree.python.insert(file, source.to_owned());
            assert_eq!(check(&tree).len(), problems, "{row} {source}");
        };
        let row = "| P1 | `test_law_one` | relax a store |";
        check_python(row, "async def test_law_one(loop):", 0);
        check_python(row, "    def test_law_one() -> None:", 0);
        check_python(row, "# def test_law_one():", 1);
        check_python("", "def test_law_one():", 1);
        check_python("", "def test_other():", 0);
        check_python("| P1 | `test_scopes.py` | relax a store |", "", 0);
    }

    #[test]
    fn a_row_with_a_gap_is_found() {
        let no_change =
            "ARCHITECTURE.md:5: T1: the row does not name the change that makes the test fail";
        check_laws("| T1 | `law_one` | |", LAW_ONE, &[no_change]);
        check_laws("| T1 | `law_one` |", LAW_ONE, &[no_change]);
        check_laws("| T1 | `law_one` | ? |", LAW_ONE, &[no_change]);
        check_laws(
            "| T1 | soon | drop the lock |",
            "",
            &["ARCHITECTURE.md:5: T1: the row names no test in backticks"],
        );
        check_laws(
            "| | `law_one` | drop the lock |",
            LAW_ONE,
            &["ARCHITECTURE.md:5: a law: the row does not say which law it is about"],
        );
    }
}
