//! How a forwarder is set up.

use std::fmt;
use std::time::Duration;

use super::counts::Counts;
use super::way::Shared;
use super::{Forwarder, Passing, direct};
use crate::forwarder::way::Observer;
use crate::{Error, Kind, Options, Socket};

/// How many topics are told apart unless said otherwise.
const TOPICS: usize = 1024;

/// What a forwarder passes on, and between which types of sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// XSUB in front, XPUB behind: publishers and subscribers, with the subscriptions told to the publishers, so that nobody sends what
    /// nobody wants. A subscriber that is too slow misses messages.
    Topics,
    /// SUB in front, PUB behind: publishers and subscribers, with everything sent to the forwarder. As Juice's proxy does it.
    Broadcast,
    /// ROUTER in front, DEALER behind: requests go to the workers in turn, replies back to who asked. Who is too fast waits.
    Requests,
    /// PULL in front, PUSH behind: work goes to the workers in turn. Who is too fast waits.
    Pipeline,
}

impl Pattern {
    /// The types of the sockets in front and behind.
    #[must_use]
    pub const fn kinds(self) -> (Kind, Kind) {
        match self {
            Self::Topics => (Kind::Xsub, Kind::Xpub),
            Self::Broadcast => (Kind::Sub, Kind::Pub),
            Self::Requests => (Kind::Router, Kind::Dealer),
            Self::Pipeline => (Kind::Pull, Kind::Push),
        }
    }

    /// Whether the first frame of its messages is a topic.
    const fn has_topics(self) -> bool {
        matches!(self, Self::Topics | Self::Broadcast)
    }
}

/// A forwarder to be. Each side may listen and connect at any number of endpoints, and needs one at least.
#[must_use]
pub struct Builder {
    pattern: Pattern,
    front: Side,
    back: Side,
    options: Options,
    topics: usize,
    observer: Option<Observer>,
    capture: Option<Socket>,
}

#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) bind: Vec<String>,
    pub(super) connect: Vec<String>,
}

impl Side {
    fn endpoints(&self) -> impl Iterator<Item = &String> {
        self.bind.iter().chain(&self.connect)
    }

    fn check(&self, name: &str) -> Result<(), Error> {
        if self.endpoints().next().is_none() {
            return Err(Error::Option(format!(
                "the {name} of the forwarder has no endpoint: give it one to bind or to connect"
            )));
        }
        Ok(())
    }

    async fn open(&self, kind: Kind, options: Options) -> Result<Socket, Error> {
        let socket = Socket::open(kind, options)?;
        if kind == Kind::Sub {
            socket.subscribe("").await?;
        }
        for endpoint in &self.bind {
            socket.bind(endpoint).await?;
        }
        for endpoint in &self.connect {
            socket.connect(endpoint).await?;
        }
        Ok(socket)
    }
}

impl Builder {
    pub(super) fn new(pattern: Pattern) -> Self {
        Self {
            pattern,
            front: Side::default(),
            back: Side::default(),
            options: Options::default(),
            topics: TOPICS,
            observer: None,
            capture: None,
        }
    }

    /// The front listens there, as [`Socket::bind`].
    pub fn bind_front(mut self, endpoint: impl Into<String>) -> Self {
        self.front.bind.push(endpoint.into());
        self
    }

    /// The front connects there, as [`Socket::connect`].
    pub fn connect_front(mut self, endpoint: impl Into<String>) -> Self {
        self.front.connect.push(endpoint.into());
        self
    }

    /// The back listens there.
    pub fn bind_back(mut self, endpoint: impl Into<String>) -> Self {
        self.back.bind.push(endpoint.into());
        self
    }

    /// The back connects there.
    pub fn connect_back(mut self, endpoint: impl Into<String>) -> Self {
        self.back.connect.push(endpoint.into());
        self
    }

    /// The options of both its sockets.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// How many topics are counted one by one; 1024 unless said otherwise, 0 for none. Further ones are counted together.
    pub const fn topics(mut self, topics: usize) -> Self {
        self.topics = topics;
        self
    }

    /// Shows every message to a function, before it goes on. The function holds up the messages and should be quick. One that panics
    /// disturbs nothing: it is asked again with the next message.
    pub fn observer(mut self, function: impl Fn(Passing<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Some(Box::new(function));
        self
    }

    /// Sends a copy of every message to a socket, of type PUB, PUSH, PAIR or DEALER. What it has no room for is not captured, and counted.
    pub fn capture(mut self, socket: Socket) -> Self {
        self.capture = Some(socket);
        self
    }

    /// Opens both sides and begins.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] when a side has no endpoint or the capture socket cannot send, and those of [`Socket::open`], [`Socket::bind`] and
    /// [`Socket::connect`].
    ///
    /// # Cancel safety
    ///
    /// Cancelled, nothing was begun.
    pub async fn start(self) -> Result<Forwarder, Error> {
        if let Some(kind) = self.capture.as_ref().map(Socket::kind)
            && !matches!(kind, Kind::Pub | Kind::Push | Kind::Pair | Kind::Dealer)
        {
            return Err(Error::Option(format!(
                "a {kind} socket cannot capture: use PUB, PUSH, PAIR or DEALER"
            )));
        }
        let linger = self.options.linger.unwrap_or(Duration::MAX);
        let shared = Shared {
            counts: Counts::new(if self.pattern.has_topics() { self.topics } else { 0 }),
            observer: self.observer,
            capture: self.capture,
            linger,
        };
        self.back.check("back")?;
        self.front.check("front")?;
        if direct::covers(&self.options, self.front.endpoints().chain(self.back.endpoints())) {
            let sides = [&self.front, &self.back];
            return Forwarder::direct(self.pattern, sides, self.options, shared).await;
        }
        let (front, back) = self.pattern.kinds();
        let options = Options {
            low_latency: self.options.low_latency || self.pattern == Pattern::Requests,
            ..self.options
        };
        // The back first, so that nothing comes in before it can go out.
        let back = self.back.open(back, options.clone()).await?;
        let front = self.front.open(front, options).await?;
        Forwarder::between(self.pattern, front, back, shared)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("pattern", &self.pattern)
            .field("front", &self.front)
            .field("back", &self.back)
            .finish_non_exhaustive()
    }
}
