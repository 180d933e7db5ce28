//! One socket and nothing between its ends: what a stream of checked events, and a round trip, cost at least.

use std::time::Instant;

use sig_bench_party::{Args, Source, Stamper, Tally, check, now_ns, published, ready, ready_to_publish, round_trips};
use tokio::io::AsyncWriteExt as _;

use crate::error::Failure;
use crate::stream::{Frames, Listener, connect};

/// How many bytes go out in one write.
const CHUNK: usize = 64 * 1024;

pub(super) async fn subscribe(args: &Args) -> Result<(), Failure> {
    let listener = Listener::bind(&args.url).await?;
    ready();
    let (mut reader, _writer) = listener.accept().await?;
    let mut frames = Frames::default();
    Tally::new(1)
        .listen(async |tally| {
            loop {
                if let Some(frame) = frames.next() {
                    return !tally.take(&frame[4..]);
                }
                if !matches!(frames.read(&mut reader).await, Ok(true)) {
                    return false;
                }
            }
        })
        .await;
    Ok(())
}

pub(super) async fn publish(args: &Args) -> Result<(), Failure> {
    let (_reader, mut writer) = connect(&args.url).await?;
    if !ready_to_publish(args) {
        return Ok(());
    }
    let begun = now_ns();
    let mut source = Source::new(args, 0);
    let mut waiting = Vec::with_capacity(2 * CHUNK);
    while let Some(payload) = source.next() {
        waiting.extend_from_slice(&u32::try_from(payload.len())?.to_le_bytes());
        waiting.extend_from_slice(&payload);
        let mut pause = source.pause();
        if waiting.len() >= CHUNK || pause.is_some() {
            writer.write_all(&waiting).await?;
            waiting.clear();
        }
        while let Some(time) = pause {
            tokio::time::sleep(time).await;
            pause = source.pause();
        }
    }
    writer.write_all(&waiting).await?;
    published(source.sent(), begun);
    Ok(())
}

pub(super) async fn pong(args: &Args) -> Result<(), Failure> {
    let listener = Listener::bind(&args.url).await?;
    ready();
    let (mut reader, mut writer) = listener.accept().await?;
    let mut frames = Frames::default();
    while frames.read(&mut reader).await? {
        while let Some(frame) = frames.next() {
            writer.write_all(frame).await?;
        }
    }
    Ok(())
}

pub(super) async fn ping(args: &Args) -> Result<(), Failure> {
    let (mut reader, mut writer) = connect(&args.url).await?;
    let stamper = Stamper::new(args.size, 0);
    let mut frames = Frames::default();
    ready();
    round_trips(args, async |sequence| {
        let payload = stamper.make(sequence, false, 0);
        let mut frame = u32::try_from(payload.len())?.to_le_bytes().to_vec();
        frame.extend_from_slice(&payload);
        let began = Instant::now();
        writer.write_all(&frame).await?;
        loop {
            if let Some(frame) = frames.next() {
                if !check(&frame[4..]).is_ok_and(|seen| seen.number == sequence) {
                    return Err(Failure::new("another frame came back"));
                }
                return Ok(began.elapsed());
            }
            if !frames.read(&mut reader).await? {
                return Err(Failure::new("the connection is closed"));
            }
        }
    })
    .await
}
