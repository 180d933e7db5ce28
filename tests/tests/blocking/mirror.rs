//! Nothing is left out: what the async interface can do, this one can.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The types that are in both.
const TYPES: [&str; 13] = [
    "CarrierHandle",
    "ClientRouter",
    "EventStream",
    "Listener",
    "PendingConfirmation",
    "PendingRequest",
    "RemoteEventStream",
    "RemoteListener",
    "RemoteSender",
    "Router",
    "Sender",
    "ServerRouter",
    "Signal",
];

/// What has another name here: `trigger` waits, as everything does.
const OTHERWISE: [(&str, &str); 1] = [("Signal", "blocking_trigger")];

/// The public methods of each type, from the sources in a folder and below.
fn methods(folder: &Path, methods: &mut BTreeMap<String, BTreeSet<String>>, skip: &str) {
    for entry in fs::read_dir(folder).expect("there are sources") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != skip) {
                self::methods(&path, methods, skip);
            }
            continue;
        }
        let source = fs::read_to_string(&path).expect("it is text");
        let mut of = None;
        for line in source.lines() {
            if let Some(head) = line.strip_prefix("impl").and_then(|rest| rest.strip_suffix(" {")) {
                // `impl Type`, `impl<'a> Type<'a>`, `impl SenderBuilder<&Type>`, but no traits.
                let head = head
                    .split_once("> ")
                    .filter(|_| head.starts_with('<'))
                    .map_or(head, |(_, head)| head)
                    .trim();
                let name = head.split('<').next().unwrap_or(head);
                of = Some(if name == "SenderBuilder" { head } else { name }).filter(|_| !head.contains(" for "));
            } else if line == "}" {
                of = None;
            }
            let function = line.strip_prefix("    pub ").and_then(|rest| {
                let rest = rest.strip_prefix("async ").unwrap_or(rest).strip_prefix("fn ")?;
                rest.split(['(', '<']).next()
            });
            if let (Some(of), Some(function)) = (of, function) {
                methods.entry(of.to_owned()).or_default().insert(function.to_owned());
            }
        }
    }
}

#[test]
fn every_method_of_the_async_interface_is_here() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sig-router/src");
    let (mut there, mut here) = (BTreeMap::new(), BTreeMap::new());
    methods(&sources, &mut there, "blocking");
    methods(&sources.join("blocking"), &mut here, "");
    let none = BTreeSet::new();
    for of in TYPES
        .into_iter()
        .chain(["SenderBuilder<&ClientRouter>", "SenderBuilder<&Router>"])
    {
        let (there, here) = (there.get(of).unwrap_or(&none), here.get(of).unwrap_or(&none));
        assert!(!there.is_empty(), "{of} is no more; change this list");
        for method in there {
            assert!(
                here.contains(method) || OTHERWISE.contains(&(of, method)),
                "sig_router::blocking lacks {of}::{method}: add it to sig-router/src/blocking/, parking where the other awaits"
            );
        }
    }
}
