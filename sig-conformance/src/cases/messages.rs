//! What arrives.

use std::ops::Range;

use sig_core::bytes::Bytes;
use sig_core::{Encoding, Payload};

use super::{Judged, Pair};
use crate::finding::ensure;
use crate::probe::wire::{event, event_of, event_with};
use crate::{Finding, Fixture, Outcome, Probe};

pub(super) async fn order<F: Fixture>(fixture: &F) -> Judged {
    let pair = Pair::connect(fixture).await?;
    exchange(&pair, pair.traits.messages.min(2_000), 10).await?;
    Ok(Outcome::Kept)
}

pub(super) async fn no_loss_or_duplicates<F: Fixture>(fixture: &F) -> Judged {
    let pair = Pair::connect(fixture).await?;
    exchange(&pair, pair.traits.messages, 997).await?;
    pair.part().await?;
    Ok(Outcome::Kept)
}

/// So many messages go both ways at the same time, in batches of all sizes below `largest`.
async fn exchange<F: Fixture>(pair: &Pair<F>, messages: u64, largest: u64) -> Result<(), Finding> {
    let up = async {
        for batch in batches(messages, largest) {
            pair.send_up(batch).await?;
        }
        Ok(())
    };
    let down = async {
        for batch in batches(messages, largest) {
            pair.send_down(batch).await?;
        }
        Ok(())
    };
    tokio::try_join!(
        up,
        down,
        pair.server.receive(0..messages),
        pair.client.receive(0..messages)
    )?;
    Ok(())
}

fn batches(messages: u64, largest: u64) -> impl Iterator<Item = Range<u64>> {
    let mut next = 0;
    (1..).map_while(move |step: u64| {
        let batch = next..messages.min(next + 1 + step % largest);
        next = batch.end;
        (batch.start < messages).then_some(batch)
    })
}

pub(super) async fn batch_boundaries<F: Fixture>(fixture: &F) -> Judged {
    let pair = Pair::connect(fixture).await?;
    let messages = pair.traits.messages.min(5_000);
    for size in [1, 2, 3, 64, messages] {
        let total = messages.min(size * 300);
        let send = async {
            for start in (0..total).step_by(usize::try_from(size).unwrap_or(usize::MAX)) {
                pair.send_up(start..total.min(start + size)).await?;
                pair.send_down(start..total.min(start + size)).await?;
            }
            Ok(())
        };
        let received = async {
            pair.server.receive(0..total).await?;
            pair.client.receive(0..total).await
        };
        let sent: Result<_, Finding> = tokio::try_join!(send, received);
        sent.map_err(|finding| Finding::new(format!("in batches of {size}: {finding}")))?;
    }
    Ok(Outcome::Kept)
}

pub(super) async fn empty_payload<F: Fixture>(fixture: &F) -> Judged {
    let pair = Pair::connect(fixture).await?;
    let events = || {
        let empty = event_with(1, Payload::from_bytes(Bytes::new()));
        [event(0), empty, event(2)]
    };
    pair.events_up(events()).await?;
    pair.events_down(events()).await?;
    for probe in [&pair.server, &pair.client] {
        for number in 0..3 {
            let (_, got) = probe
                .event(format_args!("event {number} of three, of which one is empty"))
                .await?;
            ensure!(
                got.number == number,
                "a message without data was lost: behind event {} came {}",
                number.saturating_sub(1),
                got.number
            );
            ensure!(
                number != 1 || got.payload.is_empty(),
                "a message without data arrived with {} bytes",
                got.payload.len()
            );
        }
    }
    Ok(Outcome::Kept)
}

/// What a codec may add to the largest message that is tried through it.
const CODEC_ROOM: usize = 1024;

pub(super) async fn largest_payload<F: Fixture>(fixture: &F) -> Judged {
    let pair = Pair::connect(fixture).await?;
    let limit = |peer: &sig_core::PeerInfo, probe: &Probe| {
        let limits = [peer.max_frame, probe.carrier().profile().max_frame, pair.traits.bytes];
        limits.into_iter().min().unwrap_or_default()
    };
    let limit = limit(&pair.at_client.1, &pair.client).min(limit(&pair.at_server.1, &pair.server));
    pair.server.set_max_frame(limit);
    pair.client.set_max_frame(limit);
    let size = match pair.at_client.1.encoding {
        // A codec may take two bytes for one, and JSON takes four for three.
        Encoding::Packed => limit.saturating_sub(CODEC_ROOM) / 2,
        Encoding::Sig1 | Encoding::Values => limit,
    };
    let events = || [event(0), event_of(1, size), event(2), event_of(3, size / 2), event(4)];
    let received = async |probe: &Probe| {
        for sent in events() {
            let what = format!("event {} between messages of {size} bytes", sent.number);
            let (_, got) = probe.event(&what).await?;
            ensure!(got.number == sent.number, "instead of {what} came {}", got.number);
            ensure!(
                sent.payload.len() < CODEC_ROOM || got.payload.bytes() == sent.payload.bytes(),
                "a message of {size} bytes arrived damaged: {} bytes, the first wrong one at {:?}",
                got.payload.len(),
                got.payload
                    .bytes()
                    .iter()
                    .zip(sent.payload.bytes())
                    .position(|(got, sent)| got != sent)
            );
        }
        Ok(())
    };
    tokio::try_join!(
        pair.events_up(events()),
        pair.events_down(events()),
        received(&pair.server),
        received(&pair.client)
    )?;
    Ok(Outcome::Kept)
}
