//! Twenty seconds of the soak; more of it with `cargo run --release -p sig-tests --bin soak -- --minutes 10`.

use std::process::Command;

#[test]
fn promises_1_and_6_nothing_is_lost_unreported_and_nothing_grows_whoever_comes_and_goes() {
    let output = Command::new(env!("CARGO_BIN_EXE_soak"))
        .args(["--seconds", "20"])
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    eprintln!("{said}{complained}");
    assert!(output.status.success(), "{said}{complained}");
    // It did what it is for.
    let line = said.lines().rfind(|line| line.contains(" emitted, "));
    let line = line.expect("a line of figures");
    for idle in [" 0 emitted", " 0 received", " 0 skipped", " 0 lost", " 0 cuts"] {
        assert!(!line.contains(idle), "{line}");
    }
    for shown in ["nothing was lost unreported, and nothing reordered", "nothing grows: "] {
        assert!(said.contains(shown), "{shown}?");
    }
}
