//! A subscriber that reads the stream and checks each event.

use std::time::Duration;

use sig_bench_party::{Args, Tally, ready};

use super::{connect, name_of};
use crate::error::Failure;

pub(super) async fn run(args: &Args) -> Result<(), Failure> {
    let client = connect(&args.url).await?;
    let topic = match args.publishers {
        1 if args.topics == 1 => format!("{}/tick", name_of(0)),
        // The whole sender.
        1 => name_of(0),
        _ => "#tick".to_owned(),
    };
    let mut stream = client.listen_remote(topic.as_str()).await?;
    ready();
    let pause = (args.slow_us > 0).then(|| Duration::from_micros(args.slow_us));
    Tally::new(args.publishers)
        .listen(async |tally| {
            loop {
                let Some(event) = stream.recv().await else {
                    return false;
                };
                // What was lost shows in the numbers.
                let Ok(event) = event else { continue };
                let Ok(payload) = event.payload() else { return false };
                if let Some(pause) = pause {
                    tokio::time::sleep(pause).await;
                }
                // Presence, where the whole sender is heard.
                if !payload.bytes().is_empty() && !event.name().as_str().starts_with("#c") {
                    return !tally.take(payload.bytes());
                }
            }
        })
        .await;
    client.close(Duration::from_secs(1)).await;
    Ok(())
}
