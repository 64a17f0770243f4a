//! README.md stays short, no page's Rust goes untested, and no merge is left half done.

use super::Problem;
use super::markdown::code_languages;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    problems.extend(too_long(tree));
    problems.extend(half_merged(tree));
    problems.extend(tree.markdown.iter().filter_map(|(page, text)| {
        let has_rust = code_languages(text).into_iter().any(is_rust);
        (is_guide(page) && has_rust && !is_doctest(page, tree)).then(|| {
            let what = format!("its Rust is not tested: no crate has include_str!(\"…/{page}\")");
            Problem::new(page, 1, what)
        })
    }));
    problems
}

fn too_long(tree: &Tree) -> Option<Problem> {
    let lines = tree.markdown.get(README)?.lines().count();
    let what = format!("{lines} lines: keep it under {README_LIMIT}, and move the rest to docs/");
    (lines >= README_LIMIT).then(|| Problem::new(README, lines, what))
}

/// What a merge leaves where two changes met; compilers find it in code.
fn half_merged(tree: &Tree) -> impl Iterator<Item = Problem> {
    tree.markdown.iter().flat_map(|(page, text)| {
        let lines = text.lines().enumerate();
        let marked =
            lines.filter(|(_, line)| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> "));
        marked.map(|(at, _)| Problem::new(page, at + 1, "a merge was left half done here"))
    })
}

fn is_guide(page: &str) -> bool {
    page == README || page.starts_with("docs/")
}

fn is_rust(language: &str) -> bool {
    language.split(',').next() == Some("rust")
}

/// Whether a crate includes the page, by the last part of the path in `include_str!`.
fn is_doctest(page: &str, tree: &Tree) -> bool {
    let including = format!("/{page}\"");
    tree.rust
        .iter()
        .filter(|(path, _)| path.starts_with("crates/"))
        .flat_map(|(_, text)| text.lines())
        .any(|line| line.contains("include_str!") && line.contains(&including))
}

const README: &str = "README.md";
const README_LIMIT: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn check_pages(page: &str, text: &str, source: &str, problems: usize) {
        let mut tree = Tree::default();
        tree.markdown.insert(page.to_owned(), text.to_owned());
        tree.rust
            .insert("crates/a/src/lib.rs".to_owned(), source.to_owned());
        let found = check(&tree);
        assert_eq!(found.len(), problems, "{found:?}");
    }

    #[test]
    fn a_readme_of_a_hundred_lines_is_too_long() {
        check_pages("README.md", &"line\n".repeat(99), "", 0);
        check_pages("README.md", &"line\n".repeat(100), "", 1);
        check_pages("CHANGELOG.md", &"line\n".repeat(100), "", 0);
    }

    #[test]
    fn a_merge_that_was_left_half_done_is_found() {
        let merged = "<<<<<<< main\none\n=======\nother\n>>>>>>> branch\n";
        check_pages("DESIGN.md", merged, "", 2);
        check_pages("DESIGN.md", "A << B\n======\n", "", 0);
    }

    #[test]
    fn a_page_with_rust_is_included_by_a_crate() {
        let include = r#"#[doc = include_str!("../../../docs/streams.md")]"#;
        let rust = "```rust,no_run\nlet a = 1;\n```\n";
        check_pages("docs/streams.md", rust, include, 0);
        check_pages("docs/shield.md", rust, include, 1);
        check_pages("docs/shield.md", "```toml\na = 1\n```\n", include, 0);
        check_pages("DESIGN.md", rust, include, 0);
    }
}
