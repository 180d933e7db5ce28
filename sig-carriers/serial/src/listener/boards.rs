//! The boards that are clients, and the way to each.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sig_core::{Batch, CancellationToken, CarrierError, ClientId, Disconnect, Encoding};
use tokio::sync::mpsc;

/// Most batches that wait for a board's task, which takes them at once.
const QUEUE: usize = 16;

/// The boards of one carrier, by client.
#[derive(Debug, Default)]
pub(super) struct Boards(Arc<Mutex<HashMap<ClientId, Arc<Board>>>>);

/// The way to one board.
#[derive(Debug)]
pub(super) struct Board {
    id: ClientId,
    inbox: mpsc::Sender<Batch>,
    closing: CancellationToken,
    why: Mutex<Option<Disconnect>>,
}

/// A board that can be reached, until this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    boards: Arc<Mutex<HashMap<ClientId, Arc<Board>>>>,
    board: Arc<Board>,
    inbox: mpsc::Receiver<Batch>,
}

impl Boards {
    pub(super) fn get(&self, id: ClientId) -> Option<Arc<Board>> {
        locked(&self.0).get(&id).cloned()
    }

    /// Makes room for one.
    pub(super) fn register(&self) -> Seat {
        let (sender, inbox) = mpsc::channel(QUEUE);
        let board = Arc::new(Board {
            id: ClientId::next(),
            inbox: sender,
            closing: CancellationToken::new(),
            why: Mutex::default(),
        });
        locked(&self.0).insert(board.id, Arc::clone(&board));
        Seat {
            boards: Arc::clone(&self.0),
            board,
            inbox,
        }
    }
}

impl Board {
    pub(super) async fn send(&self, batch: &mut Batch) -> Result<(), CarrierError> {
        let place = tokio::select! {
            biased; // There usually is a place at once.
            place = self.inbox.reserve() => place.ok(),
            () = self.closing.cancelled() => None,
        };
        let place = place.ok_or(CarrierError::UnknownClient(self.id))?;
        place.send(mem::replace(batch, Batch::new(Encoding::Values)));
        Ok(())
    }

    /// Sends the batch if there is room; whether it did.
    pub(super) fn try_send(&self, batch: &mut Batch) -> bool {
        let Ok(place) = self.inbox.try_reserve() else {
            return false;
        };
        place.send(mem::replace(batch, Batch::new(Encoding::Values)));
        true
    }

    pub(super) fn close(&self, why: &Disconnect) {
        locked(&self.why).get_or_insert_with(|| why.clone());
        self.closing.cancel();
    }
}

impl Seat {
    pub(super) fn id(&self) -> ClientId {
        self.board.id
    }

    /// What comes next from the router; the reason when the router ends the client.
    pub(super) async fn next(&mut self) -> Result<Batch, Disconnect> {
        tokio::select! {
            biased;
            () = self.board.closing.cancelled() => {}
            Some(batch) = self.inbox.recv() => return Ok(batch),
        }
        Err(locked(&self.board.why).take().unwrap_or_else(Disconnect::closed))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        locked(&self.boards).remove(&self.board.id);
        self.board.closing.cancel();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
