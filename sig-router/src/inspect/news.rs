//! What happens at the router, told as events of its own sender.

use std::collections::VecDeque;
use std::panic::Location;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use serde::Serialize;
use sig_core::{CancellationToken, Payload, SenderName};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    CARRIER, CLIENT_CONNECTED, CLIENT_DISCONNECTED, CarrierReport, ClientConnected, ClientDisconnected, LAGGING, LINK,
    Lagging, LinkReport, ROUTER, STATS, unix_ms,
};
use crate::clock;
use crate::hub::{EventRecord, Hub, Owner};
use crate::pressure::{LagWatch, Whose};

/// How much news may wait to be told; beyond it is counted as lost.
const MOST: usize = 1024;

/// How often the statistics are told.
const PERIOD: Duration = Duration::from_secs(1);

/// Something that happened.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Story {
    Connected(ClientConnected),
    Disconnected(ClientDisconnected),
    Carrier(CarrierReport),
    Link(LinkReport),
    Lagging(Lagging),
}

impl Story {
    fn event(&self) -> &'static str {
        match self {
            Self::Connected(_) => CLIENT_CONNECTED,
            Self::Disconnected(_) => CLIENT_DISCONNECTED,
            Self::Carrier(_) => CARRIER,
            Self::Link(_) => LINK,
            Self::Lagging(_) => LAGGING,
        }
    }
}

/// What happened and was not told yet. News comes from under locks, and from whoever triggers: a task tells it.
#[derive(Debug, Default)]
pub(crate) struct News {
    waiting: Mutex<VecDeque<Result<Story, Missed>>>,
    wake: Notify,
}

/// How often an event was not told, for want of room.
#[derive(Debug)]
pub(crate) struct Missed {
    event: &'static str,
    count: u64,
}

impl News {
    /// Notes what happened. Never waits.
    pub(crate) fn add(&self, story: Story) {
        let mut waiting = self.waiting.lock();
        if waiting.len() < MOST {
            waiting.push_back(Ok(story));
        } else {
            let event = story.event();
            let known = waiting.iter_mut().rev().find_map(|item| match item {
                Err(missed) if missed.event == event => Some(missed),
                _ => None,
            });
            match known {
                Some(missed) => missed.count += 1,
                None => waiting.push_back(Err(Missed { event, count: 1 })),
            }
        }
        drop(waiting);
        self.wake.notify_one();
    }

    fn take(&self) -> Option<Result<Story, Missed>> {
        self.waiting.lock().pop_front()
    }
}

impl LagWatch for News {
    fn lags(&self, whose: Whose, sender: &SenderName, since: Option<Instant>) {
        let (client, place) = who(whose);
        let idle = since.map_or(Duration::ZERO, |since| clock::now().saturating_duration_since(since));
        self.add(Story::Lagging(Lagging {
            sender: sender.to_string(),
            client,
            place,
            since: unix_ms(SystemTime::now().checked_sub(idle)),
        }));
    }
}

/// A client's id, or a place in the program.
pub(super) fn who(whose: Whose) -> (Option<u64>, Option<String>) {
    match whose {
        Whose::Client(client) => (Some(client.get()), None),
        Whose::Place(place) => (None, Some(shown(place))),
    }
}

pub(super) fn shown(place: &'static Location<'static>) -> String {
    place.to_string()
}

/// Tells the news, and the statistics while somebody listens to them, until the router is gone or told to stop.
pub(crate) async fn tell(hub: Weak<Hub>, news: Arc<News>, stop: CancellationToken) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = news.wake.notified() => {
                while let Some(item) = news.take() {
                    let Some(hub) = hub.upgrade() else { return };
                    tell_one(&hub, item, &stop).await;
                }
            }
            _ = ticks.tick() => {
                let Some(hub) = hub.upgrade() else { return };
                tell_stats(&hub);
            }
        }
    }
}

fn record(hub: &Hub, event: &str) -> Option<Arc<EventRecord>> {
    hub.sender(ROUTER)?.event(event)
}

async fn tell_one(hub: &Hub, item: Result<Story, Missed>, stop: &CancellationToken) {
    match item {
        Ok(story) => {
            let Some(event) = record(hub, story.event()) else {
                return;
            };
            // As any sender does: who listens and has no room is waited for, until it is found to lag.
            let has_room = async {
                let gate = &event.sender.gate;
                loop {
                    let opened = gate.opened();
                    if gate.is_open() || hub.is_closing() {
                        return;
                    }
                    opened.await;
                }
            };
            if stop.run_until_cancelled(has_room).await.is_none() {
                return;
            }
            publish(hub, &event, &story);
        }
        Err(Missed { event, count }) => {
            if let Some(event) = record(hub, event) {
                hub.lose(&event, count);
            }
        }
    }
}

fn tell_stats(hub: &Hub) {
    let Some(event) = record(hub, STATS) else { return };
    if !event.is_heard() {
        return hub.inspection().rest();
    }
    let Some(stats) = hub.inspection().stats(hub) else {
        return;
    };
    if event.sender.gate.is_open() {
        publish(hub, &event, &stats);
    } else {
        hub.lose(&event, 1);
    }
}

/// Functions that listen run on tasks of their own, as for events from links: nobody holds up the news.
fn publish(hub: &Hub, event: &Arc<EventRecord>, data: &impl Serialize) {
    match Payload::json(data) {
        Ok(payload) => {
            hub.publish(event, Owner::Router, &payload, None);
        }
        Err(error) => tracing::warn!(event = %event.name(), %error, "what happened at the router could not be told"),
    }
}

#[cfg(test)]
mod tests;
