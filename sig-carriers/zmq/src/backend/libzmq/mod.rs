//! The backend on libzmq, with its drafts.
//!
//! Sockets of libzmq are used by one thread at a time and without blocking: under a lock, and woken by their descriptors.

mod callers;
mod events;
mod failures;
mod frames;
mod near;
mod plain;
mod settings;
mod shared;
mod told;

use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use sig_core::{CancellationToken, Tasks};
use sig_libzmq::{Context, Failed};

pub(crate) use self::callers::Caller;
use self::callers::Callers;
use self::events::Events;
use self::near::Near;
use self::shared::Shared;
use super::asked::Asked;
use super::{Backend, LinkEvent, Monitor, Sender, Subscription, TrySend};
use crate::{Error, Kind, Message, Options, Security};

/// As many as libzmq allows.
const SOCKETS: i32 = 65_535;

/// Of a context of one socket: itself, and those that it is asked and watched by.
const FEW_SOCKETS: i32 = 8;

/// What closing waits beyond the linger until its threads have let go of the endpoints.
const GRACE: Duration = Duration::from_secs(1);

/// How often it looks meanwhile whether they have.
const LOOK: Duration = Duration::from_millis(5);

/// All sockets of the process but those that ask for passwords, so that they reach each other by `inproc`, as those of omq do. It is never
/// ended.
fn world() -> Result<&'static (Context, Near), Failed> {
    static WORLD: OnceLock<Result<(Context, Near), Failed>> = OnceLock::new();
    let world = WORLD.get_or_init(|| Ok((Context::new(SOCKETS)?, Near::default())));
    world.as_ref().map_err(|error| *error)
}

#[derive(Debug)]
pub(crate) struct Socket {
    kind: Kind,
    shared: Arc<Shared>,
    events: Events,
    /// Whom `inproc` reaches; nobody where it would go round a password.
    near: Option<&'static Near>,
    /// The links by `inproc` that are kept up, and the pause between two attempts.
    keeps: Mutex<Keeps>,
    pause: Duration,
    /// Who sends to it, once that was asked for.
    callers: OnceLock<Callers>,
    tasks: Tasks,
}

impl Socket {
    pub(crate) fn open(kind: Kind, options: &Options) -> Result<Self, Error> {
        let asked = Asked::of(kind, "be opened");
        let tasks = Tasks::new().map_err(|error| Error::Other {
            kind,
            reason: error.to_string(),
        })?;
        let place = || -> Result<_, Failed> {
            let (context, near) = world()?;
            match &options.security {
                // It answers for all sockets of a context.
                Security::PlainServer(admission) => {
                    let own = Context::new(FEW_SOCKETS)?;
                    plain::answer_for(&own, admission.clone(), &tasks)?;
                    Ok((own, None))
                }
                _ => Ok((context.clone(), Some(near))),
            }
        };
        let (context, near) = place().map_err(|error| asked.error(error))?;
        let raw = sig_libzmq::Socket::new(&context, number(kind)).map_err(|error| asked.error(error))?;
        settings::apply(kind, options, &raw)?;
        let events = Events::of(&context, &raw, &tasks).map_err(|error| asked.error(error))?;
        let is_vague = matches!(kind, Kind::Router | Kind::Server | Kind::Peer | Kind::Pub | Kind::Xpub);
        let shared = Shared::new(raw, is_vague).map_err(|error| asked.error(error))?;
        Ok(Self {
            kind,
            shared: Arc::new(shared),
            events,
            near,
            keeps: Mutex::default(),
            pause: options.reconnect.0,
            callers: OnceLock::new(),
            tasks,
        })
    }

    /// The next message that is one, of those that are there.
    fn next(&self, raw: &sig_libzmq::Socket) -> Result<Message, Failed> {
        let Some(callers) = self.callers.get() else {
            return frames::recv(self.kind, raw);
        };
        loop {
            let (message, origin) = frames::recv_from(raw)?;
            if let Some(message) = callers.sift(message, &origin) {
                return Ok(message);
            }
        }
    }

    /// Whom `inproc` reaches from this socket.
    fn near(&self, endpoint: &str) -> Result<Option<&'static Near>, Error> {
        if self.near.is_none() && endpoint.starts_with("inproc:") {
            return Err(Error::Endpoint {
                endpoint: endpoint.to_owned(),
                reason:
                    "nobody is asked for a password by inproc: use another transport, or another socket without PLAIN"
                        .to_owned(),
            });
        }
        Ok(self.near)
    }

    fn asked(&self, action: &'static str) -> Asked<'static> {
        Asked::of(self.kind, action)
    }

    /// Connects now, or as soon as somebody listens, and again when the link is lost.
    fn connect_near(&self, near: &'static Near, endpoint: &str) -> Result<(), Error> {
        let (shared, told) = (Arc::clone(&self.shared), Arc::clone(self.events.told()));
        let (endpoint, pause) = (endpoint.to_owned(), self.pause);
        // It is closed.
        shared
            .with(|_| Ok(()))
            .map_err(|error| self.asked("connect").error(error))?;
        let mut link = near.connect(&endpoint, &shared, &told);
        let mut keeps = self.keeps.lock().unwrap_or_else(PoisonError::into_inner);
        let until = keeps.begin(&endpoint);
        self.tasks.spawn("inproc", async move {
            let keeping = async {
                loop {
                    match link.take() {
                        // Ends by being dropped.
                        Some(link) => drop(link.await),
                        None => told.tell(LinkEvent::Delayed {
                            endpoint: endpoint.clone(),
                        }),
                    }
                    tokio::time::sleep(pause).await;
                    link = near.connect(&endpoint, &shared, &told);
                }
            };
            until.run_until_cancelled(keeping).await;
        });
        Ok(())
    }

    /// Something about endpoints.
    fn wire<T>(
        &self,
        action: &'static str,
        endpoint: &str,
        call: impl FnOnce(&sig_libzmq::Socket) -> Result<T, Failed>,
    ) -> Result<T, Error> {
        super::omq::check(endpoint)?;
        let asked = self.asked(action).at(endpoint);
        self.shared.with(call).map_err(|error| asked.error(error))
    }
}

#[async_trait]
impl Backend for Socket {
    async fn bind(&self, endpoint: &str) -> Result<String, Error> {
        let near = self.near(endpoint)?;
        let bound = self.wire("bind", endpoint, |raw| {
            raw.bind(endpoint)?;
            raw.last_endpoint()
        })?;
        if let Some(near) = near.filter(|_| endpoint.starts_with("inproc:")) {
            near.bound(&bound, &self.shared, self.events.told());
        }
        Ok(bound)
    }

    async fn connect(&self, endpoint: &str) -> Result<(), Error> {
        match self.near(endpoint)? {
            Some(near) if endpoint.starts_with("inproc:") => {
                super::omq::check(endpoint)?;
                self.connect_near(near, endpoint)
            }
            _ => self.wire("connect", endpoint, |raw| raw.connect(endpoint)),
        }
    }

    async fn connect_peer(&self, endpoint: &str) -> Result<Bytes, Error> {
        self.near(endpoint)?;
        let id = self.wire("connect", endpoint, |raw| raw.connect_peer(endpoint))?;
        Ok(frames::identity(id))
    }

    async fn unbind(&self, endpoint: &str) -> Result<(), Error> {
        let gone = self.events.unbound(endpoint);
        self.wire("unbind", endpoint, |raw| raw.unbind(endpoint))?;
        if let Some(near) = self.near.filter(|_| endpoint.starts_with("inproc:")) {
            near.unbound(endpoint);
            return Ok(());
        }
        // Its threads let go a moment later, and somebody may want the endpoint now.
        let _ = tokio::time::timeout(GRACE, gone).await;
        Ok(())
    }

    /// Its listener owns what it has accepted.
    fn unbinding_drops_links(&self) -> bool {
        true
    }

    async fn disconnect(&self, endpoint: &str) -> Result<(), Error> {
        let Some(near) = self.near.filter(|_| endpoint.starts_with("inproc:")) else {
            return self.wire("disconnect", endpoint, |raw| raw.disconnect(endpoint));
        };
        if !self.keeps.lock().unwrap_or_else(PoisonError::into_inner).end(endpoint) {
            // Its error.
            return self.wire("disconnect", endpoint, |raw| raw.disconnect(endpoint));
        }
        if near.disconnect(endpoint, self.events.told()) {
            // A link that ends at this moment is as good as dropped.
            let _ = self.shared.with(|raw| raw.disconnect(endpoint));
        }
        Ok(())
    }

    async fn send(&self, message: Message) -> Result<(), Error> {
        let kind = self.kind;
        let sent = self.shared.sending(|raw| frames::send(kind, raw, &message)).await;
        sent.map_err(|error| self.asked("send").error(error))
    }

    fn try_send(&self, message: Message) -> Result<(), TrySend> {
        match self.shared.send_now(|raw| frames::send(self.kind, raw, &message)) {
            Ok(()) => Ok(()),
            Err(Failed::AGAIN) => Err(TrySend::Full(message)),
            Err(error) => Err(TrySend::Failed(self.asked("send").error(error))),
        }
    }

    async fn recv(&self) -> Result<Message, Error> {
        let received = self.shared.receiving(|raw| self.next(raw)).await;
        received.map_err(|error| self.asked("receive").error(error))
    }

    fn try_recv(&self) -> Result<Option<Message>, Error> {
        match self.shared.receive_now(|raw| self.next(raw)) {
            Ok(message) => Ok(Some(message)),
            Err(Failed::AGAIN) => Ok(None),
            Err(error) => Err(self.asked("receive").error(error)),
        }
    }

    async fn subscription(&self, change: Subscription) -> Result<(), Error> {
        let action = match change {
            Subscription::Add(_) => "subscribe",
            Subscription::Remove(_) => "unsubscribe",
            Subscription::Join(_) => "join",
            Subscription::Leave(_) => "leave",
        };
        let kind = self.kind;
        let done = self.shared.sending(|raw| frames::subscribe(kind, raw, &change)).await;
        done.map_err(|error| self.asked(action).error(error))
    }

    fn monitor(&self) -> Result<Monitor, Error> {
        Ok(self.events.monitor())
    }

    fn know_senders(&self) -> Result<(), Error> {
        let told = self.events.told();
        let callers = self.shared.with(|raw| Callers::of(raw, told));
        let callers = callers.map_err(|error| self.asked("tell its peers apart").error(error))?;
        // Asking twice changes nothing.
        let _ = self.callers.set(callers);
        Ok(())
    }

    fn sender<'a>(&self, message: &'a Message) -> Option<Sender<'a>> {
        let caller = self.callers.get()?.get(message.frame(0)?)?;
        Some(Sender::Caller(caller))
    }

    async fn links(&self) -> Option<Vec<u64>> {
        self.callers.get().map(Callers::numbers)
    }

    async fn drop_link(&self, link: u64) -> Result<(), Error> {
        match self.callers.get() {
            Some(callers) if callers.cut(link) => Ok(()),
            _ => Err(Error::Unsupported {
                what: "dropping a link by inproc, or one that said nothing, on a socket of libzmq".into(),
                fix: "use Library::Omq, or leave it to the peer",
            }),
        }
    }

    async fn close(&self, linger: Option<Duration>) {
        let others = self.leave();
        let ended = self.events.ended();
        self.shared.close(linger);
        let ended = async {
            let mut ended = pin!(ended);
            // By `inproc` it also waits for those at the other ends to look at their news, and nobody may use them now.
            while tokio::time::timeout(LOOK, &mut ended).await.is_err() {
                for other in others.iter().filter_map(Weak::upgrade) {
                    let _ = other.with(|_| Ok(()));
                }
            }
        };
        match linger {
            Some(linger) => {
                let _ = tokio::time::timeout(linger.saturating_add(GRACE), ended).await;
            }
            None => ended.await,
        }
        self.tasks.abort();
    }
}

impl Socket {
    /// From now on nobody is connected to it by `inproc`.
    fn leave(&self) -> Vec<Weak<Shared>> {
        self.near.map(|near| near.ended(self.events.told())).unwrap_or_default()
    }
}

/// The links that are to be kept up, by their endpoints.
#[derive(Debug, Default)]
struct Keeps(Vec<(String, CancellationToken)>);

impl Keeps {
    fn begin(&mut self, endpoint: &str) -> CancellationToken {
        let until = CancellationToken::new();
        self.0.push((endpoint.to_owned(), until.clone()));
        until
    }

    /// Ends one of them; false when there is none.
    fn end(&mut self, endpoint: &str) -> bool {
        let Some(at) = self.0.iter().position(|(one, _)| one == endpoint) else {
            return false;
        };
        self.0.swap_remove(at).1.cancel();
        true
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.leave();
        self.shared.abandon();
    }
}

const fn number(kind: Kind) -> i32 {
    match kind {
        Kind::Pair => 0,
        Kind::Pub => 1,
        Kind::Sub => 2,
        Kind::Req => 3,
        Kind::Rep => 4,
        Kind::Dealer => 5,
        Kind::Router => 6,
        Kind::Pull => 7,
        Kind::Push => 8,
        Kind::Xpub => 9,
        Kind::Xsub => 10,
        Kind::Stream => 11,
        Kind::Server => 12,
        Kind::Client => 13,
        Kind::Radio => 14,
        Kind::Dish => 15,
        Kind::Gather => 16,
        Kind::Scatter => 17,
        Kind::Dgram => 18,
        Kind::Peer => 19,
        Kind::Channel => 20,
    }
}
