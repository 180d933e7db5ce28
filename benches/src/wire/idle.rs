//! Many clients that listen and hear nothing.

use std::time::{Duration, Instant};

use serde::Serialize;
use sig_bench_party::{Args, ready, row};
use tokio::task::JoinSet;

use super::conversation::Conversation;
use crate::error::Failure;

/// How much is read at once: heartbeats.
const CHUNK: usize = 256;
/// How many connect at the same time.
const AT_ONCE: u64 = 16;

#[derive(Serialize)]
struct Row {
    role: &'static str,
    connected: u64,
    seconds: f64,
}

/// Connects `count` clients, each with one listener of its own, says how long that took, and stays until it is ended.
pub(super) async fn run(args: &Args) -> Result<(), Failure> {
    let began = Instant::now();
    let mut connecting = JoinSet::new();
    for first in 0..AT_ONCE {
        let args = args.clone();
        connecting.spawn(async move {
            let mut some = Vec::new();
            for number in (first..args.count).step_by(AT_ONCE as usize) {
                some.push(Conversation::subscribe(&args.url, &format!("nobody{number}/never"), CHUNK).await?);
            }
            Ok::<_, Failure>(some)
        });
    }
    let mut open = JoinSet::new();
    while let Some(some) = connecting.join_next().await {
        for mut conversation in some?? {
            open.spawn(async move { while conversation.event(|_| ()).await.is_some() {} });
        }
    }
    let seconds: Duration = began.elapsed();
    row(&Row {
        role: "idle",
        connected: open.len() as u64,
        seconds: seconds.as_secs_f64(),
    });
    ready();
    match open.join_next().await {
        Some(_) => Err(Failure::new("the broker has closed an idle connection")),
        None => Ok(()),
    }
}
