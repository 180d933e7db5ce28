//! What a party says to who started it: lines on standard output, and the end of standard input to end it.

use std::io::{BufRead, Read, Write, stdin, stdout};

use serde::Serialize;

use crate::{Args, now_ns};

/// Ends this process when whoever started it is gone: standard input has ended.
pub(crate) fn quit_with_parent() {
    std::thread::spawn(|| {
        let mut rest = [0; 64];
        while matches!(stdin().lock().read(&mut rest), Ok(read) if read > 0) {}
        std::process::exit(0);
    });
}

/// Says that the party is ready: a listener has its subscription, a broker its port.
pub fn ready() {
    line("ready");
}

/// Says that a publisher is connected, and waits for the line that lets it begin, if somebody holds it. False when
/// that one is gone.
#[must_use]
pub fn ready_to_publish(args: &Args) -> bool {
    ready();
    if !args.held {
        return true;
    }
    let mut told = String::new();
    if !matches!(stdin().lock().read_line(&mut told), Ok(read) if read > 0) {
        return false;
    }
    quit_with_parent();
    true
}

/// Says a row of figures.
pub fn row(figures: &impl Serialize) {
    match serde_json::to_string(figures) {
        Ok(text) => line(&text),
        Err(error) => eprintln!("cannot write the figures as JSON: {error}"),
    }
}

/// Says what a publisher did: so many events since it began.
pub fn published(sent: u64, begun_ns: u64) {
    #[derive(Serialize)]
    struct Row {
        role: &'static str,
        sent: u64,
        begun_ns: u64,
        ended_ns: u64,
        per_second: f64,
    }
    let ended_ns = now_ns();
    let seconds = ended_ns.saturating_sub(begun_ns) as f64 / 1e9;
    row(&Row {
        role: "pub",
        sent,
        begun_ns,
        ended_ns,
        per_second: (sent as f64 / seconds).round(),
    });
}

fn line(text: &str) {
    let mut out = stdout().lock();
    // Nobody listens any more: then there is nobody to tell either.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}
