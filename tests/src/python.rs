//! Python 3, and packages that a `provision.py` fetches for the tests.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A Python 3 as a command.
pub(crate) fn python3() -> Result<String, String> {
    let candidates = match std::env::var("SIG_PYTHON") {
        Ok(python) => vec![python],
        Err(_) => vec!["python3".to_owned(), "python".to_owned()],
    };
    let is_3 = |python: &String| {
        let version = Command::new(python).arg("--version").stdin(Stdio::null()).output();
        version.is_ok_and(|output| output.status.success() && output.stdout.starts_with(b"Python 3"))
    };
    let tried = candidates.join(", ");
    candidates
        .into_iter()
        .find(is_3)
        .ok_or_else(|| format!("no Python 3 found (tried {tried}; SIG_PYTHON names another)"))
}

/// Runs `NAME/provision.py` of this package with these arguments; gives what it answered.
pub(crate) fn provision(name: &str, arguments: &[&str]) -> Result<Value, String> {
    let python = python3()?;
    let mut command = Command::new(&python);
    command.arg(scripts(name).join("provision.py"));
    command.arg("--dir").arg(kept_in(name)).args(arguments);
    if is_required(name) {
        command.arg("--retry");
    }
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{python}: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("provision.py: {error}"))
}

/// A path that a `provision.py` answered.
pub(crate) fn path(answer: &Value, field: &str) -> Result<PathBuf, String> {
    let path = answer[field].as_str().map(PathBuf::from);
    path.ok_or_else(|| format!("provision.py: no {field} in {answer}"))
}

/// Says that a test is skipped.
///
/// # Panics
///
/// Where `SIG_REQUIRE_NAME=1` is set.
pub(crate) fn skip(name: &str, why: &str) {
    let variable = format!("SIG_REQUIRE_{}", name.to_uppercase());
    assert!(!is_required(name), "{variable}=1 is set, but there is no {name}: {why}");
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // Not eprintln!: the test harness would keep that to itself, and a skip that nobody sees looks like a pass.
    let _ = std::io::stderr().write_all(format!("skipped {test}: {why}\n").as_bytes());
}

fn is_required(name: &str) -> bool {
    let variable = format!("SIG_REQUIRE_{}", name.to_uppercase());
    std::env::var_os(variable).is_some_and(|value| value == "1")
}

/// The folder of scripts with this name.
pub(crate) fn scripts(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// In the target directory, wherever that is: a test program lies in its `PROFILE/deps`.
fn kept_in(name: &str) -> PathBuf {
    if let Some(dir) = std::env::var_os(format!("SIG_{}_DIR", name.to_uppercase())) {
        return dir.into();
    }
    let program = std::env::current_exe().unwrap_or_default();
    let deps = program.ancestors().find(|dir| dir.ends_with("deps"));
    let target = deps.and_then(Path::parent).and_then(Path::parent);
    target
        .map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
            Path::to_owned,
        )
        .join(name)
}
