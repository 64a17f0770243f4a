//! What is asked of a registry: filters, trees, what is stuck.

use std::time::Duration;

use cancelable_core::{Filter, OperationStatus, Registry};

use super::registry_support::{Fake, ids};
use super::support::{by_profile, on_small_stack};

#[test]
fn a_broken_pattern_says_so() {
    for broken in ["[a", "a**", &"*".repeat(257)] {
        let error = Filter::new().name(broken).unwrap_err().to_string();
        assert!(error.starts_with("invalid name pattern"), "{error}");
        assert!(error.contains("give one like `import-*`"), "{error}");
        assert!(error.len() < 300, "{error}");
    }
}

#[test]
fn patterns_match_whole_names() {
    let named = |name: Option<&str>| {
        let mut context = cancelable_core::OperationContext::new("a");
        context.name = name.map(str::to_owned);
        context
    };
    for (pattern, name, is_match) in [
        ("import-*", "import-7", true),
        ("import-*", "import-a/b", true),
        ("import-*", "reimport-7", false),
        ("import-?", "import-77", false),
        ("[ab]x", "bx", true),
        ("[!ab]x", "bx", false),
        ("[*]", "*", true),
        ("*", "", true),
        ("", "a", false),
        ("**", "a/b", true),
        ("**/c", "a/b/c", true),
        ("**/c", "abc", false),
    ] {
        let filter = Filter::new().name(pattern).unwrap();
        assert_eq!(
            filter.matches(&named(Some(name))),
            is_match,
            "{pattern} {name}"
        );
        assert!(!filter.matches(&named(None)), "{pattern}");
    }
    let exact = Filter::new().exact_name("a*[b]");
    assert!(exact.matches(&named(Some("a*[b]"))));
    assert!(!exact.matches(&named(Some("aab"))));
    // A pattern as bad as can be takes no time.
    let worst = Filter::new().name(&"a*".repeat(128)).unwrap();
    assert!(!worst.matches(&named(Some(&"a".repeat(100)))));
}

#[test]
fn names_are_searched_for_as_people_do() {
    let is_like = |text: &str, name: Option<&str>| {
        let mut context = cancelable_core::OperationContext::new("a");
        context.name = name.map(str::to_owned);
        let filter = Filter::new().name_like(text).unwrap();
        filter.matches(&context)
    };
    for (text, name, is_match) in [
        ("port", "Import-7", true),
        ("IMPORT", "import-7", true),
        ("ÜBUNG", "Eine Übung", true),
        ("import-8", "import-7", false),
        ("[", "a[b]", true),
        ("", "a", true),
        ("IM*-?", "Import-7", true),
        ("im*-?", "reimport-7", false),
        ("*ü*", "Eine Übung", true),
    ] {
        assert_eq!(is_like(text, Some(name)), is_match, "{text} {name}");
        assert!(!is_like(text, None), "{text}");
    }
    let error = Filter::new().name_like("A**").unwrap_err().to_string();
    assert!(error.contains("invalid name pattern"), "{error}");
}

#[test]
fn a_predicate_that_panics_harms_nobody_else() {
    let registry = Registry::new();
    let works = ["a", "b"].map(Fake::new);
    let entries = works.each_ref().map(|work| work.register(&registry));
    let bad = Filter::new().matching(|context| match &*context.id {
        "b" => panic!("on purpose"),
        _ => true,
    });
    let panics = |f: &dyn Fn()| {
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err());
    };
    panics(&|| drop(registry.list(&bad)));
    panics(&|| drop(registry.page(&bad, None, 9)));
    panics(&|| assert_eq!(registry.count(&bad), 2));
    panics(&|| drop(registry.cancel_all(&bad, "x")));
    assert!(
        works.iter().all(|work| !work.token.is_cancelled()),
        "none was asked"
    );
    for (work, entry) in works.iter().zip(&entries) {
        entry.ended(work.end(OperationStatus::Completed));
    }
    panics(&|| drop(registry.history(&bad)));
    assert_eq!(registry.history(&Filter::new()).len(), 2);
}

#[test]
fn what_was_asked_long_ago_is_stuck() {
    let registry = Registry::new();
    let works = [None, Some(1), Some(60)].map(|asked: Option<u64>| {
        Fake::with(&format!("{asked:?}"), |context| {
            context.since_asked = asked.map(Duration::from_secs);
        })
    });
    let _entries = works.each_ref().map(|work| work.register(&registry));
    assert_eq!(ids(&registry.stuck(Duration::from_secs(30))), ["Some(60)"]);
    assert_eq!(registry.stuck(Duration::ZERO).len(), 2);
}

#[test]
fn a_tree_has_what_runs_inside() {
    let registry = Registry::new();
    let works = [
        ("a", ""),
        ("b", "a"),
        ("x", "y"),
        ("c", "b"),
        ("d", "a"),
        ("e", "b"),
    ];
    let works = works.map(|(id, parent)| {
        Fake::with(id, |context| {
            context.parent_id = (!parent.is_empty()).then(|| parent.to_owned());
        })
    });
    let _entries = works.each_ref().map(|work| work.register(&registry));
    let shape = |id: &str| {
        let tree = registry.tree(id)?;
        let nodes = tree.nodes().iter();
        let nodes = nodes.map(|node| format!("{}{}", node.operation.id, node.depth));
        Some(nodes.collect::<Vec<_>>().join(" "))
    };
    assert_eq!(shape("a").unwrap(), "a0 b1 c2 e2 d1");
    assert_eq!(shape("x").unwrap(), "x0");
    assert_eq!(shape("y"), None);
    assert_eq!(ids(&registry.children("a")), ["b", "d"]);
    assert!(registry.children("e").is_empty());
}

#[test]
fn a_deep_tree_and_a_circle_need_no_stack() {
    let depth = by_profile(50_000, 5_000);
    let registry = Registry::new();
    let works: Vec<_> = (0..depth)
        .map(|number| {
            Fake::with(&number.to_string(), |context| {
                // The first runs in the last.
                let parent = (number + depth - 1) % depth;
                context.parent_id = Some(parent.to_string());
            })
        })
        .collect();
    let _entries: Vec<_> = works.iter().map(|work| work.register(&registry)).collect();
    on_small_stack(move || {
        let tree = registry.tree("0").unwrap();
        assert_eq!(tree.nodes().len(), depth);
        assert_eq!(tree.nodes()[depth - 1].depth, depth - 1);
        let written = serde_json::to_string(&tree).unwrap();
        drop(serde_json::from_str::<cancelable_core::OperationTree>(&written).unwrap());
    });
}

#[test]
fn what_says_that_it_runs_in_itself_is_in_its_tree_once() {
    let registry = Registry::new();
    // Two operations of one id, of which the outer one is not registered, look like that.
    let work = Fake::with("a", |context| context.parent_id = Some("a".to_owned()));
    let _entry = work.register(&registry);
    assert_eq!(registry.tree("a").unwrap().nodes().len(), 1);
}
