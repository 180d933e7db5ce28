//! The links that routers open, as a medium of byte streams.

use std::fmt;

use sig_core::{CarrierError, Link, Medium, Profile};
use tokio::sync::{Mutex, mpsc};

use crate::SCHEME;
use crate::link::Stream;

/// Most links that wait to be taken: of one line only the newest is alive.
const QUEUE: usize = 4;

/// Hands the links of a line to a [`StreamCarrier`](sig_core::StreamCarrier).
pub(super) struct Accepted {
    give: mpsc::Sender<Link<Stream>>,
    take: Mutex<mpsc::Receiver<Link<Stream>>>,
    profile: Profile,
}

impl Accepted {
    pub(super) fn new(profile: Profile) -> Self {
        let (give, take) = mpsc::channel(QUEUE);
        Self {
            give,
            take: Mutex::new(take),
            profile,
        }
    }

    /// A router opened this link. Where there is no room for it, it ends.
    pub(super) fn give(&self, stream: Stream, address: &str) {
        let _ = self.give.try_send(Link::new(stream, address));
    }
}

impl Medium for Accepted {
    const NAME: &'static str = SCHEME;
    type Io = Stream;

    async fn next(&self) -> Result<Link<Stream>, CarrierError> {
        let link = self.take.lock().await.recv().await;
        link.ok_or(CarrierError::Closed)
    }

    fn profile(&self) -> Profile {
        self.profile
    }
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted").finish_non_exhaustive()
    }
}
