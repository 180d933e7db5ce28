//! What the hub promises where the public surface cannot show it: with queues of a few events, with links, and in the log.

mod aliases;
mod flow;
mod links;
mod log;
mod shortcut;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use sig_core::Topic;

use super::{First, Hub};
use crate::listener::EventStream;
use crate::policy::Policy;
use crate::pressure::Marks;
use crate::queue::{ListenerQueue, Settings};
use crate::{Router, Sender, Signal};

/// Longer than any test runs.
const FOR_EVER: Duration = Duration::from_secs(3600);

fn router() -> (Arc<Hub>, Router) {
    let hub = Hub::new(None);
    (Arc::clone(&hub), Router::with_hub(hub))
}

fn sender(router: &Router, name: &str) -> (Sender, Signal) {
    let sender = router.add_sender(name).event("e").connect().unwrap();
    let signal = sender.signal("e").unwrap();
    (sender, signal)
}

fn settings(marks: Marks) -> Settings {
    Settings {
        marks,
        policy: Policy::Block(marks.patience),
    }
}

/// A stream that is full with four events.
fn stream(hub: &Arc<Hub>, topic: &str, patience: Duration) -> EventStream {
    let marks = Marks {
        count: 4,
        bytes: 1 << 20,
        patience,
    };
    let topic: Topic = topic.parse().unwrap();
    EventStream::new(
        hub,
        topic,
        First::default(),
        ListenerQueue::new(settings(marks), Arc::clone(hub.stalls())),
    )
}

/// What waits in a stream: the number of an event, or how many were lost.
fn drain(stream: &mut EventStream) -> Vec<Result<u64, u64>> {
    std::iter::from_fn(|| stream.recv().now_or_never().flatten())
        .map(|item| item.map(|event| event.number()).map_err(|lagged| lagged.count()))
        .collect()
}
