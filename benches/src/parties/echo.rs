//! Round trips of events: `ping` triggers, `pong` triggers in answer, one at a time.

use std::time::{Duration, Instant};

use sig_bench_party::{Args, Stamper, check, ready, round_trips};
use sig_router::{ClientRouter, Payload};

use super::PATIENCE;
use crate::error::Failure;

pub(super) async fn pong(client: &ClientRouter) -> Result<(), Failure> {
    let mut stream = client.listen_remote("ping/there").await?;
    let sender = client.add_remote_sender("pong").event("back").connect().await?;
    let back = sender.signal("back")?;
    ready();
    while let Some(event) = stream.recv().await {
        back.trigger(&*event?.payload()?).await?;
    }
    Ok(())
}

pub(super) async fn ping(args: &Args, client: &ClientRouter) -> Result<(), Failure> {
    let mut stream = client.listen_remote("pong/back").await?;
    let sender = client.add_remote_sender("ping").event("there").connect().await?;
    let there = sender.signal("there")?;
    let stamper = Stamper::new(args.size, 0);
    ready();
    round_trips(args, async |sequence| {
        let payload = stamper.make(sequence, false, 0);
        let began = Instant::now();
        there.trigger(&Payload::from_bytes(payload)).await?;
        let event = tokio::time::timeout(PATIENCE, stream.recv()).await?;
        let took = began.elapsed();
        let event = event.ok_or_else(|| Failure::new("the stream is over"))??;
        let seen = check(&event.bytes()?);
        if !seen.is_ok_and(|seen| seen.number == sequence) {
            return Err(Failure::new(format!("another event came back than number {sequence}")));
        }
        Ok(took)
    })
    .await?;
    client.close(Duration::from_secs(1)).await;
    Ok(())
}
