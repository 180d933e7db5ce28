//! A subscriber that reads the stream and checks each event.

use std::time::{Duration, Instant};

use sig_bench_party::{Args, Tally};
use sig_router::{ClientRouter, RemoteEventStream};

use super::name_of;
use crate::error::Failure;

/// A subscription.
#[derive(Debug)]
pub(super) struct Listening {
    stream: RemoteEventStream,
}

impl Listening {
    pub(super) async fn to(args: &Args, client: &ClientRouter) -> Result<Self, Failure> {
        let topic = match args.publishers {
            1 if args.topics == 1 => format!("{}/tick", name_of(0)),
            // Everything there is.
            1 => "*".to_owned(),
            _ => "#tick".to_owned(),
        };
        let stream = client.listen_remote(topic.as_str()).await?;
        Ok(Self { stream })
    }

    /// Takes all events, slowly at first if it is told so, and says the row.
    pub(super) async fn run(mut self, args: &Args) {
        let slow = args.slow_us > 0;
        let pause = Duration::from_micros(args.slow_us);
        let until = Instant::now() + Duration::from_secs_f64(args.seconds.unwrap_or(0.0));
        let stream = &mut self.stream;
        Tally::new(args.publishers)
            .listen(async |tally| {
                loop {
                    let Some(event) = stream.recv().await else {
                        return false;
                    };
                    // What was lost shows in the numbers.
                    let Ok(event) = event else { continue };
                    let Ok(payload) = event.bytes() else { return false };
                    // Presence comes too where everything is heard.
                    if event.name().is_channel() && args.topics > 1 {
                        continue;
                    }
                    let on = !tally.take(&payload);
                    if slow && Instant::now() < until {
                        tokio::time::sleep(pause).await;
                    }
                    return on;
                }
            })
            .await;
    }
}
