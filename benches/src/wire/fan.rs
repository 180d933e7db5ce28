//! Many subscribers to the same events.

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use sig_bench_party::{Args, Tally, ready};

use super::conversation::Conversation;
use crate::error::Failure;

/// How much each of them reads at once.
const CHUNK: usize = 32 * 1024;

/// Says one row for all subscribers together.
pub(super) async fn run(args: &Args) -> Result<(), Failure> {
    let mut conversations = Vec::new();
    for _ in 0..args.subscribers {
        conversations.push(Conversation::subscribe(&args.url, "pub0/tick", CHUNK).await?);
    }
    ready();
    // All on one thread, as a program with a loop of its own would have it: the machine is the broker's.
    let mut listening: FuturesUnordered<_> = conversations
        .into_iter()
        .map(|mut conversation| async move {
            let mut tally = Tally::new(args.publishers);
            tally
                .take_all(async |tally| {
                    conversation
                        .event(|payload| !tally.take(payload))
                        .await
                        .unwrap_or(false)
                })
                .await;
            // The connection stays up until all are done.
            (tally, conversation)
        })
        .collect();
    let mut together: Option<Tally> = None;
    let mut open = Vec::new();
    while let Some((tally, conversation)) = listening.next().await {
        open.push(conversation);
        match &mut together {
            Some(sum) => sum.absorb(&tally),
            None => together = Some(tally),
        }
    }
    if let Some(tally) = together {
        tally.say();
    }
    Ok(())
}
