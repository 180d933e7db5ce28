//! Whether a listener lets peers in.

use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// The door of one run of a listening carrier.
#[derive(Debug, Clone)]
pub(super) struct Door {
    /// It is to be shut.
    pub(super) wanted_shut: CancellationToken,
    /// The medium is closed.
    pub(super) is_shut: CancellationToken,
}

/// The door of the newest run of a carrier, if it listens.
#[derive(Debug, Default)]
pub(super) struct Entrance(Mutex<Option<Door>>);

impl Entrance {
    /// A new run has begun, which shuts its door when it is stopped, too.
    pub(super) fn open(&self, stop: &CancellationToken) -> Door {
        let door = Door {
            wanted_shut: stop.child_token(),
            is_shut: CancellationToken::new(),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(door.clone());
        door
    }

    /// Wants the door shut, and waits until it is.
    pub(super) async fn shut(&self) {
        let door = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(door) = door {
            door.wanted_shut.cancel();
            door.is_shut.cancelled().await;
        }
    }
}
