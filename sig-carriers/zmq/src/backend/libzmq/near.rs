//! Links by `inproc`: who is bound and who is connected in this process.
//!
//! libzmq tells nothing of them, and does not connect again. And who connects to what nobody has bound it keeps for ever, also after it
//! was closed, together with what it has sent. So here a socket connects when there is somebody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::oneshot;

use super::shared::Shared;
use super::told::Told;
use crate::backend::monitor::Link;

/// Who reaches whom by `inproc`.
#[derive(Debug, Default)]
pub(super) struct Near(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    bound: HashMap<String, Socket>,
    pairs: Vec<Pair>,
}

/// One link.
#[derive(Debug)]
struct Pair {
    endpoint: String,
    bound: End,
    connected: End,
    /// Dropped with it.
    _ends: oneshot::Sender<()>,
}

/// Weak, for a socket that is dropped is forgotten by its own end.
#[derive(Debug, Clone)]
struct Socket {
    shared: Weak<Shared>,
    told: Weak<Told>,
}

impl Socket {
    fn of(shared: &Arc<Shared>, told: &Arc<Told>) -> Self {
        Self {
            shared: Arc::downgrade(shared),
            told: Arc::downgrade(told),
        }
    }

    fn is(&self, told: &Arc<Told>) -> bool {
        std::ptr::eq(self.told.as_ptr(), Arc::as_ptr(told))
    }
}

#[derive(Debug)]
struct End {
    socket: Socket,
    /// `None` where others tell of its links.
    link: Option<Link>,
}

impl End {
    fn of(endpoint: &str, socket: Socket) -> Self {
        let tells = socket.told.upgrade().filter(|told| !told.is_sifted());
        Self {
            link: tells.map(|told| told.connected(endpoint.to_owned(), None, None)),
            socket,
        }
    }

    fn lost(self, reason: &str) {
        if let (Some(told), Some(link)) = (self.socket.told.upgrade(), self.link) {
            told.disconnected(link, reason);
        }
    }
}

impl Near {
    /// A socket listens at an endpoint.
    pub(super) fn bound(&self, endpoint: &str, socket: &Arc<Shared>, told: &Arc<Told>) {
        self.table().bound.insert(endpoint.to_owned(), Socket::of(socket, told));
    }

    /// Connects a socket to an endpoint where somebody listens. What is returned ends with the link.
    pub(super) fn connect(
        &self,
        endpoint: &str,
        socket: &Arc<Shared>,
        told: &Arc<Told>,
    ) -> Option<oneshot::Receiver<()>> {
        let mut table = self.table();
        let bound = table.bound.get(endpoint)?.clone();
        // One that ends at this moment has no link.
        socket.with(|raw| raw.connect(endpoint)).ok()?;
        let (end, ends) = oneshot::channel();
        table.pairs.push(Pair {
            endpoint: endpoint.to_owned(),
            bound: End::of(endpoint, bound),
            connected: End::of(endpoint, Socket::of(socket, told)),
            _ends: end,
        });
        Some(ends)
    }

    /// A socket listens at an endpoint no more. Its links stay.
    pub(super) fn unbound(&self, endpoint: &str) {
        self.table().bound.remove(endpoint);
    }

    /// A socket drops its link to an endpoint; whether it had one.
    pub(super) fn disconnect(&self, endpoint: &str, told: &Arc<Told>) -> bool {
        let mut table = self.table();
        let Some(at) = table
            .pairs
            .iter()
            .position(|pair| pair.endpoint == endpoint && pair.connected.socket.is(told))
        else {
            return false;
        };
        let pair = table.pairs.swap_remove(at);
        pair.bound.lost("the link was closed");
        pair.connected.lost("closed here");
        true
    }

    /// A socket has ended. Those at the other ends of its links, which it waits for in the background.
    pub(super) fn ended(&self, told: &Arc<Told>) -> Vec<Weak<Shared>> {
        let mut table = self.table();
        table.bound.retain(|_, bound| !bound.is(told));
        let ended = |pair: &mut Pair| pair.bound.socket.is(told) || pair.connected.socket.is(told);
        let others = table.pairs.extract_if(.., ended).map(|pair| {
            let is_bound = pair.bound.socket.is(told);
            let other = if is_bound { pair.connected } else { pair.bound };
            let socket = Weak::clone(&other.socket.shared);
            other.lost("the socket at the other end was closed");
            socket
        });
        others.collect()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
