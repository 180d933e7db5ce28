//! Publishers, each with a connection of its own: one trigger per event.

use std::time::Duration;

use sig_bench_party::{Args, Source, now_ns, published, ready_to_publish};
use sig_router::{ClientRouter, Payload, RemoteSender};
use tokio::task::JoinSet;

use super::name_of;
use crate::error::Failure;

/// How long what was triggered may take to go out.
const GRACE: Duration = Duration::from_secs(60);

/// Publishes from all clients at once, each with a sender of its own.
pub(super) async fn run(args: &Args, clients: Vec<ClientRouter>) -> Result<(), Failure> {
    let mut publishers = Vec::new();
    for (number, client) in (0..).zip(clients) {
        let sender = client
            .add_remote_sender(name_of(number))
            .events(names(args.topics, args.publishers))
            .connect()
            .await?;
        publishers.push((client, sender));
    }
    if !ready_to_publish(args) {
        return Ok(());
    }
    let begun_ns = now_ns();
    let mut tasks = JoinSet::new();
    for (number, (client, sender)) in (0..).zip(publishers) {
        let args = args.clone();
        tasks.spawn(async move { publish(&args, number, client, sender).await });
    }
    let mut sent = 0;
    let mut clients = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let (count, client, sender) = done??;
        sent += count;
        clients.push((client, sender));
    }
    published(sent, begun_ns);
    for (client, _sender) in clients {
        client.close(GRACE).await;
    }
    Ok(())
}

/// The events of a sender: `tick`, a channel where there are many senders, and numbered where there are many events.
fn names(topics: u64, publishers: u64) -> Vec<String> {
    match (topics, publishers) {
        (1, 1) => vec!["tick".to_owned()],
        (1, _) => vec!["#tick".to_owned()],
        _ => (0..topics).map(|topic| format!("tick{topic}")).collect(),
    }
}

async fn publish(
    args: &Args,
    number: u64,
    client: ClientRouter,
    sender: RemoteSender,
) -> Result<(u64, ClientRouter, RemoteSender), Failure> {
    let names = names(args.topics, args.publishers);
    let signals: Result<Vec<_>, _> = names.iter().map(|name| sender.signal(name)).collect();
    let signals = signals?;
    let mut signals = signals.iter().cycle();
    let mut source = Source::new(args, number);
    while let Some(payload) = source.next() {
        let Some(signal) = signals.next() else { break };
        signal.trigger(&Payload::from_bytes(payload)).await?;
        while let Some(pause) = source.pause() {
            tokio::time::sleep(pause).await;
        }
    }
    Ok((source.sent(), client, sender))
}
