//! The least that a broker on tokio has to do: read, find the frames, append each to every subscriber's outgoing bytes,
//! write. Two topics and nothing else: no names, no ids, no policies, no session.
//!
//! A client begins with two bytes: `S` or `P`, and the topic, `0` or `1`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sig_bench_party::{Args, Source, Stamper, Tally, check, now_ns, published, ready, ready_to_publish, round_trips};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

use super::outgoing::Outgoing;
use crate::error::Failure;
use crate::stream::{Frames, Listener, Reader, Writer, connect};

type Topic = Arc<Mutex<Arc<Vec<Arc<Outgoing>>>>>;

pub(super) async fn broker(args: &Args) -> Result<(), Failure> {
    let listener = Listener::bind(&args.url).await?;
    let topics: [Topic; 2] = Default::default();
    let mut tasks = JoinSet::new();
    ready();
    loop {
        let (reader, writer) = listener.accept().await?;
        let topics = topics.clone();
        tasks.spawn(async move { serve(reader, writer, topics).await });
        while tasks.try_join_next().is_some() {}
    }
}

async fn serve(mut reader: Reader, mut writer: Writer, topics: [Topic; 2]) -> Result<(), Failure> {
    let kind = reader.read_u8().await?;
    let topic = &topics[usize::from(reader.read_u8().await? == b'1')];
    if kind == b'S' {
        let outgoing = Arc::new(Outgoing::default());
        change(topic, |subscribers| subscribers.push(Arc::clone(&outgoing)));
        // Tells the subscriber that it is heard.
        writer.write_u8(0).await?;
        let written = tokio::select! {
            written = outgoing.write_to(&mut writer) => written,
            _ = reader.read_u8() => Ok(()),
        };
        outgoing.close();
        change(topic, |subscribers| {
            subscribers.retain(|other| !Arc::ptr_eq(other, &outgoing))
        });
        return written;
    }
    let mut frames = Frames::default();
    while frames.read(&mut reader).await? {
        let subscribers = Arc::clone(&topic.lock().unwrap_or_else(PoisonError::into_inner));
        while let Some(frame) = frames.next() {
            for subscriber in subscribers.iter() {
                if !subscriber.push(&[frame]) {
                    subscriber.room().await;
                }
            }
        }
    }
    Ok(())
}

fn change(topic: &Topic, change: impl FnOnce(&mut Vec<Arc<Outgoing>>)) {
    let mut current = topic.lock().unwrap_or_else(PoisonError::into_inner);
    let mut next = current.to_vec();
    change(&mut next);
    *current = Arc::new(next);
}

/// A client that hears a topic.
struct Hearing {
    reader: Reader,
    /// Dropping it would end the connection.
    _writer: Writer,
    frames: Frames,
}

impl Hearing {
    async fn of(url: &str, topic: u8) -> Result<Self, Failure> {
        let (mut reader, mut writer) = connect(url).await?;
        writer.write_all(&[b'S', topic]).await?;
        reader.read_u8().await?;
        Ok(Self {
            reader,
            _writer: writer,
            frames: Frames::default(),
        })
    }

    /// Hands the next payload over; `None` at the end. Cancel safe.
    async fn next<T>(&mut self, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
        loop {
            if let Some(frame) = self.frames.next() {
                return Some(take(&frame[4..]));
            }
            if !matches!(self.frames.read(&mut self.reader).await, Ok(true)) {
                return None;
            }
        }
    }
}

/// A client that sends to a topic: its writer is a task, as in any client of the sort.
struct Sending {
    outgoing: Arc<Outgoing>,
    writer: JoinSet<Result<(), Failure>>,
}

impl Sending {
    async fn of(url: &str, topic: u8) -> Result<Self, Failure> {
        let (_, mut writer) = connect(url).await?;
        writer.write_all(&[b'P', topic]).await?;
        let outgoing = Arc::new(Outgoing::default());
        let mut tasks = JoinSet::new();
        let from = Arc::clone(&outgoing);
        tasks.spawn(async move { from.write_to(&mut writer).await });
        Ok(Self {
            outgoing,
            writer: tasks,
        })
    }

    async fn send(&self, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        if !self.outgoing.push(&[&length.to_le_bytes(), payload]) {
            self.outgoing.room().await;
        }
    }

    async fn finish(mut self) -> Result<(), Failure> {
        self.outgoing.close();
        while let Some(written) = self.writer.join_next().await {
            written??;
        }
        Ok(())
    }
}

pub(super) async fn subscribe(args: &Args) -> Result<(), Failure> {
    let mut hearing = Hearing::of(&args.url, b'0').await?;
    ready();
    Tally::new(args.publishers)
        .listen(async |tally| hearing.next(|payload| !tally.take(payload)).await.unwrap_or(false))
        .await;
    Ok(())
}

pub(super) async fn publish(args: &Args) -> Result<(), Failure> {
    let mut clients = Vec::new();
    for _ in 0..args.publishers {
        clients.push(Sending::of(&args.url, b'0').await?);
    }
    if !ready_to_publish(args) {
        return Ok(());
    }
    let begun = now_ns();
    let mut tasks = JoinSet::new();
    for (number, client) in (0..).zip(clients) {
        let args = args.clone();
        tasks.spawn(async move {
            let mut source = Source::new(&args, number);
            while let Some(payload) = source.next() {
                client.send(&payload).await;
                while let Some(pause) = source.pause() {
                    tokio::time::sleep(pause).await;
                }
            }
            client.finish().await.map(|()| source.sent())
        });
    }
    let mut sent = 0;
    while let Some(count) = tasks.join_next().await {
        sent += count??;
    }
    published(sent, begun);
    Ok(())
}

pub(super) async fn pong(args: &Args) -> Result<(), Failure> {
    let mut there = Hearing::of(&args.url, b'0').await?;
    let back = Sending::of(&args.url, b'1').await?;
    ready();
    while let Some(payload) = there.next(<[u8]>::to_vec).await {
        back.send(&payload).await;
    }
    back.finish().await
}

pub(super) async fn ping(args: &Args) -> Result<(), Failure> {
    let mut back = Hearing::of(&args.url, b'1').await?;
    let there = Sending::of(&args.url, b'0').await?;
    let stamper = Stamper::new(args.size, 0);
    ready();
    round_trips(args, async |sequence| {
        let payload = stamper.make(sequence, false, 0);
        let began = Instant::now();
        there.send(&payload).await;
        let seen = back.next(check).await;
        let took: Duration = began.elapsed();
        if !seen.is_some_and(|seen| seen.is_ok_and(|seen| seen.number == sequence)) {
            return Err(Failure::new("another frame came back"));
        }
        Ok(took)
    })
    .await?;
    there.finish().await
}
