//! What the command writes: lines for people or JSON objects for programs, data on standard output, notes and errors
//! on standard error.

use std::fmt;
use std::io::{self, BufWriter, Stdout, Write as _};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use sig_core::{EventName, SenderName};
use sig_router::Event;

use crate::exit::{Code, Failure};

mod data;

pub(crate) use data::{one_line, payload_text};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const FIX: Style = AnsiColor::Green.on_default();
const NOTE: Style = AnsiColor::Yellow.on_default();
const SENDER: Style = AnsiColor::Cyan.on_default();
const EVENT: Style = Style::new().bold();
const CHANNEL: Style = AnsiColor::Yellow.on_default().bold();
const PRESENCE: Style = AnsiColor::Green.on_default();

/// Where the command writes. Standard output is buffered: [`flush`](Self::flush) before waiting for anything.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    colour: bool,
    /// Most characters of an event's data shown to people.
    width: usize,
    out: BufWriter<Stdout>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[derive(Serialize)]
struct EventLine<'a> {
    sender: &'a SenderName,
    event: &'a EventName,
    number: u64,
    #[serde(skip_serializing_if = "is_zero")]
    skipped: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    retained_ms: Option<u128>,
    data: &'a serde_json::value::RawValue,
}

impl Output {
    /// Output for people, or JSON lines.
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            colour: !json && colour(&io::stdout()),
            width: usize::MAX,
            out: BufWriter::with_capacity(32 * 1024, io::stdout()),
        }
    }

    /// Cuts an event's data after this many characters where people read it.
    pub(crate) fn set_width(&mut self, width: usize) {
        self.width = width;
    }

    /// Whether programs read what is written.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Writes one line: the text, or `{"name": value}` as JSON.
    pub(crate) fn show(&mut self, text: impl fmt::Display, name: &str, value: &impl Serialize) -> Result<(), Failure> {
        if self.json {
            self.object(&serde_json::json!({ name: value }))
        } else {
            writeln!(self.out, "{text}").map_err(|error| Failure::output(&error))
        }
    }

    /// Writes a JSON object, on a line of its own.
    pub(crate) fn object(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.out, value)
            .map_err(io::Error::from)
            .and_then(|()| self.out.write_all(b"\n"))
            .map_err(|error| Failure::output(&error))
    }

    /// Writes text as it is.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes).map_err(|error| Failure::output(&error))
    }

    /// Writes one event.
    pub(crate) fn event(&mut self, event: &Event<'_>) -> Result<(), Failure> {
        let payload = event
            .payload()
            .map_err(|error| Failure::new(Code::Failed, "codec", error))?;
        let (sender, name, number) = (event.sender(), event.name(), event.number());
        let retained_ms = event.retained().map(|age| age.as_millis());
        let text = payload_text(&payload);
        if self.json {
            let data = serde_json::from_str(&text).map_err(|error| Failure::output(&error.into()))?;
            return self.object(&EventLine {
                sender,
                event: name,
                number,
                skipped: event.skipped(),
                retained_ms,
                data,
            });
        }
        let line = event_line(self.colour, self.width, sender, name, &text);
        writeln!(self.out, "{line}").map_err(|error| Failure::output(&error))
    }

    /// Hands what was written to the system.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|error| Failure::output(&error))
    }

    /// Tells something that is not the result, on standard error.
    pub(crate) fn note(&self, word: &str, text: impl fmt::Display) {
        let text = text.to_string();
        let text = one_line(&text);
        if self.json {
            stderr_line(&serde_json::json!({ "note": { "code": word, "text": text } }).to_string());
        } else {
            stderr_line(&format!("{} {text}", paint(colour(&io::stderr()), NOTE, "note:")));
        }
    }
}

/// Tells why the command failed, on standard error.
pub(crate) fn report(json: bool, failure: &Failure) {
    if failure.is_quiet() {
        return;
    }
    if json {
        let mut error = serde_json::json!({ "code": failure.word, "text": failure.text });
        if let Some(fix) = &failure.fix {
            error["fix"] = fix.as_str().into();
        }
        return stderr_line(&serde_json::json!({ "error": error }).to_string());
    }
    let colour = colour(&io::stderr());
    stderr_line(&format!("{} {}", paint(colour, ERROR, "error:"), failure.text));
    if let Some(fix) = &failure.fix {
        stderr_line(&format!(
            "  {} {}",
            paint(colour, FIX, "fix:"),
            fix.replace('\n', "\n       ")
        ));
    }
}

fn event_line(colour: bool, width: usize, sender: &SenderName, event: &EventName, data: &str) -> String {
    let style = match event {
        event if event.is_presence() => PRESENCE,
        event if event.is_channel() => CHANNEL,
        _ => EVENT,
    };
    let (sender, event) = (
        paint(colour, SENDER, sender.as_str()),
        paint(colour, style, event.as_str()),
    );
    match data.char_indices().nth(width) {
        Some((end, _)) => format!("{sender}/{event} {}..", &data[..end]),
        None => format!("{sender}/{event} {data}"),
    }
}

fn paint(colour: bool, style: Style, text: &str) -> String {
    if colour {
        format!("{style}{text}{style:#}")
    } else {
        text.to_owned()
    }
}

/// Whether a stream takes colour: a terminal, and neither `NO_COLOR` nor its like is set.
fn colour(stream: &impl anstream::stream::RawStream) -> bool {
    AutoStream::choice(stream) != ColorChoice::Never
}

/// Standard error may be closed as well; there is nobody left to tell then.
fn stderr_line(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(colour: bool, width: usize, event: &str) -> String {
        let (sender, event) = (SenderName::new("timer").unwrap(), EventName::new(event).unwrap());
        event_line(colour, width, &sender, &event, "[1,2,3]")
    }

    #[test]
    fn events_are_lines() {
        assert_eq!(line(false, usize::MAX, "tic"), "timer/tic [1,2,3]");
        assert_eq!(line(false, 7, "tic"), "timer/tic [1,2,3]");
        assert_eq!(line(false, 4, "tic"), "timer/tic [1,2..");
    }

    #[test]
    fn colour_tells_channels_and_presence_apart() {
        let styled = |event: &str| line(true, usize::MAX, event).replace(event, "");
        let lines = ["tic", "#alarm", "#connect"].map(styled);
        assert!(lines.iter().all(|line| line.contains('\u{1b}')), "{lines:?}");
        assert!(lines[0] != lines[1] && lines[1] != lines[2], "{lines:?}");
    }
}
