//! Its events in our words.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sig_core::Tasks;
use sig_libzmq::{Context, Failed, OptionBytes, Socket};
use tokio::sync::{broadcast, watch};

use super::shared::Shared;
use super::told::Told;
use crate::backend::Monitor;
use crate::backend::monitor::{Link, LinkEvent};

const CONNECTED: u64 = 0x0001;
const CONNECT_RETRIED: u64 = 0x0004;
const ACCEPTED: u64 = 0x0020;
const CLOSED: u64 = 0x0080;
const DISCONNECTED: u64 = 0x0200;
const MONITOR_STOPPED: u64 = 0x0400;
const HANDSHAKE_FAILED: u64 = 0x0800;
const HANDSHAKE_SUCCEEDED: u64 = 0x1000;
const PROTOCOL_FAILED: u64 = 0x2000;
const CREDENTIALS_FAILED: u64 = 0x4000;

/// How many endpoints that are bound no more wait for whoever asks.
const WAITING: usize = 64;

/// Most links that are remembered before they have shaken hands.
const MAX_OPENED: usize = 65_535;

/// The events of one socket.
#[derive(Debug)]
pub(super) struct Events {
    told: Arc<Told>,
    unbound: broadcast::Sender<String>,
    ended: watch::Receiver<bool>,
}

impl Events {
    /// Begins to listen to a socket, before anything can happen to it.
    pub(super) fn of(context: &Context, socket: &Socket, tasks: &Tasks) -> Result<Self, Failed> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        const SUB: i32 = 2;
        let endpoint = format!("inproc://sig-monitor-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        socket.monitor(&endpoint)?;
        let listener = Socket::new(context, SUB)?;
        listener.set_bytes(OptionBytes::Subscribe, b"")?;
        listener.connect(&endpoint)?;
        let listener = Shared::new(listener, false)?;
        let told = Arc::new(Told::new());
        let unbound = broadcast::Sender::new(WAITING);
        let (end, ended) = watch::channel(false);
        let (links, closed) = (Arc::clone(&told), unbound.clone());
        tasks.spawn("events", async move {
            let mut known = Known::default();
            while let Ok(event) = listener.receiving(Event::next).await {
                match event.number {
                    MONITOR_STOPPED => break,
                    // Nobody asks: nobody misses it.
                    CLOSED => drop(closed.send(event.local)),
                    _ => known.apply(event, &links),
                }
            }
            end.send_replace(true);
        });
        Ok(Self { told, unbound, ended })
    }

    pub(super) fn monitor(&self) -> Monitor {
        Monitor(Box::new(self.told.listen(self.ended.clone())))
    }

    pub(super) fn told(&self) -> &Arc<Told> {
        &self.told
    }

    /// Ends when the socket is gone, with all that it held.
    pub(super) fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut ended = self.ended.clone();
        async move {
            let _ = ended.wait_for(|ended| *ended).await;
        }
    }

    /// Ends when nobody listens at the endpoint any more.
    pub(super) fn unbound(&self, endpoint: &str) -> impl Future<Output = ()> + Send + use<> {
        let (mut unbound, endpoint) = (self.unbound.subscribe(), endpoint.to_owned());
        async move {
            while let Ok(closed) = unbound.recv().await {
                if closed == endpoint {
                    return;
                }
            }
        }
    }
}

/// One event of the second version.
struct Event {
    number: u64,
    value: u64,
    local: String,
    remote: String,
}

impl Event {
    fn next(socket: &Socket) -> Result<Self, Failed> {
        let mut frames = Vec::new();
        loop {
            // The rest of a message is there with its first frame.
            let frame = socket.recv()?;
            frames.push(frame.bytes);
            if !frame.more {
                break;
            }
        }
        let number = |index: usize| {
            let bytes = frames.get(index).and_then(|frame| frame.as_slice().try_into().ok());
            bytes.map(u64::from_ne_bytes).unwrap_or_default()
        };
        let text = |from_end: usize| {
            let frame = frames.len().checked_sub(from_end).and_then(|index| frames.get(index));
            frame
                .map(|frame| String::from_utf8_lossy(frame).into_owned())
                .unwrap_or_default()
        };
        // Its number, how many values there are, those, and the two ends.
        Ok(Self {
            number: number(0),
            value: number(2),
            local: text(2),
            remote: text(1),
        })
    }

    fn ends(&self) -> (&str, &str) {
        (&self.local, &self.remote)
    }

    /// The endpoint of this side, when it is not known whether it was bound or connected.
    fn endpoint(self) -> String {
        if self.local.is_empty() { self.remote } else { self.local }
    }
}

/// The links that there are, by their descriptors.
#[derive(Debug, Default)]
struct Known {
    links: HashMap<u64, State>,
    count: u64,
}

#[derive(Debug)]
enum State {
    /// It has not shaken hands yet. Only then are the ends asked for.
    Opened {
        local: String,
        remote: String,
        is_bound: bool,
        order: u64,
    },
    Up(Link),
}

impl Known {
    fn apply(&mut self, event: Event, told: &Told) {
        match event.number {
            CONNECTED | ACCEPTED if self.links.len() < MAX_OPENED => {
                self.count += 1;
                let opened = State::Opened {
                    is_bound: event.number == ACCEPTED,
                    order: self.count,
                    local: event.local,
                    remote: event.remote,
                };
                self.links.insert(event.value, opened);
            }
            HANDSHAKE_SUCCEEDED if !told.is_sifted() => self.up(&event, told),
            DISCONNECTED => {
                if let Some(State::Up(link)) = self.links.remove(&event.value) {
                    told.disconnected(link, "the link was closed");
                }
            }
            CONNECT_RETRIED => told.tell(LinkEvent::Delayed {
                endpoint: event.endpoint(),
            }),
            HANDSHAKE_FAILED | PROTOCOL_FAILED | CREDENTIALS_FAILED => {
                let reason = match event.number {
                    CREDENTIALS_FAILED => format!("wrong credentials ({})", event.value),
                    PROTOCOL_FAILED => format!("protocol error {:#x}", event.value),
                    _ => "the handshake failed".to_owned(),
                };
                let endpoint = event.endpoint();
                told.tell(LinkEvent::Refused { endpoint, reason });
            }
            _ => {}
        }
    }

    /// It is told by its ends alone. Those of an accepted `ipc` link are the same for all, and then it is the oldest.
    fn up(&mut self, event: &Event, told: &Told) {
        let opened = self.links.iter().filter_map(|(descriptor, state)| match state {
            State::Opened {
                local, remote, order, ..
            } if (local.as_str(), remote.as_str()) == event.ends() => Some((*order, *descriptor)),
            _ => None,
        });
        let Some((_, descriptor)) = opened.min() else { return };
        if let Some(State::Opened {
            local,
            remote,
            is_bound,
            ..
        }) = self.links.remove(&descriptor)
        {
            let (endpoint, address) = if is_bound {
                (local, remote)
            } else {
                (remote.clone(), remote)
            };
            let link = told.connected(endpoint, Some(address).filter(|address| !address.is_empty()), None);
            self.links.insert(descriptor, State::Up(link));
        }
    }
}
