//! Who sends to a ROUTER, told apart by what arrives at it and nothing else, so that news of a link and its messages keep their order.
//!
//! libzmq is made to put in front of a peer's messages an empty one, and one of ours behind the last. Both come without the properties that
//! every message of a peer over `tcp` and `ipc` has. Over `inproc` there is no first one, and no message has properties.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use sig_libzmq::{Failed, Line, Option32, OptionBytes, Origin, Socket};

use super::told::Told;
use crate::Message;
use crate::backend::Link;

/// Behind the last message of a peer. Whoever sends it over `inproc` says it of itself.
const GONE: &[u8] = b"\0sig: this peer is gone";

/// Only of coming; of going there is [`GONE`], which is told apart from a message.
const NOTIFY_CONNECT: i32 = 1;

/// The peers of one ROUTER, by their identities.
#[derive(Debug)]
pub(super) struct Callers {
    told: Arc<Told>,
    table: Mutex<HashMap<Bytes, Arc<Caller>>>,
}

/// One peer.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) link: Link,
    pub(crate) is_req: bool,
    /// Where it is, as an endpoint for people.
    pub(crate) address: String,
    line: Option<Line>,
    /// Has said something.
    is_heard: bool,
}

impl Callers {
    pub(super) fn of(socket: &Socket, told: &Arc<Told>) -> Result<Self, Failed> {
        socket.set(Option32::RouterNotify, NOTIFY_CONNECT)?;
        socket.set(Option32::RouterHandover, 1)?;
        socket.set_bytes(OptionBytes::DisconnectMsg, GONE)?;
        told.sift();
        Ok(Self {
            told: Arc::clone(told),
            table: Mutex::default(),
        })
    }

    /// A message of a peer as it is; `None` for news of a link, which is told.
    pub(super) fn sift(&self, message: Message, origin: &Origin) -> Option<Message> {
        let route = message.frame_bytes(0)?;
        let body = (message.len() == 2).then(|| message.frame(1)).flatten();
        let mut table = self.table();
        let known = table.get(&route);
        if origin.descriptor.is_none() {
            match (body, known) {
                (Some(GONE), _) => {
                    if let Some(gone) = table.remove(&route) {
                        self.told.disconnected(gone.link.clone(), "the link was closed");
                    }
                    return None;
                }
                // A peer by `inproc` that has said something says an empty message.
                (Some(b""), Some(known)) if known.is_heard && known.line.is_none() => {}
                (Some(b""), _) => {
                    if let Some(former) = table.remove(&route) {
                        self.told
                            .disconnected(former.link.clone(), "a newer link has the same identity");
                    }
                    table.insert(route.clone(), Arc::new(self.newcomer(route)));
                    return None;
                }
                _ => {}
            }
        }
        if !known.is_some_and(|known| known.is_heard) {
            let known = table.remove(&route);
            let mut caller = match known {
                Some(known) => Caller::clone(&known),
                None => self.newcomer(route.clone()),
            };
            caller.hear(origin);
            table.insert(route, Arc::new(caller));
        }
        Some(message)
    }

    fn newcomer(&self, route: Bytes) -> Caller {
        // Those that ZeroMQ makes up begin with a zero.
        let identity = Some(route).filter(|route| route.first() != Some(&0));
        Caller {
            link: self.told.connected(String::new(), None, identity),
            is_req: false,
            address: "inproc".to_owned(),
            line: None,
            is_heard: false,
        }
    }

    pub(super) fn get(&self, route: &[u8]) -> Option<Arc<Caller>> {
        self.table().get(route).cloned()
    }

    pub(super) fn numbers(&self) -> Vec<u64> {
        self.table().values().map(|caller| caller.link.number).collect()
    }

    /// Ends a link; false when nothing is known of it that it could be ended by.
    pub(super) fn cut(&self, number: u64) -> bool {
        let table = self.table();
        match table.values().find(|caller| caller.link.number == number) {
            Some(caller) => caller.line.as_ref().map(Line::cut).is_some(),
            // It went by itself.
            None => true,
        }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<Bytes, Arc<Caller>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller {
    fn hear(&mut self, origin: &Origin) {
        self.is_heard = true;
        self.is_req = origin.kind == "REQ";
        self.link.user.clone_from(&origin.user);
        if let Some(descriptor) = origin.descriptor {
            self.line = Line::of(descriptor);
            self.address = match self.line.as_ref().and_then(Line::peer) {
                Some(peer) => format!("tcp://{peer}"),
                None => "ipc".to_owned(),
            };
        }
    }
}
