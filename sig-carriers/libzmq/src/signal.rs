//! Waiting for a socket.

use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::{Failed, Socket};

/// Tells when [`Socket::ready`] may have changed.
#[derive(Debug)]
pub struct Signal(AsyncFd<OwnedFd>);

impl Signal {
    /// That of a socket, for the tokio runtime of the caller.
    ///
    /// # Errors
    ///
    /// When the system has no room.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn of(socket: &mut Socket) -> Result<Self, Failed> {
        let descriptor = socket.descriptor()?;
        // SAFETY: the descriptor is owned by the result, so that it stays open and the same as long as it is registered.
        let registered = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
        registered.map(Self).map_err(|_| Failed::last())
    }

    /// Waits for a change since the last one that was waited for. Of several that wait at once, one may take it for all.
    pub async fn changed(&self) {
        if let Ok(mut ready) = self.0.readable().await {
            ready.clear_ready();
        }
    }
}
