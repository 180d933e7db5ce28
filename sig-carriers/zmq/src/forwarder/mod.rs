//! Forwarders: something in the middle that both sides connect to.

mod builder;
mod counts;
mod direct;
pub(crate) mod pump;
mod way;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sig_core::Tasks;
use tokio::sync::watch;

pub use self::builder::{Builder, Pattern};
pub use self::counts::{Count, Statistics, Topics};
pub use self::way::{Direction, Passing};
use self::way::{State, Way};
use crate::forwarder::builder::Side;
use crate::{Endpoint, Error, Options, Socket};

/// What a message that waits for room gets beyond the linger, when the forwarder ends.
const GRACE: Duration = Duration::from_secs(1);

/// Passes messages between two sides that do not know each other: one to one, one to many, many to one, many to many.
///
/// Whole messages go on as they are, in order. Where the other side has no room, the [`Pattern`] decides what happens. It runs until
/// [`terminate`](Self::terminate), until it is dropped, or until one of its sockets fails; any number of them run in one process.
///
/// Over `tcp` and `ipc`, of omq, and without [`Security`](crate::Security), [`Heartbeat`](crate::Heartbeat) and
/// [`conflate`](Options::conflate) it has no sockets but passes messages from link to link, which is faster. Then the only queue is that of
/// [`send_high_water`](Options::send_high_water), one subscriber asks for 16 MiB of prefixes at most, of 1 KiB each, and one who asks for
/// more is cut off.
///
/// ```
/// use sig_carrier_zmq::{Error, Forwarder, Pattern, Socket};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Error> {
/// let forwarder = Forwarder::of(Pattern::Topics).bind_front("inproc://in").bind_back("inproc://out").start().await?;
///
/// let publisher = Socket::xpub()?.connect("inproc://in").await?;
/// let subscriber = Socket::sub()?.connect("inproc://out").await?.subscribe("rain").await?;
/// publisher.recv().await?; // the subscription has come through
/// publisher.send(["rain", "5 mm"]).await?;
/// assert_eq!(subscriber.recv().await?.into_frames(), ["rain", "5 mm"]);
///
/// let told = forwarder.terminate().await;
/// assert_eq!(told.there.messages, 1);
/// # Ok(())
/// # }
/// ```
pub struct Forwarder {
    pattern: Pattern,
    ends: Ends,
    shared: Arc<way::Shared>,
    state: watch::Sender<State>,
    tasks: Tasks,
}

/// What its two sides are.
enum Ends {
    Sockets {
        front: Socket,
        back: Socket,
    },
    /// Links of its own, and where they are.
    Direct {
        front: Vec<Endpoint>,
        back: Vec<Endpoint>,
    },
}

impl Forwarder {
    /// One of this pattern, to be told where its two sides are.
    pub fn of(pattern: Pattern) -> Builder {
        Builder::new(pattern)
    }

    /// Between two sockets.
    fn between(pattern: Pattern, front: Socket, back: Socket, shared: way::Shared) -> Result<Self, Error> {
        let sockets = (front.clone(), back.clone());
        let this = Self::new(pattern, Ends::Sockets { front, back }, shared)?;
        let (front, back) = sockets;
        this.pump("forward", Direction::There, &front, &back)?;
        if pump::flows(back.kind(), front.kind()) {
            this.pump("forward back", Direction::Back, &back, &front)?;
        }
        Ok(this)
    }

    /// Without any.
    async fn direct(pattern: Pattern, sides: [&Side; 2], options: Options, shared: way::Shared) -> Result<Self, Error> {
        let (front, back) = (Vec::new(), Vec::new());
        let mut this = Self::new(pattern, Ends::Direct { front, back }, shared)?;
        let ways = [this.way(Direction::There), this.way(Direction::Back)];
        let [front, back] = direct::start(pattern, sides, options, ways, &this.tasks).await?;
        this.ends = Ends::Direct { front, back };
        Ok(this)
    }

    fn new(pattern: Pattern, ends: Ends, shared: way::Shared) -> Result<Self, Error> {
        let tasks = Tasks::new().map_err(|error| Error::Other {
            kind: pattern.kinds().0,
            reason: error.to_string(),
        })?;
        Ok(Self {
            pattern,
            ends,
            shared: Arc::new(shared),
            state: watch::Sender::new(State::Running),
            tasks,
        })
    }

    fn way(&self, direction: Direction) -> Way {
        let linger = self.shared.linger;
        Way::new(direction, Arc::clone(&self.shared), self.state.subscribe(), linger)
    }

    fn pump(&self, name: &'static str, direction: Direction, from: &Socket, to: &Socket) -> Result<(), Error> {
        let (way, state) = (self.way(direction), self.state.clone());
        let (from, to) = (from.beneath("forward")?, to.beneath("forward")?);
        self.tasks.spawn(name, async move {
            if let Err(error) = pump::pump(&*from, &*to, &way).await {
                let failed = State::Failed(Arc::new(error));
                state.send_if_modified(|state| state.replace_unless_ended(failed));
            }
        });
        Ok(())
    }

    /// What it passes on.
    #[must_use]
    pub fn pattern(&self) -> Pattern {
        self.pattern
    }

    /// Where the side is that messages come from.
    #[must_use]
    pub fn front(&self) -> Vec<Endpoint> {
        match &self.ends {
            Ends::Sockets { front, .. } => front.endpoints(),
            Ends::Direct { front, .. } => front.clone(),
        }
    }

    /// Where the side is that messages go to.
    #[must_use]
    pub fn back(&self) -> Vec<Endpoint> {
        match &self.ends {
            Ends::Sockets { back, .. } => back.endpoints(),
            Ends::Direct { back, .. } => back.clone(),
        }
    }

    /// Takes no more messages, in either direction, until [`resume`](Self::resume). What comes meanwhile waits on the links and up to the
    /// high-water marks; beyond them senders wait, or drop where their type does.
    pub fn pause(&self) {
        self.state
            .send_if_modified(|state| state.exchange(&State::Running, State::Paused));
    }

    /// Takes messages again.
    pub fn resume(&self) {
        self.state
            .send_if_modified(|state| state.exchange(&State::Paused, State::Running));
    }

    /// Whether it is paused.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        matches!(*self.state.borrow(), State::Paused)
    }

    /// What has passed so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.shared.counts.taken()
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    ///
    /// What made it fail, unless it was terminated.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel.
    pub async fn ended(&self) -> Result<(), Arc<Error>> {
        let mut state = self.state.subscribe();
        let ended = state
            .wait_for(|state| matches!(state, State::Ended | State::Failed(_)))
            .await;
        match ended.as_deref() {
            Ok(State::Failed(error)) => Err(Arc::clone(error)),
            _ => Ok(()),
        }
    }

    /// Ends it: what it has taken still goes on, for as long as its sockets linger, and the sockets are closed. Returns what has passed.
    /// Calling it again changes nothing.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, it ends all the same; call it again to wait.
    pub async fn terminate(&self) -> Statistics {
        self.state
            .send_if_modified(|state| state.replace_unless_ended(State::Ended));
        self.tasks.shutdown(self.shared.linger.saturating_add(GRACE)).await;
        if let Ends::Sockets { front, back } = &self.ends {
            tokio::join!(front.close(), back.close());
        }
        self.statistics()
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.state.send_replace(State::Ended);
        match &self.ends {
            Ends::Sockets { .. } => self.tasks.abort(),
            // As sockets do, they linger in the background.
            Ends::Direct { .. } => self.tasks.stop(),
        }
    }
}

impl fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarder")
            .field("pattern", &self.pattern)
            .field("front", &self.front())
            .field("back", &self.back())
            .field("state", &*self.state.borrow())
            .finish_non_exhaustive()
    }
}
