//! One link: what goes out by it, and what its peer asks for.

use std::future::poll_fn;
use std::mem::replace;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use omq_tokio::Frame;
use omq_tokio::proto::{command, frame};
use sig_core::CancellationToken;
use tokio::sync::Notify;

use super::outbox::Outbox;
use super::place::Writer;
use super::topics::{Change, Topics};
use super::wired::Frames;

/// How many bytes of what a peer must know may wait to be read by it. One that reads nothing is cut off.
const UNTOLD: u64 = 16 << 20;

/// How many bytes of answers to pings may wait. A peer that does not read them has proof of life before it.
const UNANSWERED: u64 = 64 << 10;

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// It waits to be written. `first` of those since the last [`Link::flush`].
    Taken { first: bool },
    /// The peer did not ask for it, or is gone.
    Unwanted,
    /// There is no room. Whoever waits for it is notified.
    Full,
}

pub(super) struct Link {
    /// Its place among those of the forwarder.
    pub(super) number: u64,
    /// What the peer is called by those who answer it.
    pub(super) name: Bytes,
    /// The frame of its name, before the others of a message.
    pub(super) address: Bytes,
    /// Ends the reading.
    pub(super) stop: CancellationToken,
    /// The peer takes subscriptions as messages, as before version 3.1.
    is_old: bool,
    high_water: usize,
    room: Arc<Notify>,
    state: Mutex<State>,
}

struct State {
    /// Until it failed or was closed.
    writer: Option<Writer>,
    outbox: Outbox,
    topics: Topics,
    /// Of the task that writes on when there is room on the link.
    waker: Option<Waker>,
    /// Something was pushed and not flushed.
    is_touched: bool,
    /// Somebody was told that it is full.
    is_awaited: bool,
    /// Nothing but writing what is there is left to do.
    is_leaving: bool,
}

impl Link {
    pub(super) fn new(
        number: u64,
        name: Bytes,
        is_old: bool,
        high_water: usize,
        room: Arc<Notify>,
        stop: CancellationToken,
        writer: Writer,
    ) -> Self {
        let mut address = BytesMut::new();
        let named = Frame::data(name.clone(), true);
        frame::encode_frame(&named, &mut address);
        Self {
            number,
            name,
            address: address.freeze(),
            stop,
            is_old,
            high_water,
            room,
            state: Mutex::new(State {
                writer: Some(writer),
                outbox: Outbox::default(),
                topics: Topics::default(),
                waker: None,
                is_touched: false,
                is_awaited: false,
                is_leaving: false,
            }),
        }
    }

    /// Puts a message behind the others, where the peer asks for its topic and there is room. [`flush`](Self::flush) sends it.
    pub(super) fn offer(&self, topic: Option<&[u8]>, front: &[u8], frames: &Frames<'_>) -> Offer {
        let mut state = self.state();
        if state.writer.is_none() || topic.is_some_and(|topic| !state.topics.matches(topic)) {
            return Offer::Unwanted;
        }
        if state.outbox.messages() >= self.high_water {
            self.write(&mut state);
            if state.outbox.messages() >= self.high_water {
                state.is_awaited = true;
                return Offer::Full;
            }
        }
        state.outbox.push(front, frames);
        let first = !replace(&mut state.is_touched, true);
        Offer::Taken { first }
    }

    /// Writes what there is, as far as the link takes it now. Its own task goes on with the rest.
    pub(super) fn flush(&self) {
        let mut state = self.state();
        state.is_touched = false;
        self.write(&mut state);
    }

    /// Tells a publisher what is wanted. [`flush`](Self::flush) sends it.
    pub(super) fn tell(&self, change: &Change) {
        let mut bytes = BytesMut::new();
        if self.is_old {
            frame::encode_message_flat(&change.to_message().0, &mut bytes);
        } else {
            let mut body = BytesMut::new();
            command::encode(&change.to_command(), &mut body);
            frame::encode_frame(&Frame::command(body.freeze()), &mut bytes);
        }
        let mut state = self.state();
        if state.outbox.bytes() > UNTOLD {
            tracing::debug!(
                link = self.number,
                "a publisher does not read what is wanted, and is cut off"
            );
            self.stop.cancel();
            state.writer = None;
        } else {
            state.outbox.push_command(&bytes);
        }
    }

    /// Sends what the protocol answers by itself.
    pub(super) fn answer(&self, bytes: &[u8]) {
        let mut state = self.state();
        if state.outbox.bytes() < UNANSWERED {
            state.outbox.push_command(bytes);
            self.write(&mut state);
        }
    }

    /// What it asks for.
    pub(super) fn topics<T>(&self, with: impl FnOnce(&mut Topics) -> T) -> T {
        with(&mut self.state().topics)
    }

    /// Writes whenever the link takes more. Ends when it was told to [`leave`](Self::leave) and nothing is left to be written.
    ///
    /// To be polled by one task, from the first message on until it is closed.
    pub(super) async fn writing(&self) {
        poll_fn(|context| {
            let mut state = self.state();
            if !state
                .waker
                .as_ref()
                .is_some_and(|waker| waker.will_wake(context.waker()))
            {
                state.waker = Some(context.waker().clone());
            }
            self.write(&mut state);
            match state.is_leaving && state.is_done() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    /// Lets [`writing`](Self::writing) end.
    pub(super) fn leave(&self) {
        let mut state = self.state();
        state.is_leaving = true;
        if let Some(waker) = &state.waker {
            waker.wake_by_ref();
        }
    }

    /// Closes it at once. What was not written is lost.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.writer = None;
        self.write(&mut state);
    }

    fn write(&self, state: &mut State) {
        let mut context = Context::from_waker(state.waker.as_ref().unwrap_or(Waker::noop()));
        while let Some(writer) = &mut state.writer
            && state.outbox.bytes() > 0
        {
            match writer.as_mut().poll_write(&mut context, state.outbox.next()) {
                Poll::Pending => break,
                Poll::Ready(Ok(written @ 1..)) => state.outbox.advance(written),
                // Its reader sees the end, after what had come before.
                Poll::Ready(_) => state.writer = None,
            }
        }
        if state.writer.is_none() {
            state.outbox = Outbox::default();
        }
        if state.is_awaited && state.outbox.messages() <= self.high_water / 2 {
            state.is_awaited = false;
            self.room.notify_waiters();
        }
        if state.is_leaving
            && state.is_done()
            && let Some(waker) = &state.waker
        {
            waker.wake_by_ref();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_done(&self) -> bool {
        self.outbox.bytes() == 0
    }
}
