//! The links of one socket, as its monitors hear of them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

use crate::backend::monitor::{Link, LinkEvent, Source};

/// How many events wait for a monitor.
const WAITING: usize = 1024;

/// Numbers the links of a socket, and passes on what happens to them.
#[derive(Debug)]
pub(super) struct Told {
    events: broadcast::Sender<LinkEvent>,
    count: AtomicU64,
    /// Its links are told by what it receives, and by nothing else.
    is_sifted: AtomicBool,
}

impl Told {
    pub(super) fn new() -> Self {
        Self {
            events: broadcast::Sender::new(WAITING),
            count: AtomicU64::new(0),
            is_sifted: AtomicBool::new(false),
        }
    }

    pub(super) fn sift(&self) {
        self.is_sifted.store(true, Ordering::Release);
    }

    pub(super) fn is_sifted(&self) -> bool {
        self.is_sifted.load(Ordering::Acquire)
    }

    /// A link that is new, told to whoever listens.
    pub(super) fn connected(&self, endpoint: String, address: Option<String>, identity: Option<Bytes>) -> Link {
        let link = Link {
            number: self.count.fetch_add(1, Ordering::Relaxed) + 1,
            endpoint,
            address,
            identity,
            user: None,
        };
        self.tell(LinkEvent::Connected(link.clone()));
        link
    }

    pub(super) fn disconnected(&self, link: Link, reason: &str) {
        self.tell(LinkEvent::Disconnected {
            link,
            reason: reason.to_owned(),
            by_peer: false,
        });
    }

    pub(super) fn tell(&self, event: LinkEvent) {
        // Nobody listens: nobody misses it.
        let _ = self.events.send(event);
    }

    /// What is told from now on, until the socket has ended.
    pub(super) fn listen(&self, ended: watch::Receiver<bool>) -> impl Source + use<> {
        Listening(self.events.subscribe(), ended)
    }
}

struct Listening(broadcast::Receiver<LinkEvent>, watch::Receiver<bool>);

#[async_trait]
impl Source for Listening {
    async fn next(&mut self) -> Option<LinkEvent> {
        let Self(told, ended) = self;
        tokio::select! {
            biased;
            event = told.recv() => match event {
                Ok(event) => Some(event),
                Err(RecvError::Lagged(missed)) => Some(LinkEvent::Missed(missed)),
                Err(RecvError::Closed) => None,
            },
            _ = ended.wait_for(|ended| *ended) => None,
        }
    }
}
