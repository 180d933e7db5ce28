//! `sig ls`

use serde::Serialize;
use sig_router::RemoteSenderInfo;

use crate::args::Ls;
use crate::connect::connect;
use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::output::Output;

/// A sender as it is shown.
#[derive(Debug, Serialize)]
struct Row {
    sender: String,
    connected: bool,
    events: Vec<String>,
}

/// Lists the senders, by name.
pub(crate) async fn run(args: &Ls, context: &mut Context) -> Result<Code, Failure> {
    let link = connect(&args.target, context).await?;
    let senders = context.unless_stopped(link.client.list_remote_senders()).await;
    let url = link.url.clone();
    link.close().await;
    let mut rows: Vec<Row> = senders?
        .map_err(|error| crate::connect::lost(&url, &error))?
        .iter()
        .filter_map(row)
        .collect();
    rows.sort_by(|a, b| a.sender.cmp(&b.sender));
    if rows.is_empty() {
        context.out.note("empty", format_args!("no senders at {url}"));
    }
    show(&rows, args.events, &mut context.out)?;
    Ok(Code::Done)
}

/// Listeners to everything and to channels are listed without a sender's name: they are nobody to show here.
fn row(info: &RemoteSenderInfo) -> Option<Row> {
    let mut events: Vec<String> = info
        .events
        .iter()
        .flatten()
        .filter(|event| !event.is_presence())
        .map(ToString::to_string)
        .collect();
    events.sort();
    Some(Row {
        sender: info.name.as_ref()?.to_string(),
        connected: info.connected,
        events,
    })
}

fn show(rows: &[Row], events: bool, out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        return rows.iter().try_for_each(|row| out.object(row));
    }
    let text = if events { with_events(rows) } else { table(rows) };
    out.raw(text.as_bytes())
}

/// One line for each sender.
fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.sender.chars().count()).max().unwrap_or(0);
    let line = |row: &Row| match (row.connected, row.events.len()) {
        (false, _) => format!("{:width$}  not connected, but listened to\n", row.sender),
        (true, 1) => format!("{:width$}  1 event\n", row.sender),
        (true, count) => format!("{:width$}  {count} events\n", row.sender),
    };
    rows.iter().map(line).collect()
}

/// One line for each event, in the form that `sig listen` takes.
fn with_events(rows: &[Row]) -> String {
    let lines = |row: &Row| -> String {
        let end = if row.connected {
            "\n"
        } else {
            "  not connected, but listened to\n"
        };
        match row.events.as_slice() {
            [] => format!("{}{end}", row.sender),
            events => events
                .iter()
                .map(|event| format!("{}/{event}{end}", row.sender))
                .collect(),
        }
    };
    rows.iter().map(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        let row = |sender: &str, connected, events: &[&str]| Row {
            sender: sender.to_owned(),
            connected,
            events: events.iter().map(ToString::to_string).collect(),
        };
        vec![
            row("adder", true, &[]),
            row("host", true, &["cpu", "disks"]),
            row("timer", false, &["tic"]),
        ]
    }

    #[test]
    fn senders_stand_one_to_a_line() {
        let text = "adder  0 events\nhost   2 events\ntimer  not connected, but listened to\n";
        assert_eq!(table(&rows()), text);
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn events_stand_one_to_a_line_as_topics() {
        let text = "adder\nhost/cpu\nhost/disks\ntimer/tic  not connected, but listened to\n";
        assert_eq!(with_events(&rows()), text);
    }
}
