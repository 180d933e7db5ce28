//! What the README says is so.

mod built;

use std::fs;
use std::path::{Path, PathBuf};

use built::root;

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first code block of this language.
fn block<'a>(text: &'a str, language: &str) -> &'a str {
    let fence = format!("```{language}\n");
    let (_, rest) = text.split_once(&fence).expect("there is such a block");
    rest.split_once("```").expect("it ends").0
}

#[test]
fn the_quick_start_is_the_example() {
    let example = read("examples/quickstart.rs");
    let source: Vec<_> = example
        .lines()
        .skip_while(|line| line.starts_with("//!") || line.is_empty())
        .collect();
    let readme = read("README.md");
    assert_eq!(block(&readme, "rust").lines().collect::<Vec<_>>(), source);
}

#[test]
fn every_example_is_listed() {
    let (readme, manifest) = (read("README.md"), read("examples/Cargo.toml"));
    let examples: Vec<_> = manifest
        .lines()
        .filter_map(|line| line.strip_prefix("path = \"")?.strip_suffix(".rs\""))
        .collect();
    assert!(examples.len() > 10, "{examples:?}");
    for example in examples {
        assert!(
            example == "quickstart" || readme.contains(&format!("`{example}`")),
            "{example} is not in the README"
        );
    }
}

/// The pages for readers.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![
        PathBuf::from("README.md"),
        "CONTRIBUTING.md".into(),
        "CHANGELOG.md".into(),
    ];
    for folder in [
        "docs",
        "sig-wire",
        "sig-core",
        "sig-router",
        "sig-carriers/local",
        "sig-carriers/tcp",
        "sig-carriers/ipc",
        "examples/stdio-carrier",
        "tests/pysig",
    ] {
        let entries = fs::read_dir(root().join(folder)).expect("the folder is there");
        let names = entries.map(|entry| entry.expect("it can be read").path());
        pages.extend(names.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    pages
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut checked = 0;
    for page in pages() {
        let text = read(&page);
        let folder = root().join(&page).parent().expect("a page lies in a folder").to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')) {
            let (path, fragment) = link
                .0
                .split_once('#')
                .map_or((link.0, None), |(path, fragment)| (path, Some(fragment)));
            if path.contains("://") || path.starts_with("crate::") || path.contains("::") {
                continue;
            }
            let target = if path.is_empty() {
                root().join(&page)
            } else {
                folder.join(path)
            };
            assert!(target.exists(), "{}: the link to {path} leads nowhere", page.display());
            if let Some(fragment) = fragment {
                let found = read(&target)
                    .lines()
                    .any(|line| line.starts_with('#') && anchor(line) == fragment);
                assert!(
                    found,
                    "{}: no heading #{fragment} in {}",
                    page.display(),
                    target.display()
                );
            }
            checked += 1;
        }
    }
    assert!(checked > 20, "only {checked} links");
}

/// The lines about the command, typed into a shell. Only the port is left out, which may be taken.
#[cfg(unix)]
#[tokio::test]
async fn the_lines_about_the_command_work() {
    use std::os::unix::fs::PermissionsExt as _;

    use sig_tests::process::Process;

    let readme = read("README.md");
    let (_, section) = readme
        .split_once("## The `sig` command")
        .expect("there is such a section");
    let lines: Vec<_> = block(section, "sh")
        .lines()
        .map(|line| line.split("  #").next().unwrap_or_default().trim())
        .collect();
    let [serve, listen, trigger, request, ls, top, doctor, ports] = lines[..] else {
        panic!("not eight lines: {lines:?}");
    };
    let folder = built::programs()["sig"]
        .parent()
        .expect("a program lies in a folder")
        .display()
        .to_string();
    let path = format!("PATH={folder}:{}", std::env::var("PATH").unwrap_or_default());
    let runtime = tempfile::tempdir().expect("a folder");
    fs::set_permissions(runtime.path(), fs::Permissions::from_mode(0o700)).expect("it is ours");
    let runtime = format!("XDG_RUNTIME_DIR={}", runtime.path().display());
    let shell = |line: &str| {
        Process::start(
            "env",
            &["-u", "SIG_URL", &path, &runtime, "sh", "-c", &format!("exec {line}")],
        )
    };

    let mut server = shell(&format!("{serve} ipc://"));
    server
        .says("that it is ready", |line| line.starts_with("Ready").then_some(()))
        .await;
    let mut listener = shell(listen);
    listener
        .says("the event", |line| line.starts_with("host/cpu {").then_some(()))
        .await;
    let mut heard = shell("sig listen thermometer/celsius");
    let mut asked = shell(request);
    asked
        .says("the response", |line| line.contains("\"memory\":").then_some(()))
        .await;
    shell(ls)
        .says("the events", |line| (line == "host/cpu").then_some(()))
        .await;
    // Ended by the test: it goes on for as long as it may.
    shell(top)
        .says("the sender", |line| line.contains("host").then_some(()))
        .await;
    shell(doctor)
        .says("the channel that nobody has", |line| {
            line.contains("#alarm").then_some(())
        })
        .await;
    let status = tokio::process::Command::new("env")
        .args(["-u", "SIG_URL", &path, "sh", "-c", ports])
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .status();
    // Which ports there are is the machine's affair.
    assert!(status.await.expect("there is a shell").success());
    // The listener may begin a moment after the event: again, until it is heard.
    let event = heard.says("the event", |line| (line == "thermometer/celsius 21.5").then_some(()));
    tokio::pin!(event);
    loop {
        let once = tokio::process::Command::new("env")
            .args(["-u", "SIG_URL", &path, &runtime, "sh", "-c", trigger])
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true)
            .status();
        tokio::select! {
            () = &mut event => break,
            status = once => assert!(status.expect("there is a shell").success()),
        }
    }
}
