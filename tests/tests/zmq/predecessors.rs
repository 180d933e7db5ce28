//! docs/PREDECESSORS.md is the index of the predecessors' tests: complete, and each has one of its name.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn source(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Their file, their test, and where ours is.
fn rows() -> Vec<(String, String, String)> {
    let page = source("docs/PREDECESSORS.md");
    let cells = |line: &str| -> Vec<String> {
        line.split('|')
            .map(|cell| cell.trim().trim_matches('`').to_owned())
            .collect()
    };
    let rows = page.lines().map(cells).filter_map(|cells| match &cells[..] {
        [_, theirs, test, _, ours, _] if ours.ends_with(".rs") => Some((theirs.clone(), test.clone(), ours.clone())),
        [_, test, _, ours, _] if ours.ends_with(".rs") => Some((String::new(), test.clone(), ours.clone())),
        _ => None,
    });
    rows.collect()
}

/// The names of the tests in a source, each behind the module that it is in.
fn tests(path: &str) -> Vec<(String, String)> {
    let (source, mut module, mut found) = (source(path), String::new(), Vec::new());
    let mut is_test = false;
    for line in source.lines().map(str::trim_start) {
        if let Some(name) = line.strip_prefix("mod ") {
            name.trim_end_matches(" {").clone_into(&mut module);
        }
        is_test |= line == "#[test]" || line.starts_with("#[tokio::test");
        if let Some((_, name)) = line.split_once("fn ").filter(|_| is_test) {
            let name = name.split('(').next().unwrap_or_default();
            found.push((module.clone(), name.to_owned()));
            is_test = false;
        }
    }
    found
}

#[test]
fn each_of_their_tests_has_one_of_its_name() {
    let mut count = BTreeMap::<String, usize>::new();
    for (theirs, test, ours) in rows() {
        let module = theirs.trim_end_matches(".py");
        let there = tests(&ours)
            .iter()
            .any(|(inside, name)| *name == test && (inside.is_empty() || inside == module));
        assert!(there, "{ours} has no test {test} of {theirs}");
        *count.entry(ours).or_default() += 1;
    }
    let count: Vec<_> = count
        .iter()
        .map(|(path, count)| (path.rsplit('/').next().unwrap_or_default(), *count))
        .collect();
    // Twelve, thirteen (five of them skipped there), thirteen, and what their documentation shows.
    let expected = [
        ("drafts.rs", 5),
        ("patterns.rs", 8),
        ("juice.rs", 4),
        ("one_liner.rs", 12),
        ("promised.rs", 4),
        ("sunflare.rs", 13),
    ];
    assert_eq!(count, expected);
}

#[test]
fn each_test_with_one_of_their_names_is_in_the_table() {
    let rows = rows();
    for path in rows.iter().map(|(_, _, ours)| ours) {
        let theirs = |name: &str| name.starts_with("test_") || path.ends_with("juice.rs");
        for (module, name) in tests(path).iter().filter(|(_, name)| theirs(name)) {
            let listed = rows.iter().any(|(theirs, test, ours)| {
                (test, ours) == (name, path) && (module.is_empty() || *theirs == format!("{module}.py"))
            });
            assert!(
                listed,
                "{path} has {module}::{name}, which docs/PREDECESSORS.md does not name"
            );
        }
    }
}
