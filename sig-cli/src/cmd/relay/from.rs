//! A publisher becomes a sender.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use sig_carrier_zmq::{Message, Socket};
use sig_router::{RemoteSender, Request, TriggerError};
use tokio::sync::watch;

use super::topics::{Topics, data_of};
use super::{Relayed, failure};
use crate::args::RelayFrom;
use crate::connect::{Link, connect};
use crate::context::Context;
use crate::exit::{Code, Failure};

/// What the requests of the sender see and change.
#[derive(Debug)]
struct Shared {
    enabled: watch::Sender<bool>,
    messages: AtomicU64,
    lost: AtomicU64,
}

impl Shared {
    fn relayed(&self) -> Relayed {
        Relayed {
            messages: self.messages.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
        }
    }
}

pub(super) async fn run(args: &RelayFrom, context: &mut Context) -> Result<Code, Failure> {
    let topics = Topics::parse(&args.topics).map_err(|error| {
        Failure::new(Code::Usage, "topic", error).with_fix("name the event behind a =, as in 'frame=picture' or '=all'")
    })?;
    let socket = Socket::sub().map_err(failure)?;
    socket.connect(&args.endpoint).await.map_err(failure)?;
    let link = connect(&args.target, context).await?;
    let result = relay(args, &topics, &socket, &link, context).await;
    socket.close().await;
    link.flush_and_close().await;
    result
}

async fn relay(
    args: &RelayFrom,
    topics: &Topics,
    socket: &Socket,
    link: &Link,
    context: &mut Context,
) -> Result<Code, Failure> {
    let shared = Arc::new(Shared {
        enabled: watch::Sender::new(true),
        messages: AtomicU64::new(0),
        lost: AtomicU64::new(0),
    });
    let sender = connected(args, topics, link, &shared).await?;
    let (name, endpoint) = (&args.sender, &args.endpoint);
    context.out.note(
        "relaying",
        format_args!("relaying {endpoint} as {name} to {}", link.url),
    );
    let mut enabled = shared.enabled.subscribe();
    enabled.mark_changed();
    let ended = loop {
        tokio::select! {
            biased;
            () = context.stop.requested() => break Ok(Code::Done),
            changed = enabled.changed() => {
                if changed.is_err() {
                    break Ok(Code::Done);
                }
                let enabled = *enabled.borrow_and_update();
                for topic in topics.prefixes() {
                    let done = match enabled {
                        true => socket.subscribe(topic).await,
                        false => socket.unsubscribe(topic).await,
                    };
                    done.map_err(failure)?;
                }
            }
            message = socket.recv() => pass(&message.map_err(failure)?, topics, &sender, &shared).await?,
        }
    };
    sender.remove().await;
    let relayed = shared.relayed();
    context.out.show(relayed, "relayed", &relayed)?;
    ended
}

async fn connected(
    args: &RelayFrom,
    topics: &Topics,
    link: &Link,
    shared: &Arc<Shared>,
) -> Result<RemoteSender, Failure> {
    let switch = |on: bool| {
        let shared = Arc::clone(shared);
        move |_: Request| {
            shared
                .enabled
                .send_if_modified(|enabled| std::mem::replace(enabled, on) != on);
            Ok(())
        }
    };
    let told = Arc::clone(shared);
    let sender = link
        .client
        .add_remote_sender(args.sender.as_str())
        .events(topics.events())
        .request("enable", switch(true))
        .request("disable", switch(false))
        .request("relayed", move |_: Request| {
            let Relayed { messages, lost } = told.relayed();
            Ok(json!({ "enabled": *told.enabled.borrow(), "messages": messages, "lost": lost }))
        })
        .connect()
        .await;
    sender.map_err(|error| Failure::new(Code::Refused, "refused", error))
}

/// One message. Waits as long as the slowest listener allows; what is too much meanwhile the publisher drops.
async fn pass(message: &Message, topics: &Topics, sender: &RemoteSender, shared: &Shared) -> Result<(), Failure> {
    let topic = message.frame(0).unwrap_or_default();
    let Some(event) = topics.event_of(topic).filter(|_| *shared.enabled.borrow()) else {
        return Ok(());
    };
    let failed = |error: &dyn std::error::Error| Failure::new(Code::Failed, "relay", error);
    let signal = sender.signal(event.as_str()).map_err(|error| failed(&error))?;
    let passed = match signal.trigger(&data_of(message)).await {
        Ok(()) => &shared.messages,
        // It goes on when the link is back, or the listener takes events again.
        Err(TriggerError::Busy { .. } | TriggerError::Offline { .. }) => &shared.lost,
        Err(error) => return Err(failed(&error)),
    };
    passed.fetch_add(1, Ordering::Relaxed);
    Ok(())
}
