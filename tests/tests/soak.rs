//! Twenty seconds of the soak; more of it with `cargo run --release -p sig-tests --bin soak -- --minutes 10`.

use std::process::Command;

/// Runs it with these arguments. What it is for has happened, by its last line of figures: none of these is left out.
fn soaks(args: &[&str], figures: &str, never_none: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_soak"))
        .args(["--seconds", "20"])
        .args(args)
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    eprintln!("{said}{complained}");
    assert!(output.status.success(), "{said}{complained}");
    let line = said.lines().rfind(|line| line.contains(figures));
    let line = line.expect("a line of figures");
    for idle in never_none {
        assert!(!line.contains(&format!(" 0 {idle}")), "{line}");
    }
    for shown in ["nothing was lost unreported, and nothing reordered", "nothing grows: "] {
        assert!(said.contains(shown), "{shown}?");
    }
}

#[test]
fn promises_1_and_6_nothing_is_lost_unreported_and_nothing_grows_whoever_comes_and_goes() {
    soaks(&[], " emitted, ", &["emitted", "received", "skipped", "lost", "cuts"]);
}

#[test]
fn through_forwarders_order_stays_and_only_who_is_too_slow_misses_anything() {
    let figures = ["published", "received", "skipped", "pushed", "pulled", "came"];
    soaks(&["--over", "forwarder"], " pushed, ", &figures);
}
