//! Publishers, each with a connection of its own: one trigger per event.

use std::time::Duration;

use sig_bench_party::{Args, Source, now_ns, published, ready_to_publish};
use sig_router::{ClientRouter, Payload, RemoteSender};
use tokio::task::JoinSet;

use super::name_of;
use crate::error::Failure;

/// A sender has no more events than this.
const MOST_EVENTS: usize = 10_000;
/// How long what was triggered may take to go out.
const GRACE: Duration = Duration::from_secs(60);

/// Publishes from all clients at once, each with a sender of its own; with more where there are many topics.
pub(super) async fn run(args: &Args, clients: Vec<ClientRouter>) -> Result<(), Failure> {
    let mut publishers = Vec::new();
    for (number, client) in (0..).zip(clients) {
        let mut senders = Vec::new();
        for names in names(args).chunks(MOST_EVENTS) {
            // Only a publisher that is alone has many.
            let name = name_of(number + senders.len() as u64);
            senders.push(client.add_remote_sender(&name).events(names).connect().await?);
        }
        publishers.push((client, senders));
    }
    if !ready_to_publish(args) {
        return Ok(());
    }
    let begun_ns = now_ns();
    let mut tasks = JoinSet::new();
    for (number, (client, senders)) in (0..).zip(publishers) {
        let args = args.clone();
        tasks.spawn(async move {
            let sent = publish(&args, number, &senders).await?;
            Ok::<_, Failure>((sent, client, senders))
        });
    }
    let mut sent = 0;
    let mut done = Vec::new();
    while let Some(publisher) = tasks.join_next().await {
        let (count, client, senders) = publisher??;
        sent += count;
        done.push((client, senders));
    }
    published(sent, begun_ns);
    for (client, _senders) in done {
        client.close(GRACE).await;
    }
    Ok(())
}

/// The events of a client: `tick`, a channel where there are many senders, and numbered where there are many events.
fn names(args: &Args) -> Vec<String> {
    match (args.topics, args.publishers) {
        (1, 1) => vec!["tick".to_owned()],
        (1, _) => vec!["#tick".to_owned()],
        (topics, _) => (0..topics).map(|topic| format!("tick{topic}")).collect(),
    }
}

async fn publish(args: &Args, number: u64, senders: &[RemoteSender]) -> Result<u64, Failure> {
    let mut signals = Vec::new();
    for (sender, names) in senders.iter().zip(names(args).chunks(MOST_EVENTS)) {
        for name in names {
            signals.push(sender.signal(name)?);
        }
    }
    let mut signals = signals.iter().cycle();
    let mut source = Source::new(args, number);
    while let (Some(signal), Some(payload)) = (signals.next(), source.next()) {
        signal.trigger(&Payload::from_bytes(payload)).await?;
        while let Some(pause) = source.pause() {
            tokio::time::sleep(pause).await;
        }
    }
    Ok(source.sent())
}
