//! Replays the inputs that once failed under the fuzzer, and its seeds.

use std::path::Path;
use std::{fs, io};

#[path = "../../fuzz/checks/mod.rs"]
mod checks;

fn replay(target: &str, check: fn(&[u8])) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/regressions")
        .join(target);
    let mut replayed = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        println!("{}", path.display());
        check(&fs::read(&path)?);
        replayed += 1;
    }
    assert!(replayed > 0, "no inputs for {target}");
    Ok(())
}

#[test]
fn frame() -> io::Result<()> {
    replay("frame", checks::frame)
}

#[test]
fn documents() -> io::Result<()> {
    replay("documents", checks::documents)
}

#[test]
fn message() -> io::Result<()> {
    replay("message", checks::message)
}
