//! `run tcp|ipc [COUNT [SIZE]]`: broker, subscriber and publisher in one go, ours alone. For whoever changes the hot path
//! and wants a figure.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use sig_bench_party::{Args, row};

use crate::error::Failure;
use crate::process::{Child, cpu_seconds};

const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(120);

#[derive(Serialize)]
struct Row {
    system: String,
    size: usize,
    publishers: u64,
    subscribers: u64,
    events: u64,
    lost: u64,
    corrupt: u64,
    per_second: f64,
    deliveries_per_second: f64,
    broker_us_per_delivery: f64,
    p50_us: Value,
    p99_us: Value,
}

/// Runs it, with `args.subscribers` subscribers in a process each.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let place = tempfile::tempdir()?;
    let url = match args.url.as_str() {
        "tcp" => "tcp://127.0.0.1:0".to_owned(),
        "ipc" => format!("ipc://{}", place.path().join("sig.sock").display()),
        other => return Err(Failure::new(format!("`run tcp` or `run ipc`, not `{other}`"))),
    };
    let (broker, url) = serve(&url)?;
    let ours = std::env::current_exe()?;
    let options = options(args);
    let start = |role: &str| {
        let mut words = vec![role.to_owned(), url.clone()];
        words.extend(options.iter().cloned());
        Child::start(role, &ours, words)
    };
    let mut listening = Vec::new();
    for _ in 0..args.subscribers {
        let mut subscriber = start("sub")?;
        subscriber.ready(PATIENCE)?;
        listening.push(subscriber);
    }
    let mut publisher = start("pub")?;
    publisher.ready(PATIENCE)?;
    let before = cpu_seconds(broker.pid());
    publisher.go()?;
    let sent = publisher.row(LONGEST)?;
    let mut heard = Vec::new();
    for subscriber in &mut listening {
        heard.push(subscriber.row(LONGEST)?);
    }
    let used = cpu_seconds(broker.pid())
        .zip(before)
        .map_or(f64::NAN, |(after, before)| after - before);
    let number = |of: &Value, name: &str| of[name].as_u64().unwrap_or(0);
    let sum = |name: &str| heard.iter().map(|row| number(row, name)).sum::<u64>();
    let until = heard.iter().map(|row| number(row, "last_ns")).max().unwrap_or(0);
    let seconds = until.saturating_sub(number(&sent, "begun_ns")) as f64 / 1e9;
    let (events, received) = (number(&sent, "sent"), sum("received"));
    row(&Row {
        system: format!("sig {}", args.url),
        size: args.size,
        publishers: args.publishers,
        subscribers: args.subscribers,
        events,
        lost: (events * args.subscribers).saturating_sub(received),
        corrupt: sum("corrupt") + sum("disordered"),
        per_second: (received as f64 / args.subscribers as f64 / seconds).round(),
        deliveries_per_second: (received as f64 / seconds).round(),
        broker_us_per_delivery: used * 1e6 / received as f64,
        p50_us: heard[0]["p50_us"].clone(),
        p99_us: heard[0]["p99_us"].clone(),
    });
    Ok(())
}

/// What the parties are told.
fn options(args: &Args) -> Vec<String> {
    let mut options = vec![
        args.count.to_string(),
        args.size.to_string(),
        "--held".to_owned(),
        "--publishers".to_owned(),
        args.publishers.to_string(),
        "--topics".to_owned(),
        args.topics.to_string(),
    ];
    if let Some(rate) = args.rate {
        options.extend(["--rate".to_owned(), rate.to_string()]);
    }
    if let Some(seconds) = args.seconds {
        options.extend(["--seconds".to_owned(), seconds.to_string()]);
    }
    options
}

/// Starts `sig serve` with its defaults at this address; tells where it listens.
fn serve(url: &str) -> Result<(Child, String), Failure> {
    let sig = std::env::current_exe()?.with_file_name("sig");
    if !sig.exists() {
        let text = format!(
            "{} is not there; `cargo build --release -p sig-cli` makes it",
            sig.display()
        );
        return Err(Failure::new(text));
    }
    let words = ["serve".into(), url.to_owned(), "--json".into()];
    let mut broker = Child::hold("sig serve", sig, words)?;
    let mut found = None;
    broker.wait_for(PATIENCE, |line| {
        let said: Value = serde_json::from_str(line).ok()?;
        if let Some(url) = said["listening"]["url"].as_str() {
            found = Some(url.to_owned());
        }
        said["ready"].as_bool().filter(|ready| *ready)
    })?;
    let url = found.ok_or_else(|| Failure::new("sig serve does not say where it listens"))?;
    Ok((broker, url))
}
