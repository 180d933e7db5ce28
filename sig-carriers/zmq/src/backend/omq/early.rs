//! What is sent before the first link is there.
//!
//! The library hands it to the first connection that is made, and loses it when that one fails before its handshake is over, as happens in a
//! crowd: so it waits here until a handshake has succeeded.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use omq_tokio::{Message, Socket, TrySendError};
use tokio::sync::Notify;

/// Messages of a socket that has connected and has no link yet.
#[derive(Debug)]
pub(super) struct Early {
    waiting: Mutex<Waiting>,
    /// Nothing waits here any more, or ever did: what `waiting` says, without its lock.
    is_open: AtomicBool,
    changed: Notify,
    /// How many may wait.
    room: usize,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Message>,
    /// It has connected.
    began: bool,
    /// A link was there, or will not be.
    is_over: bool,
}

/// What became of a message.
pub(super) enum Kept {
    Yes,
    /// It may go by itself.
    Open(Message),
    /// There is no room.
    Full(Message),
}

impl Early {
    pub(super) fn new(room: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            is_open: AtomicBool::new(true),
            changed: Notify::new(),
            room,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Messages wait from now on, if that was not so before; then [`pass_on`](Self::pass_on) is to run.
    pub(super) fn begin(&self) -> bool {
        let mut waiting = self.lock();
        let begins = !std::mem::replace(&mut waiting.began, true);
        if begins {
            self.is_open.store(false, Ordering::Release);
        }
        begins
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// Whether something waits.
    pub(super) fn has_some(&self) -> bool {
        !self.is_open() && !self.lock().messages.is_empty()
    }

    /// Keeps a message, where it has to wait and has room.
    pub(super) fn try_keep(&self, message: Message) -> Kept {
        if self.is_open() {
            return Kept::Open(message);
        }
        let mut waiting = self.lock();
        if waiting.is_over {
            return Kept::Open(message);
        }
        if waiting.messages.len() >= self.room {
            return Kept::Full(message);
        }
        waiting.messages.push_back(message);
        Kept::Yes
    }

    /// The same, waiting for room; gives back what may go by itself.
    pub(super) async fn keep(&self, mut message: Message) -> Option<Message> {
        loop {
            // Before it is looked, so that no change is missed.
            let changed = self.changed.notified();
            match self.try_keep(message) {
                Kept::Yes => return None,
                Kept::Open(message) => return Some(message),
                Kept::Full(returned) => message = returned,
            }
            changed.await;
        }
    }

    /// Waits until nothing waits here any more.
    pub(super) async fn opened(&self) {
        loop {
            let changed = self.changed.notified();
            if self.is_open() {
                return;
            }
            changed.await;
        }
    }

    /// Waits for the first link, and hands over what waits for it.
    pub(super) async fn pass_on(&self, socket: &Socket) {
        let mut seen = socket.connections_generation();
        loop {
            match socket.connections().await {
                Ok(links) if links.iter().any(|link| link.peer_info.is_some()) => break,
                Ok(_) => {}
                Err(_) => return self.give_up(socket),
            }
            match socket.connections_changed(seen).await {
                Ok(now) => seen = now,
                Err(_) => return self.give_up(socket),
            }
        }
        while !self.flush(socket) {
            socket.wait_send_ready().await;
        }
    }

    /// Hands over what has room there. True when that was all, and nothing waits from now on.
    fn flush(&self, socket: &Socket) -> bool {
        let mut waiting = self.lock();
        while let Some(message) = waiting.messages.pop_front() {
            if let Err(TrySendError::Full(message)) = socket.try_send(message) {
                waiting.messages.push_front(message);
                break;
            }
        }
        if waiting.messages.is_empty() {
            self.open(waiting);
            return true;
        }
        drop(waiting);
        self.changed.notify_waiters();
        false
    }

    /// No link is waited for any more: the socket closes, and may have one until its linger is over.
    pub(super) fn give_up(&self, socket: &Socket) {
        let mut waiting = self.lock();
        for message in std::mem::take(&mut waiting.messages) {
            let _ = socket.try_send(message);
        }
        self.open(waiting);
    }

    fn open(&self, mut waiting: MutexGuard<'_, Waiting>) {
        (waiting.began, waiting.is_over) = (true, true);
        self.is_open.store(true, Ordering::Release);
        drop(waiting);
        self.changed.notify_waiters();
    }
}
