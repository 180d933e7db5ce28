//! The arrows between the packages of the workspace, proven from `cargo metadata`.
//!
//! A carrier that needs more than sig-core is one that a third party could not have written, and a package that depends on the command, the
//! examples or the tests cannot be published. Nobody would notice either in a review of one manifest.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[derive(Debug, Clone, PartialEq)]
struct Package {
    name: String,
    /// Its folder, from the root of the workspace, with `/` between the parts.
    folder: String,
    rust_version: Option<String>,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Clone, PartialEq)]
struct Dependency {
    name: String,
    for_tests_only: bool,
}

/// What a package may depend on, among the packages of the workspace.
enum Room {
    /// These, and for its own tests these as well.
    Library {
        may: &'static [&'static str],
        tests_may: &'static [&'static str],
    },
    /// Everything that is not itself at the end of the arrows.
    End,
}

fn room(package: &Package) -> Option<Room> {
    let library = |may, tests_may| Some(Room::Library { may, tests_may });
    match package.folder.as_str() {
        "sig-wire" => library(&[], &[]),
        // What runs on a board knows the bytes of a line, and no more.
        "sensor/rust" => library(&["sig-wire"], &[]),
        "sig-core" => library(&["sig-wire"], &[]),
        "sig-router" => library(&["sig-core", "sig-wire"], &["sig-carrier-local", "sig-conformance"]),
        // It judges carriers, so it knows none of them, and no router either.
        "sig-conformance" => library(&["sig-core", "sig-wire"], &[]),
        "sig-cli" | "examples" | "tests" | "benches" => Some(Room::End),
        // A C library and nothing of ours, for the one carrier that may be built on it.
        "sig-carriers/libzmq" => library(&[], &[]),
        "sig-carriers/zmq" => library(&["sig-core", "sig-libzmq", "sig-wire"], &["sig-conformance"]),
        folder if folder.starts_with("sig-carriers/") => library(&["sig-core", "sig-wire"], &["sig-conformance"]),
        // A stranger's carrier, and this is the proof that it can be one.
        folder if folder.starts_with("examples/") && package.name.contains("carrier") => {
            library(&["sig-core"], &["sig-conformance"])
        }
        folder if folder.starts_with("examples/") => Some(Room::End),
        // What the parties of a measurement share, peers of other makes among them.
        "benches/party" => library(&[], &[]),
        _ => None,
    }
}

/// Every arrow that the rules forbid, as a sentence.
fn violations(packages: &[Package]) -> Vec<String> {
    let members: BTreeSet<_> = packages.iter().map(|package| package.name.as_str()).collect();
    let is_end = |name: &str| {
        packages
            .iter()
            .any(|p| p.name == name && matches!(room(p), Some(Room::End)))
    };
    let mut found = Vec::new();
    for package in packages {
        let Some(room) = room(package) else {
            found.push(format!(
                "{} in {}/ has no rule: add one to tests/tests/boundaries.rs",
                package.name, package.folder
            ));
            continue;
        };
        for dependency in package
            .dependencies
            .iter()
            .filter(|d| members.contains(d.name.as_str()))
        {
            let Dependency { name, for_tests_only } = dependency;
            if is_end(name) && *name != package.name {
                found.push(format!(
                    "{} depends on {name}, which nothing may depend on",
                    package.name
                ));
            } else if let Room::Library { may, tests_may } = room {
                let allowed = may.contains(&name.as_str()) || (*for_tests_only && tests_may.contains(&name.as_str()));
                if !allowed {
                    let tests = if *for_tests_only { " for its tests" } else { "" };
                    found.push(format!(
                        "{} depends on {name}{tests}, but may only on {may:?}",
                        package.name
                    ));
                }
            }
        }
    }
    found
}

fn workspace() -> Vec<Package> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ is in the workspace");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new(cargo)
        .args(arguments)
        .current_dir(root)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let root = metadata["workspace_root"]
        .as_str()
        .expect("a workspace has a root")
        .to_owned();
    let packages = metadata["packages"].as_array().expect("a workspace has packages");
    packages.iter().map(|package| parse(package, &root)).collect()
}

fn parse(package: &Value, root: &str) -> Package {
    let manifest = Path::new(package["manifest_path"].as_str().expect("a package has a manifest"));
    let folder = manifest
        .parent()
        .and_then(|folder| folder.strip_prefix(root).ok())
        .expect("a member lies in the workspace");
    let parts: Vec<_> = folder.iter().map(|part| part.to_string_lossy()).collect();
    let dependencies = package["dependencies"].as_array().expect("dependencies are a list");
    let dependency = |entry: &Value| Dependency {
        name: entry["name"].as_str().expect("a dependency has a name").to_owned(),
        for_tests_only: entry["kind"] == "dev",
    };
    Package {
        name: package["name"].as_str().expect("a package has a name").to_owned(),
        folder: parts.join("/"),
        rust_version: package["rust_version"].as_str().map(str::to_owned),
        dependencies: dependencies.iter().map(dependency).collect(),
    }
}

#[test]
fn every_arrow_points_where_the_design_says() {
    let packages = workspace();
    let names: BTreeSet<_> = packages.iter().map(|package| package.name.as_str()).collect();
    for name in [
        "sig-wire",
        "sig-core",
        "sig-router",
        "sig-carrier-local",
        "sig-carrier-tcp",
        "sig-carrier-ipc",
        "sig-conformance",
        "sig-cli",
    ] {
        assert!(names.contains(name), "{name} is gone from the workspace: {names:?}");
    }
    assert_eq!(violations(&packages), Vec::<String>::new());
}

#[test]
fn every_package_states_the_oldest_rust_it_builds_with() {
    for package in workspace() {
        assert!(package.rust_version.is_some(), "{} has no rust-version", package.name);
    }
}

#[test]
fn a_wrong_arrow_is_found() {
    let package = |folder: &str, name: &str, dependencies: &[(&str, bool)]| Package {
        name: name.to_owned(),
        folder: folder.to_owned(),
        rust_version: None,
        dependencies: dependencies
            .iter()
            .map(|(name, for_tests_only)| Dependency {
                name: (*name).to_owned(),
                for_tests_only: *for_tests_only,
            })
            .collect(),
    };
    let right = [
        package("sig-core", "sig-core", &[("sig-wire", false), ("serde", false)]),
        package("sig-wire", "sig-wire", &[]),
        package(
            "sig-router",
            "sig-router",
            &[("sig-core", false), ("sig-carrier-local", true)],
        ),
        package("sig-conformance", "sig-conformance", &[("sig-core", false)]),
        package(
            "sig-carriers/local",
            "sig-carrier-local",
            &[("sig-core", false), ("sig-conformance", true)],
        ),
        package("examples/stdio-carrier", "stdio-carrier", &[("sig-core", false)]),
        package(
            "examples",
            "sig-examples",
            &[("sig-router", false), ("stdio-carrier", false)],
        ),
        package(
            "sig-cli",
            "sig-cli",
            &[("sig-router", false), ("sig-carrier-local", false)],
        ),
    ];
    assert_eq!(violations(&right), Vec::<String>::new());

    let wrong = [
        package("sig-wire", "sig-wire", &[("sig-core", true)]),
        package("sig-core", "sig-core", &[("sig-router", false)]),
        package("sig-router", "sig-router", &[("sig-carrier-tcp", false)]),
        package("sig-conformance", "sig-conformance", &[("sig-router", true)]),
        package("sig-conformance", "sig-conformance", &[("sig-carrier-local", true)]),
        package("sig-carriers/tcp", "sig-carrier-tcp", &[("sig-router", false)]),
        package("sig-carriers/tcp", "sig-carrier-tcp", &[("sig-conformance", false)]),
        package("sig-carriers/tcp", "sig-carrier-tcp", &[("sig-router", true)]),
        package("examples/stdio-carrier", "stdio-carrier", &[("sig-router", true)]),
        package("examples", "sig-examples", &[("sig-tests", true)]),
        package("elsewhere", "sig-else", &[]),
    ];
    let everybody: Vec<_> = right
        .iter()
        .cloned()
        .chain([package("tests", "sig-tests", &[])])
        .collect();
    for one in wrong {
        let mut packages: Vec<_> = everybody.iter().filter(|p| p.name != one.name).cloned().collect();
        if one.folder != "sig-carriers/tcp" {
            packages.push(package("sig-carriers/tcp", "sig-carrier-tcp", &[]));
        }
        packages.push(one.clone());
        assert_eq!(violations(&packages).len(), 1, "{one:?}: {:?}", violations(&packages));
    }
}
