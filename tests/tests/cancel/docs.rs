//! Every public asynchronous function says what becomes of it when it is dropped.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The names of public asynchronous functions whose documentation lacks the section.
fn silent(text: &str) -> Vec<String> {
    let mut doc = String::new();
    let mut silent = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(more) = line.strip_prefix("///") {
            doc.push_str(more);
            doc.push('\n');
        } else if line.starts_with("#[") || line.starts_with(')') || line.starts_with("#!") {
            // Attributes stand between the two.
        } else {
            let is_async = line.starts_with("pub async fn") || line.starts_with("async fn");
            if is_async && line.starts_with("pub") && !doc.contains("# Cancel safety") {
                silent.push(line.to_owned());
            }
            doc.clear();
        }
    }
    silent
}

#[test]
fn promise_11_is_stated_on_every_public_async_function() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for library in [
        "sig-core/src",
        "sig-router/src",
        "sig-conformance/src",
        "sig-carriers/local/src",
        "sig-carriers/tcp/src",
        "sig-carriers/ipc/src",
    ] {
        sources(&root.join(library), &mut files);
    }
    assert!(files.len() > 50, "{} files", files.len());
    let silent: Vec<_> = files
        .iter()
        .flat_map(|file| {
            let text = fs::read_to_string(file).unwrap();
            let functions = silent(&text).into_iter();
            functions
                .map(|function| format!("{}: {function}", file.display()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(silent.is_empty(), "without \"# Cancel safety\":\n{}", silent.join("\n"));
}

#[test]
fn a_silent_one_is_found() {
    assert_eq!(
        silent("/// Waits.\n#[must_use]\npub async fn wait() {}\n"),
        ["pub async fn wait() {}"]
    );
    assert!(silent("/// # Cancel safety\n///\n/// Safe.\npub async fn wait() {}\n").is_empty());
}
