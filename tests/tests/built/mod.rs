//! The programs of the workspace, built as the tests are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ is in the workspace")
}

/// Every example and command of the workspace by its name. They are built if need be, into the target directory that
/// this test came from: after `cargo test --workspace` they are there already.
pub(crate) fn programs() -> &'static BTreeMap<String, PathBuf> {
    static PROGRAMS: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    PROGRAMS.get_or_init(build)
}

fn build() -> BTreeMap<String, PathBuf> {
    // TARGET/PROFILE/deps/this_test
    let this = std::env::current_exe().expect("a test is a program");
    let profile = this.ancestors().nth(2).expect("a test lies in its target directory");
    let target = profile.parent().expect("a profile lies in its target directory");
    let profile = match profile.file_name().and_then(|name| name.to_str()) {
        None | Some("debug") => "dev",
        Some(other) => other,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        // The whole workspace, and examples among it: with fewer packages the features, and with them the builds, differ.
        .args(["build", "--workspace", "--examples", "--bins", "--message-format=json-render-diagnostics"])
        .args(["--profile", profile, "--target-dir"])
        .arg(target)
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "the examples do not build");
    let messages = String::from_utf8(output.stdout).expect("cargo writes text");
    let messages = messages
        .lines()
        .map(|line| serde_json::from_str(line).expect("cargo writes JSON"));
    messages
        .filter_map(|message: Value| {
            let path = message["executable"].as_str()?;
            Some((message["target"]["name"].as_str()?.to_owned(), path.into()))
        })
        .collect()
}
