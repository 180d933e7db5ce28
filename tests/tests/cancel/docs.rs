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

/// The name at the beginning.
fn name(signature: &str) -> Option<&str> {
    signature.find(['(', '<', ' ']).map(|end| &signature[..end])
}

/// The names of public asynchronous functions, and of what can be awaited.
fn awaited(text: &str) -> Vec<&str> {
    let mut names: Vec<_> = text
        .lines()
        .filter_map(|line| name(line.trim().strip_prefix("pub async fn ")?))
        .collect();
    // Those that give a future: on a line of their own, or on that of the end of the parameters.
    for (start, _) in text.match_indices("pub fn ") {
        let signature = text[start..].split(['{', ';']).next().unwrap_or_default();
        let gives = signature.split_once("->").map_or("", |(_, gives)| gives);
        if ["impl Future", "BoxFuture", "PendingRequest<", "PendingConfirmation<"]
            .iter()
            .any(|future| gives.contains(future))
        {
            names.extend(name(&signature["pub fn ".len()..]));
        }
    }
    names
}

#[test]
fn promise_11_every_public_future_of_the_routers_is_dropped_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut files, mut tests) = (Vec::new(), Vec::new());
    sources(&root.join("../sig-router/src"), &mut files);
    sources(&root.join("tests/cancel"), &mut tests);
    let tests: String = tests.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    // The blocking front has no futures.
    files.retain(|file| !file.components().any(|part| part.as_os_str() == "blocking"));
    let texts: Vec<_> = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let names: std::collections::BTreeSet<_> = texts.iter().flat_map(|text| awaited(text)).collect();
    assert!(
        names.contains("trigger") && names.contains("listen_remote"),
        "{names:?}"
    );
    assert!(
        names.contains("add_remote_listener") && names.contains("trigger_confirmed"),
        "{names:?}"
    );
    let forgotten: Vec<_> = names
        .iter()
        .filter(|name| !tests.contains(&format!(".{name}(")))
        .collect();
    assert!(forgotten.is_empty(), "nothing drops {forgotten:?}");
}

#[test]
fn a_silent_one_is_found() {
    assert_eq!(
        silent("/// Waits.\n#[must_use]\npub async fn wait() {}\n"),
        ["pub async fn wait() {}"]
    );
    assert!(silent("/// # Cancel safety\n///\n/// Safe.\npub async fn wait() {}\n").is_empty());
}
