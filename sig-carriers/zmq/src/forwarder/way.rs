//! What happens to the messages of one direction on their way.

use std::future::pending;
use std::mem::discriminant;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::counts::Counts;
use super::pump::Gate;
use crate::{Error, Message, Socket};

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the front to the back.
    There,
    /// From the back to the front: subscriptions and replies.
    Back,
}

/// A message on its way, as an observer sees it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Passing<'a> {
    /// Which way it goes.
    pub direction: Direction,
    /// All of it.
    pub message: &'a Message,
}

pub(super) type Observer = Box<dyn Fn(Passing<'_>) + Send + Sync>;

/// What both directions share.
pub(super) struct Shared {
    pub(super) counts: Counts,
    pub(super) observer: Option<Observer>,
    pub(super) capture: Option<Socket>,
    pub(super) linger: Duration,
}

#[derive(Debug, Clone)]
pub(super) enum State {
    Running,
    Paused,
    Ended,
    Failed(Arc<Error>),
}

impl State {
    pub(super) fn exchange(&mut self, from: &Self, to: Self) -> bool {
        let is = discriminant(self) == discriminant(from);
        if is {
            *self = to;
        }
        is
    }

    pub(super) fn replace_unless_ended(&mut self, end: Self) -> bool {
        let ended = matches!(self, Self::Ended | Self::Failed(_));
        if !ended {
            *self = end;
        }
        !ended
    }
}

/// One direction.
pub(super) struct Way {
    direction: Direction,
    shared: Arc<Shared>,
    state: watch::Receiver<State>,
    linger: Duration,
}

impl Way {
    pub(super) fn new(
        direction: Direction,
        shared: Arc<Shared>,
        state: watch::Receiver<State>,
        linger: Duration,
    ) -> Self {
        Self {
            direction,
            shared,
            state,
            linger,
        }
    }

    /// Whether messages are taken now.
    pub(super) fn is_running(&self) -> bool {
        matches!(*self.state.borrow(), State::Running)
    }

    /// A message is about to go on. It is made of what came where somebody looks at it.
    pub(super) fn pass(&self, topic: &[u8], bytes: usize, message: impl FnOnce() -> Message) {
        self.shared.counts.passed(self.direction, topic, bytes);
        if self.shared.observer.is_some() || self.shared.capture.is_some() {
            self.show(&message());
        }
    }

    fn show(&self, message: &Message) {
        let Shared {
            counts,
            observer,
            capture,
            ..
        } = &*self.shared;
        if let Some(observer) = observer {
            let passing = Passing {
                direction: self.direction,
                message,
            };
            // Looking on must not stop what is looked at.
            if catch_unwind(AssertUnwindSafe(|| observer(passing))).is_err() && counts.observer_panicked() {
                tracing::warn!("the observer of a forwarder panicked; messages go on, and it is asked again");
            }
        }
        if let Some(capture) = capture
            && !matches!(capture.try_send(message.clone()), Ok(None))
        {
            counts.not_captured();
        }
    }

    /// The state as soon as it is one of these.
    async fn state(&self, wanted: impl FnMut(&State) -> bool) -> State {
        let mut state = self.state.clone();
        match state.wait_for(wanted).await {
            Ok(state) => state.clone(),
            // The forwarder was dropped.
            Err(_) => State::Ended,
        }
    }
}

impl Gate for Way {
    fn passing(&self, message: &Message) {
        let topic = message.frame(0).unwrap_or_default();
        self.shared.counts.passed(self.direction, topic, message.byte_len());
        self.show(message);
    }

    fn dropped(&self) {
        self.shared.counts.dropped(self.direction);
    }

    async fn open(&self) -> ControlFlow<()> {
        match self.state(|state| !matches!(state, State::Paused)).await {
            State::Running | State::Paused => ControlFlow::Continue(()),
            State::Ended | State::Failed(_) => ControlFlow::Break(()),
        }
    }

    async fn shut(&self) {
        self.state(|state| !matches!(state, State::Running)).await;
    }

    async fn overdue(&self) {
        self.state(|state| matches!(state, State::Ended | State::Failed(_)))
            .await;
        match self.linger {
            Duration::MAX => pending().await,
            linger => tokio::time::sleep(linger).await,
        }
    }
}
