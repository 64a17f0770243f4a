//! Every relative link leads to a file that is there, and to a heading that is there.

use std::collections::BTreeSet;

use super::Problem;
use super::markdown::{anchors, prose, without_code_spans};
use super::tree::Tree;

pub(super) fn check(tree: &Tree, exists: impl Fn(&str) -> bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (page, text) in &tree.markdown {
        for line in prose(text) {
            let line_text = without_code_spans(line.text);
            for target in targets(&line_text).into_iter().filter(|it| is_relative(it)) {
                if let Err(what) = follow(page, target, tree, &exists) {
                    problems.push(Problem::new(page, line.number, what));
                }
            }
        }
    }
    problems
}

/// What the links of a line point to: `[text](target "title")`, and `[label]: target`.
fn targets(line: &str) -> Vec<&str> {
    let inline = line.split("](").skip(1).filter_map(|rest| {
        let end = rest.find(')')?;
        Some(&rest[..end])
    });
    let label = line.trim_start().strip_prefix('[');
    let definition = label.and_then(|rest| Some(rest.split_once("]: ")?.1));
    inline
        .chain(definition)
        .filter_map(|target| target.split_whitespace().next())
        .map(|target| target.trim_start_matches('<').trim_end_matches('>'))
        .collect()
}

/// Whether it names a file or heading here, not an address elsewhere or an item of rustdoc.
fn is_relative(target: &str) -> bool {
    let address = target.contains("://") || target.starts_with("mailto:");
    !address && !target.contains("::")
}

fn follow(
    page: &str,
    target: &str,
    tree: &Tree,
    exists: impl Fn(&str) -> bool,
) -> Result<(), String> {
    let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
    let file = match path {
        "" => page.to_owned(),
        _ => resolve(page, path).ok_or_else(|| format!("link out of the tree: {target}"))?,
    };
    if !tree.markdown.contains_key(&file) && !exists(&file) {
        return Err(format!("dead link: {target} (no file {file})"));
    }
    let headings: Option<BTreeSet<String>> = tree.markdown.get(&file).map(|text| anchors(text));
    match headings {
        Some(headings) if !fragment.is_empty() && !headings.contains(fragment) => {
            Err(format!("dead link: {target} (no heading #{fragment})"))
        }
        Some(_) | None => Ok(()),
    }
}

/// The path from the root, of a path as seen from `page`.
fn resolve(page: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Follows the links of `text`, which stands in `docs/a.md`.
    fn check_links(text: &str, problems: &[&str]) {
        let mut tree = Tree::default();
        let b = "# The other\n".to_owned();
        tree.markdown
            .insert("docs/a.md".to_owned(), text.to_owned());
        tree.markdown.insert("docs/b.md".to_owned(), b);
        let found = check(&tree, |path| {
            path == "examples/one.rs" || path == "examples"
        });
        let found: Vec<String> = found.iter().map(Problem::to_string).collect();
        assert_eq!(found, problems, "{text}");
    }

    #[test]
    fn links_that_lead_somewhere_pass() {
        check_links(
            "[b](b.md), [other](b.md#the-other) and [one](../examples/one.rs)",
            &[],
        );
        check_links(
            "# Here\n[up](#here) [all](../examples/) [b](./b.md \"title\")",
            &[],
        );
        check_links(
            "[away](https://example.org/x.md) [mail](mailto:a@example.org)",
            &[],
        );
        check_links(
            "`[no](link.md)`\n```\n[no](link.md)\n```\n[item](crate::Item)",
            &[],
        );
        check_links("[`run`](b.md)\n[label]: <b.md>", &[]);
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        check_links(
            "\n[c](c.md)",
            &["docs/a.md:2: dead link: c.md (no file docs/c.md)"],
        );
        check_links(
            "[c]: c.md",
            &["docs/a.md:1: dead link: c.md (no file docs/c.md)"],
        );
        check_links(
            "![c](../c.svg)",
            &["docs/a.md:1: dead link: ../c.svg (no file c.svg)"],
        );
        check_links(
            "[b](b.md#mine)",
            &["docs/a.md:1: dead link: b.md#mine (no heading #mine)"],
        );
        check_links(
            "[up](#here)",
            &["docs/a.md:1: dead link: #here (no heading #here)"],
        );
        check_links(
            "[out](../../x.md)",
            &["docs/a.md:1: link out of the tree: ../../x.md"],
        );
    }
}
