//! `sig top`

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::time::Duration;

use serde::Serialize;
use sig_core::CarrierUrl;
use sig_router::inspect::{CarrierReport, ClientReport, Order, Page, Query, RouterReport, SenderReport};

use crate::args::Top;
use crate::connect::{Link, connect};
use crate::context::Context;
use crate::exit::{Code, Failure};
use crate::inspect::ask;
use crate::output::{Output, one_line};

/// Rates are not worked out more often.
const SHORTEST: Duration = Duration::from_secs(1);

/// Clears a terminal and goes to its beginning.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// One table.
#[derive(Debug, Serialize)]
struct Table {
    router: RouterReport,
    carriers: Vec<CarrierReport>,
    clients: Vec<ClientReport>,
    senders: Vec<SenderReport>,
}

/// Shows tables until it is told to end, or one.
pub(crate) async fn run(args: &Top, context: &mut Context) -> Result<Code, Failure> {
    let link = connect(&args.at.target(), context).await?;
    let result = watch(args, &link, context).await;
    link.close().await;
    result
}

async fn watch(args: &Top, link: &Link, context: &mut Context) -> Result<Code, Failure> {
    let period = args.period.max(SHORTEST);
    let refreshes = !args.once && !context.out.is_json() && std::io::stdout().is_terminal();
    let mut first = true;
    loop {
        let read = context.unless_stopped(read(link, usize::from(args.rows))).await;
        let Ok(table) = read else { return stopped(args, context) };
        // What one reading says has no rates yet.
        if !(first && args.once) {
            show(&table?, &link.url, refreshes, &mut context.out)?;
            context.out.flush()?;
            if args.once {
                return Ok(Code::Done);
            }
        }
        first = false;
        if context.unless_stopped(tokio::time::sleep(period)).await.is_err() {
            return stopped(args, context);
        }
    }
}

/// Being stopped is the usual end, but for a table that was still to come.
fn stopped(args: &Top, context: &Context) -> Result<Code, Failure> {
    if args.once {
        return Err(context.stop.failure());
    }
    Ok(Code::Done)
}

async fn read(link: &Link, rows: usize) -> Result<Table, Failure> {
    let query = Query::new().by(Order::Rate).limit(rows);
    let clients: Page<ClientReport> = ask(link, "clients", &query).await?;
    let senders: Page<SenderReport> = ask(link, "senders", &query).await?;
    let carriers: Page<CarrierReport> = ask(link, "carriers", &Query::new()).await?;
    Ok(Table {
        router: ask(link, "info", &Query::new()).await?,
        carriers: carriers.rows,
        clients: clients.rows,
        senders: senders.rows,
    })
}

fn show(table: &Table, url: &CarrierUrl, refreshes: bool, out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        return out.object(table);
    }
    if refreshes {
        out.raw(CLEAR.as_bytes())?;
    }
    out.raw(text(table, &url.to_string()).as_bytes())
}

/// The table for people.
fn text(table: &Table, url: &str) -> String {
    let Table {
        router,
        carriers,
        clients,
        senders,
    } = table;
    let mut text = format!(
        "router at {url}, sig {}, up {}\n",
        router.version,
        age(router.uptime_ms)
    );
    let _ = writeln!(
        text,
        "{}, {}, {}; {} waiting, {} lost, {} skipped",
        count(router.clients, "client"),
        count(router.senders, "sender"),
        count(router.listeners, "listener"),
        router.waiting,
        router.lost,
        router.skipped
    );
    for carrier in carriers.iter().filter(|carrier| carrier.state != "running") {
        let error = carrier.error.as_deref().unwrap_or("no reason given");
        let _ = writeln!(
            text,
            "carrier {} is {}: {}",
            carrier.name,
            carrier.state,
            one_line(error)
        );
    }
    let rows = clients.iter().map(|client| {
        vec![
            format!("#{}", client.id),
            one_line(&client.address).into_owned(),
            client.dialect.clone(),
            age(client.age_ms),
            client.senders.to_string(),
            client.listeners.to_string(),
            rate(client.rate_in),
            rate(client.rate_out),
            client.waiting.to_string(),
            client.lost.to_string(),
            client.skipped.to_string(),
            if client.lagging { "lagging" } else { "" }.to_owned(),
        ]
    });
    let head = "CLIENT ADDRESS SPEAKS UP SENDERS LISTENERS IN/S OUT/S WAITING LOST SKIPPED STATE";
    columns(&mut text, head, rows.collect(), router.clients);
    let rows = senders.iter().map(|sender| {
        let state = match (sender.connected, sender.held_up) {
            (false, _) => "not there",
            (true, true) => "held up",
            (true, false) => "",
        };
        vec![
            sender.name.clone(),
            sender
                .client
                .map_or_else(|| "-".to_owned(), |client| format!("#{client}")),
            (sender.events.len() + sender.more_events).to_string(),
            rate(sender.rate),
            sender.listeners.to_string(),
            state.to_owned(),
        ]
    });
    columns(
        &mut text,
        "SENDER CLIENT EVENTS OUT/S LISTENERS STATE",
        rows.collect(),
        router.senders,
    );
    text
}

/// Rows under their heads, each column as wide as its widest entry; nothing at all without rows.
fn columns(text: &mut String, head: &str, rows: Vec<Vec<String>>, total: usize) {
    if rows.is_empty() {
        return;
    }
    let more = total.saturating_sub(rows.len());
    let mut lines = vec![head.split(' ').map(str::to_owned).collect::<Vec<_>>()];
    lines.extend(rows);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..lines[0].len()).map(width).collect();
    text.push('\n');
    for line in &lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    if more > 0 {
        let _ = writeln!(text, "and {more} more");
    }
}

fn count(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn rate(rate: Option<f64>) -> String {
    rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.1}"))
}

/// A time in its largest unit.
fn age(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_is_aligned_and_says_what_is_left_out() {
        let table = Table {
            router: serde_json::from_value(json!({
                "version": "1.2.3", "uptime_ms": 7_500_000, "clients": 2, "senders": 40, "listeners": 1, "lost": 5,
            }))
            .unwrap(),
            carriers: serde_json::from_value(json!([
                { "name": "tcp", "state": "running" },
                { "name": "ipc", "state": "restarting", "error": "disk\nfull" },
            ]))
            .unwrap(),
            clients: serde_json::from_value(json!([
                { "id": 12, "address": "tcp://10.0.0.7:40112", "dialect": "sig/1", "age_ms": 59_999, "rate_in": 1000.0,
                  "rate_out": 0.05, "waiting": 17, "lagging": true, "lost": 5 },
                { "id": 3, "address": "ipc:7", "dialect": "pysig", "age_ms": 90_000_000 },
            ]))
            .unwrap(),
            senders: serde_json::from_value(json!([
                { "name": "timer", "connected": true, "client": 12, "events": [{}, {}], "more_events": 1, "rate": 12.34 },
                { "name": "later", "listeners": 2 },
            ]))
            .unwrap(),
        };
        let expected = "\
router at tcp://127.0.0.1:3000, sig 1.2.3, up 2h
2 clients, 40 senders, 1 listener; 0 waiting, 5 lost, 0 skipped
carrier ipc is restarting: disk full

CLIENT  ADDRESS               SPEAKS  UP   SENDERS  LISTENERS  IN/S    OUT/S  WAITING  LOST  SKIPPED  STATE
#12     tcp://10.0.0.7:40112  sig/1   59s  0        0          1000.0  0.1    17       5     0        lagging
#3      ipc:7                 pysig   1d   0        0          -       -      0        0     0

SENDER  CLIENT  EVENTS  OUT/S  LISTENERS  STATE
timer   #12     3       12.3   0
later   -       0       -      2          not there
and 38 more
";
        assert_eq!(text(&table, "tcp://127.0.0.1:3000"), expected);
    }
}
