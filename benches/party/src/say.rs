//! What a party says to who started it: lines on standard output, and the end of standard input to end it.

use std::io::{BufRead, Read, Write, stdin, stdout};

use serde::Serialize;

/// Ends this process when whoever started it is gone: standard input has ended. To be called once, at the start of a
/// party that was told to with `--held`; without, a party started by hand in the background would end at once.
pub fn quit_with_parent() {
    std::thread::spawn(|| {
        let mut rest = [0; 64];
        while matches!(stdin().lock().read(&mut rest), Ok(read) if read > 0) {}
        std::process::exit(0);
    });
}

/// Waits for the line that lets a publisher begin; false when whoever started it is gone.
#[must_use]
pub fn begin() -> bool {
    let mut line = String::new();
    matches!(stdin().lock().read_line(&mut line), Ok(read) if read > 0)
}

/// Says that the party is ready: a listener has its subscription, a publisher its connection.
pub fn ready() {
    line("ready");
}

/// Says a row of figures.
pub fn row(figures: &impl Serialize) {
    match serde_json::to_string(figures) {
        Ok(text) => line(&text),
        Err(error) => eprintln!("cannot write the figures as JSON: {error}"),
    }
}

fn line(text: &str) {
    let mut out = stdout().lock();
    // Nobody listens any more: then there is nobody to tell either.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
