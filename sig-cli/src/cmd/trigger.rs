//! `sig trigger`

use std::borrow::Cow;

use sig_core::{Payload, RawJson};
use sig_router::{AddSenderError, Confirmation, DEFAULT_TIMEOUT, RemoteSender, TriggerError};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use crate::args::Trigger;
use crate::connect::connect;
use crate::context::Context;
use crate::exit::{Code, Failure};

/// Longest line of standard input: an event has to fit into a frame.
const LONGEST_LINE: u64 = sig_core::DEFAULT_MAX_FRAME as u64;

/// Connects the sender, triggers, and lets it go again.
pub(crate) async fn run(args: &Trigger, context: &mut Context) -> Result<Code, Failure> {
    let single = match args.data.as_deref() {
        Some("-") => None,
        data => Some(payload(data, args.text).map_err(|why| not_json("the data", &why))?),
    };
    let link = connect(&args.target, context).await?;
    let work = async {
        let sender = link
            .client
            .add_remote_sender(args.sender.as_str())
            .event(args.event.as_str())
            .connect()
            .await;
        let sender = sender.map_err(|error| refused(args, &error))?;
        let mut sent = Sent::default();
        let outcome = match single {
            Some(payload) => trigger(&sender, args, &payload, &mut sent).await,
            None => stream(&sender, args, context, BufReader::new(tokio::io::stdin()), &mut sent).await,
        };
        let _ = sender.remove().await;
        outcome.map(|()| sent)
    };
    let sent = context.unless_stopped(work).await;
    link.flush_and_close().await;
    let sent = sent??;
    let count = sent.events;
    let plural = if count == 1 { "" } else { "s" };
    let text = format_args!("sent {count} event{plural} as {}/{}", args.sender, args.event);
    context.out.note("sent", text);
    if args.confirm.is_none() {
        return Ok(Code::Done);
    }
    if context.out.is_json() {
        context.out.object(&sent.listeners)?;
    } else {
        context.out.raw(format!("{}\n", sent.listeners).as_bytes())?;
    }
    Ok(confirmed(&sent.listeners))
}

/// What was triggered, and what became of it.
#[derive(Debug, Default)]
struct Sent {
    events: u64,
    /// Over all events that were to be confirmed.
    listeners: Confirmation,
}

impl Sent {
    fn add(&mut self, confirmation: &Confirmation) {
        self.listeners.accepted += confirmation.accepted;
        self.listeners.delivered += confirmation.delivered;
        self.listeners.lost += confirmation.lost;
        self.listeners.pending += confirmation.pending;
    }
}

/// How the command ends when its events came to this.
fn confirmed(listeners: &Confirmation) -> Code {
    match listeners {
        Confirmation { lost: 1.., .. } => Code::Failed,
        Confirmation { pending: 1.., .. } => Code::TimedOut,
        _ => Code::Done,
    }
}

/// Triggers one event per line until the end of the input.
async fn stream(
    sender: &RemoteSender,
    args: &Trigger,
    context: &Context,
    mut input: impl AsyncBufRead + Unpin,
    sent: &mut Sent,
) -> Result<(), Failure> {
    let (mut number, mut line) = (0_u64, Vec::new());
    loop {
        line.clear();
        let read = (&mut input).take(LONGEST_LINE + 1).read_until(b'\n', &mut line).await;
        if read.map_err(|error| Failure::system("cannot read standard input", &error))? == 0 {
            return Ok(());
        }
        number += 1;
        let place = format!("line {number} of standard input");
        if line.len() as u64 > LONGEST_LINE {
            let text = format!("{place} is longer than {LONGEST_LINE} bytes");
            return Err(Failure::new(Code::Usage, "too_long", text));
        }
        let text = String::from_utf8_lossy(line.trim_ascii_end());
        if matches!(text, Cow::Owned(_)) {
            context.out.note(
                "not_utf8",
                format_args!("{place} is not UTF-8; the odd bytes were replaced"),
            );
        }
        if text.is_empty() && !args.text {
            continue;
        }
        let payload = payload(Some(&text), args.text).map_err(|why| not_json(&place, &why))?;
        trigger(sender, args, &payload, sent).await?;
    }
}

async fn trigger(sender: &RemoteSender, args: &Trigger, payload: &Payload, sent: &mut Sent) -> Result<(), Failure> {
    let failed = |error: &dyn std::error::Error| Failure::new(Code::Failed, "trigger", error);
    let signal = sender.signal(args.event.as_str()).map_err(|error| failed(&error))?;
    let triggered = match args.confirm {
        None => signal.trigger(payload).await,
        Some(confirm) => {
            let confirming = signal.trigger_confirmed(payload, confirm);
            let confirming = confirming.timeout(args.timeout.unwrap_or(DEFAULT_TIMEOUT));
            confirming.await.map(|confirmation| sent.add(&confirmation))
        }
    };
    triggered.map_err(|error| match &error {
        TriggerError::Busy { .. } => Failure::new(Code::Refused, "busy", "a listener takes no more events"),
        TriggerError::Offline { .. } => Failure::new(Code::NoRouter, "link_lost", "the link to the router was lost"),
        _ => failed(&error),
    })?;
    sent.events += 1;
    Ok(())
}

/// The data as JSON: taken as JSON, or written as a JSON string.
fn payload(text: Option<&str>, as_text: bool) -> Result<Payload, sig_core::CodecError> {
    match text {
        None => Ok(Payload::null()),
        Some(text) if as_text => Payload::json(text),
        Some(text) => RawJson::from_text(text).map(|json| Payload::from_json_text(json.text().to_owned())),
    }
}

fn not_json(what: &str, why: &sig_core::CodecError) -> Failure {
    Failure::new(Code::Usage, "not_json", format_args!("{what} is not JSON: {why}"))
        .with_fix("to send it as text, add --text; JSON is quoted for the shell, such as '[1, 2]' or '\"text\"'")
}

/// Why the sender could not be connected.
fn refused(args: &Trigger, error: &AddSenderError) -> Failure {
    let name = &args.sender;
    match error {
        AddSenderError::NameTaken { .. } => Failure::new(
            Code::Refused,
            "name_taken",
            format_args!("a sender {name} is connected already, and only its owner may trigger its events"),
        )
        .with_fix(format!(
            "choose another name, or look at what {name} emits: sig listen {name}"
        )),
        AddSenderError::Name(_) | AddSenderError::Presence { .. } => Failure::new(Code::Usage, "name", error),
        AddSenderError::Closed => Failure::new(Code::NoRouter, "link_lost", error),
        _ => Failure::new(Code::Refused, "refused", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_weighs_more_than_a_wait_and_nobody_is_no_failure() {
        let code = |lost, pending| {
            let mut sent = Sent::default();
            (sent.listeners.lost, sent.listeners.pending) = (lost, pending);
            sent.add(&Confirmation::default());
            confirmed(&sent.listeners)
        };
        assert_eq!(code(0, 0), Code::Done);
        assert_eq!(code(0, 2), Code::TimedOut);
        assert_eq!(code(1, 2), Code::Failed);
    }

    #[test]
    fn data_is_json_unless_it_is_text() {
        let text = |data, as_text| payload(data, as_text).unwrap().json_text().unwrap().into_owned();
        assert_eq!(text(None, false), "null");
        assert_eq!(text(Some("[1, 2]"), false), "[1, 2]");
        assert_eq!(text(Some("say \"hi\""), true), r#""say \"hi\"""#);
        let failure = not_json("the data", &payload(Some("hello"), false).unwrap_err());
        assert_eq!(failure.code, Code::Usage);
        assert!(failure.text.starts_with("the data is not JSON: ") && failure.fix.unwrap().contains("--text"));
    }
}
