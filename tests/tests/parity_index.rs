//! docs/PYSIG.md is the index of pysig's behaviour: complete, and every test that it names is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const TAGS: std::ops::RangeInclusive<u32> = 1..=76;

#[derive(Debug)]
struct Row {
    tag: u32,
    verdict: String,
    tests: BTreeSet<String>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ is in the workspace")
}

fn page() -> String {
    fs::read_to_string(root().join("docs/PYSIG.md")).expect("docs/PYSIG.md")
}

/// The text below a heading, up to the next of the same level.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, below) = page.split_once(&format!("\n## {heading}\n")).expect(heading);
    below.split_once("\n## ").map_or(below, |(section, _)| section)
}

fn tag(text: &str) -> Option<u32> {
    text.strip_prefix('P')?.parse().ok()
}

fn row(line: &str) -> Option<Row> {
    let cells: Vec<_> = line
        .strip_prefix('|')?
        .strip_suffix('|')?
        .split('|')
        .map(str::trim)
        .collect();
    let tag = tag(cells[0])?;
    let [_, _, verdict, _, tests] = cells[..] else {
        panic!(
            "P{tag} has {} columns instead of five: is there a | in one?",
            cells.len()
        );
    };
    let tests = tests.split(", ").map(|name| name.trim_matches('`').to_owned());
    let tests = tests.filter(|name| !name.is_empty()).collect();
    let verdict = verdict.to_owned();
    Some(Row { tag, verdict, tests })
}

fn rows() -> Vec<Row> {
    section(&page(), "Line by line").lines().filter_map(row).collect()
}

/// The name of every function in the workspace's sources.
fn functions() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the workspace") {
            let path = entry.expect("an entry of it").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                // What cargo builds is not ours, under whatever name: it marks the folder.
                if !name.starts_with('.') && name != "target" && !path.join("CACHEDIR.TAG").exists() {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path).expect("a source");
                let names = text
                    .split("fn ")
                    .skip(1)
                    .filter_map(|rest| rest.split(['(', '<']).next());
                found.extend(names.map(str::to_owned));
            }
        }
    }
    found
}

/// The tags that a test's name begins with: `p34_p51_requests` proves P34 and P51.
fn proven(test: &str) -> impl Iterator<Item = u32> {
    test.split('_').map_while(|word| word.strip_prefix('p')?.parse().ok())
}

#[test]
fn every_tag_is_there_once_and_in_order() {
    let tags: Vec<_> = rows().iter().map(|row| row.tag).collect();
    assert_eq!(tags, TAGS.collect::<Vec<_>>());
}

#[test]
fn every_verdict_is_one_of_four_and_every_change_is_explained() {
    let page = page();
    let first_cells = section(&page, "What changed on purpose")
        .lines()
        .filter_map(|line| line.split('|').nth(1));
    let explained: BTreeSet<_> = first_cells
        .flat_map(|cell| cell.split(',').filter_map(|text| tag(text.trim())))
        .collect();
    for Row { tag, verdict, .. } in rows() {
        assert!(
            ["kept", "form", "changed", "decided"].contains(&&*verdict),
            "P{tag}: {verdict}"
        );
        assert!(
            verdict != "changed" || explained.contains(&tag),
            "P{tag} changed, and nothing says why"
        );
    }
}

#[test]
fn every_tag_has_tests_and_they_exist() {
    let functions = functions();
    for Row { tag, tests, .. } in rows() {
        assert!(!tests.is_empty(), "P{tag} names no test");
        for test in tests {
            assert!(
                functions.contains(&test),
                "P{tag} names the test {test}, which is nowhere in the workspace"
            );
        }
    }
}

#[test]
fn every_test_named_after_a_tag_is_in_the_table() {
    let listed: BTreeMap<_, _> = rows().into_iter().map(|row| (row.tag, row.tests)).collect();
    for test in functions() {
        for tag in proven(&test) {
            let tests = listed
                .get(&tag)
                .unwrap_or_else(|| panic!("{test} is named after P{tag}, which does not exist"));
            assert!(
                tests.contains(&test),
                "{test} is not in the row of P{tag} in docs/PYSIG.md: add it there"
            );
        }
    }
}
