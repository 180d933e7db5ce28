//! What is to be written: appended under a short lock, and taken whole by one writer.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::io::AsyncWriteExt as _;
use tokio::sync::Notify;

use crate::error::Failure;
use crate::stream::Writer;

/// Above this who appends is to wait.
const FULL: usize = 1 << 20;

#[derive(Debug, Default)]
pub(super) struct Outgoing {
    state: Mutex<State>,
    filled: Notify,
    drained: Notify,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    closed: bool,
}

impl Outgoing {
    /// Appends the parts of one frame; false when it is full now.
    pub(super) fn push(&self, parts: &[&[u8]]) -> bool {
        let mut state = self.lock();
        let was_empty = state.bytes.is_empty();
        for part in parts {
            state.bytes.extend_from_slice(part);
        }
        let room = state.bytes.len() < FULL;
        drop(state);
        if was_empty {
            self.filled.notify_one();
        }
        room
    }

    /// Waits for room.
    pub(super) async fn room(&self) {
        loop {
            let drained = self.drained.notified();
            if self.has_room() {
                return;
            }
            drained.await;
        }
    }

    fn has_room(&self) -> bool {
        let state = self.lock();
        state.bytes.len() < FULL || state.closed
    }

    /// Nothing more will be appended; the writer ends behind what is there.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
    }

    /// Writes what is appended until it is closed.
    pub(super) async fn write_to(&self, to: &mut Writer) -> Result<(), Failure> {
        let mut taken = Vec::new();
        loop {
            let closed = {
                let mut state = self.lock();
                std::mem::swap(&mut state.bytes, &mut taken);
                state.closed
            };
            if taken.is_empty() {
                if closed {
                    return Ok(());
                }
                self.filled.notified().await;
                continue;
            }
            self.drained.notify_waiters();
            if let Err(error) = to.write_all(&taken).await {
                self.close();
                self.drained.notify_waiters();
                return Err(error.into());
            }
            taken.clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
