//! The numbered examples: each prints what its header says, and stands in the index.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::transcript::{check, header, transcripts};

macro_rules! tests {
    ($($name:ident: $example:literal,)*) => {
        $(#[test]
        fn $name() {
            check_all($example);
        })*

        /// In reading order.
        const EXAMPLES: &[&str] = &[$($example),*];
    };
}

tests! {
    sources: "01_sources",
    shield_and_grace: "02_shield_and_grace",
    finalizers: "03_finalizers",
    tasks_and_threads: "04_tasks_and_threads",
    parent_and_children: "05_parent_and_children",
    registry: "06_registry",
    cpu_loop: "07_cpu_loop",
    graceful_shutdown: "08_graceful_shutdown",
    tokio_util: "09_tokio_util",
    retry: "10_retry",
    axum_service: "11_axum_service",
}

#[track_caller]
fn check_all(example: &str) {
    let header = header(example);
    let transcripts = transcripts(&header);
    assert!(!transcripts.is_empty(), "{example} promises nothing");
    for transcript in transcripts {
        check(example, transcript, Signal::INT);
    }
}

#[test]
fn graceful_shutdown_by_a_service_manager() {
    let example = "08_graceful_shutdown";
    let header = header(example);
    let promise = "the signal is SIGTERM (15), and the exit code 143";
    assert!(header.contains(promise), "{header}");
    let transcript = transcripts(&header)[0]
        .replace("SIGINT (2)", "SIGTERM (15)")
        .replace("130", "143");
    check(example, &transcript, Signal::TERM);
}

#[test]
fn every_numbered_example_is_tested() {
    let folder = fs::read_dir(FOLDER).expect("it is there");
    let paths = folder.map(|entry| entry.expect("it can be read").path());
    let programs = paths.filter(|path| path.extension() == Some(OsStr::new("rs")));
    let mut numbered: Vec<String> = programs
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .filter(|name| is_numbered(name))
        .collect();
    numbered.sort();
    assert_eq!(numbered, EXAMPLES);
}

#[test]
fn the_index_lists_every_numbered_example() {
    let index = Path::new(FOLDER).join("README.md");
    let index = fs::read_to_string(index).expect("the index is there");
    let rows = index.lines().filter(|line| {
        let cell = line.strip_prefix("| ");
        cell.is_some_and(is_numbered)
    });
    let expected = EXAMPLES.iter().zip(1..).map(|(example, number)| {
        assert!(example.starts_with(&format!("{number:02}_")), "{example}");
        let header = header(example);
        let shows = header.lines().next().unwrap_or_default();
        let shows = shows.trim_end_matches('.');
        format!("| {number} | [`{example}`]({example}.rs) | {shows} |")
    });
    assert_eq!(rows.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

fn is_numbered(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
}

const FOLDER: &str = env!("CARGO_MANIFEST_DIR");
