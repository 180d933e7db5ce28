//! Peers that do not read, and peers that send while they are sent to.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use sig_core::CancellationToken;
use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;

use super::ends::ONE_PEER;
use super::flood::{Flood, LARGE};
use super::pair::{End, Member};
use super::{Crowd, Judged, Pair};
use crate::finding::ensure;
use crate::probe::wire::event_of;
use crate::{Finding, Fixture, Outcome, Probe};

/// How many times the bytes that fill every buffer are offered to a peer that does not read.
const OFFERED: usize = 3;

/// A runtime on a thread of its own, which a carrier can block without blocking the test.
struct Apart {
    handle: Handle,
    end: CancellationToken,
}

impl Apart {
    fn new() -> Result<Self, Finding> {
        let end = CancellationToken::new();
        let (give, take) = mpsc::sync_channel(1);
        let ended = end.clone();
        thread::spawn(move || {
            let Ok(runtime) = Builder::new_current_thread().enable_all().build() else {
                return;
            };
            let _ = give.send(runtime.handle().clone());
            runtime.block_on(ended.cancelled());
            runtime.shutdown_timeout(Duration::from_secs(1));
        });
        let handle = take.recv().map_err(|_| Finding::new("no runtime could be built"))?;
        Ok(Self { handle, end })
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

/// A listener with a client that is frozen, and with a writer that is stuck for that.
struct Frozen {
    crowd: Crowd,
    member: Member,
    flood: Flood,
    events: u64,
    _apart: Apart,
}

impl Frozen {
    /// With `others` clients beside the frozen one.
    async fn new<F: Fixture>(fixture: &F, others: usize) -> Result<Self, Finding> {
        let traits = fixture.traits();
        let (listener, address) = fixture.listener();
        let server = Probe::start(listener).with_patience(traits.patience);
        let mut crowd = Crowd {
            server,
            members: Vec::new(),
        };
        for _ in 0..others {
            let member = crowd.join_on(&Handle::current(), fixture.dialler(&address)).await?;
            crowd.members.push(member);
        }
        let apart = Apart::new()?;
        let member = crowd.join_on(&apart.handle, fixture.dialler(&address)).await?;
        member.client.freeze(true);
        let events = (traits.bytes * OFFERED / LARGE) as u64;
        let mut flood = Flood::of_large(&crowd.server, &member.at_server, events);
        ensure!(
            flood.is_stuck().await?,
            "handle_tx took {} MiB for a peer that does not read: it has to wait, or memory ends",
            (traits.bytes * OFFERED) >> 20
        );
        Ok(Self {
            crowd,
            member,
            flood,
            events,
            _apart: apart,
        })
    }
}

pub(super) async fn kick_frees_a_stuck_writer<F: Fixture>(fixture: &F) -> Judged {
    let Frozen {
        crowd,
        member,
        flood,
        _apart,
        ..
    } = Frozen::new(fixture, 0).await?;
    let id = member.at_server.0;
    crowd.server.kick(id)?;
    flood
        .failed(fixture.traits().patience, "close_client was called")
        .await?;
    let (gone, _) = crowd
        .server
        .disconnected("after close_client, with a peer that does not read")
        .await?;
    ensure!(gone == id, "close_client was called for {id}, but {gone} was retired");
    Ok(Outcome::Kept)
}

pub(super) async fn slow_reader_is_isolated<F: Fixture>(fixture: &F) -> Judged {
    let peers = fixture.traits().peers;
    if peers < 2 {
        return Ok(ONE_PEER);
    }
    let Frozen {
        crowd,
        member,
        flood,
        events,
        _apart,
    } = Frozen::new(fixture, (peers - 1).min(3)).await?;
    for other in &crowd.members {
        let works = crowd
            .server
            .within("messages of another client", other.works(&crowd.server))
            .await;
        works.and_then(|works| works).map_err(|finding| {
            Finding::new(format!(
                "while one client did not read, another one was held up: {finding}"
            ))
        })?;
    }
    member.client.freeze(false);
    tokio::try_join!(flood.done(fixture.traits().patience), member.client.receive(0..events))?;
    member.works(&crowd.server).await?;
    Ok(Outcome::Kept)
}

pub(super) async fn stop_with_a_frozen_peer<F: Fixture>(fixture: &F) -> Judged {
    let Frozen {
        mut crowd,
        flood,
        _apart,
        member: _member,
        ..
    } = Frozen::new(fixture, 0).await?;
    crowd.server.stopped().await?;
    crowd.server.disconnected("after it was told to stop").await?;
    flood
        .failed(fixture.traits().patience, "the carrier was told to stop")
        .await?;
    Ok(Outcome::Kept)
}

pub(super) async fn mutual_echo<F: Fixture>(fixture: &F) -> Judged {
    const SIZE: usize = 8 * 1024;
    let pair = Pair::connect(fixture).await?;
    let count = (pair.traits.bytes / SIZE / 2).clamp(1, 1_000) as u64;
    let (up, down) = (0..count, count..2 * count);
    let client = echo(&pair.client, &pair.at_client, up.clone(), down.clone(), SIZE);
    let server = echo(&pair.server, &pair.at_server, down, up, SIZE);
    tokio::try_join!(client, server).map_err(|finding| {
        Finding::new(format!(
            "while both ends sent all they could, they stood still or went wrong: {finding}; a carrier has to read \
             while it writes"
        ))
    })?;
    Ok(Outcome::Kept)
}

/// Sends `own`, sends back `theirs` as they come, and waits until all of its own are back.
async fn echo(
    probe: &Probe,
    (id, peer): &End,
    own: Range<u64>,
    theirs: Range<u64>,
    size: usize,
) -> Result<(), Finding> {
    let (queue, more) = (Mutex::new(own.clone().collect::<VecDeque<_>>()), Notify::new());
    let total = (own.end - own.start) + (theirs.end - theirs.start);
    let write = async {
        let mut written = 0;
        while written < total {
            let numbers: Vec<u64> = queue.lock().drain(..).collect();
            if numbers.is_empty() {
                more.notified().await;
                continue;
            }
            written += numbers.len() as u64;
            let events = numbers.into_iter().map(|number| event_of(number, size));
            probe.send_events(*id, peer, events).await?;
        }
        Ok(())
    };
    let read = async {
        let (mut back, mut fresh) = (own.start, theirs.start);
        for _ in 0..total {
            let (_, event) = probe.event("an echo").await?;
            let expected = if own.contains(&event.number) {
                &mut back
            } else {
                &mut fresh
            };
            ensure!(
                event.number == *expected,
                "event {expected} was expected, {} came",
                event.number
            );
            *expected += 1;
            if theirs.contains(&event.number) {
                queue.lock().push_back(event.number);
                more.notify_one();
            }
        }
        Ok(())
    };
    tokio::try_join!(write, read)?;
    Ok(())
}
