//! The client's end: a DEALER socket.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use sig_core::{
    Batch, Carrier, CarrierError, ClientId, Disconnect, Encoding, PeerInfo, Profile, Reason, Uplink, async_trait,
};
use sig_wire::{Encoding as WireEncoding, Preface};
use tokio::time::{Instant, sleep_until, timeout};

use super::link::{Links, Registered};
use super::listener::{End, deliver_run};
use super::spoken::{Spoken, body_of};
use super::{GOODBYE, carrier_error, endpoint};
use crate::backend::{self, Backend, LinkEvent, Monitor};
use crate::{Kind, Message, Options};

/// How long the answer to this side's preface may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connects to a listener of ours at one endpoint. One run is one link.
///
/// The ROUTER knows it as its identity with the number of the link behind it, so that what was sent to a former link never
/// reaches a newer one; which program it is says its hello.
#[derive(Debug)]
pub struct Dialer {
    endpoint: String,
    options: Options,
    linger: Option<Duration>,
    links: Arc<Links>,
    /// Counts the runs.
    runs: AtomicU64,
}

impl Dialer {
    /// For an endpoint: `tcp://HOST:PORT`, `ipc://PATH` or `inproc://NAME`.
    ///
    /// # Errors
    ///
    /// [`CarrierError::Address`] when the text is no endpoint. That nobody is there shows when the carrier runs.
    pub fn new(endpoint: &str) -> Result<Self, CarrierError> {
        Self::with_options(endpoint, Options::for_carriers())
    }

    /// For an endpoint, with these options; begin with [`Options::for_carriers`].
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_options(endpoint: &str, options: Options) -> Result<Self, CarrierError> {
        endpoint::check(endpoint)?;
        Ok(Self {
            endpoint: endpoint.to_owned(),
            linger: options.linger,
            // What a run that is dropped had to send is lost at once.
            options: options.linger(Duration::ZERO),
            links: Arc::default(),
            runs: AtomicU64::new(0),
        })
    }

    fn address(&self) -> String {
        format!("zmq:{}", self.endpoint)
    }

    /// A socket that is connecting.
    async fn open(&self) -> Result<Line, CarrierError> {
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        let mut options = self.options.clone();
        if !options.identity.is_empty() {
            let name = [&options.identity[..], b"/", run.to_string().as_bytes()].concat();
            options = options.identity(name);
        }
        let socket = backend::open(Kind::Dealer, &options).map_err(carrier_error)?;
        let monitor = socket.monitor().map_err(carrier_error)?;
        socket.connect(&self.endpoint).await.map_err(carrier_error)?;
        Ok(Line { socket, monitor })
    }

    /// Agrees on the protocol.
    async fn agree(&self, line: &mut Line) -> Result<(), CarrierError> {
        let ours = Preface::new(WireEncoding::Sig1);
        let offer = Message::from(Bytes::copy_from_slice(&ours.encode()));
        let Line { socket, monitor } = line;
        let mut offered = pin!(socket.send(offer));
        let mut is_offered = false;
        let deadline = Instant::now() + PATIENCE;
        let answer = loop {
            tokio::select! {
                biased;
                sent = &mut offered, if !is_offered => {
                    sent.map_err(carrier_error)?;
                    is_offered = true;
                }
                message = socket.recv() => break message.map_err(carrier_error)?,
                event = monitor.next() => self.check(event)?,
                () = sleep_until(deadline) => {
                    return Err(CarrierError::Timeout { what: self.address(), after: PATIENCE });
                }
            }
        };
        let (body, _) = body_of(answer).map_err(CarrierError::Other)?;
        if body.is_empty() {
            return Err(CarrierError::Refused(format!("{} let go of the link", self.address())));
        }
        match Preface::decode(&body) {
            Ok(Some(theirs)) => match ours.negotiate(&theirs) {
                Ok(_) => Ok(()),
                Err(error) => Err(CarrierError::Other(error.to_string())),
            },
            _ => Err(CarrierError::Other(format!(
                "{} does not speak sig/1: it answered \"{}\"",
                self.address(),
                body.get(..body.len().min(64)).unwrap_or_default().escape_ascii()
            ))),
        }
    }

    /// Whether connecting can go on after this.
    fn check(&self, event: Option<LinkEvent>) -> Result<(), CarrierError> {
        let failed = |source| {
            Err(CarrierError::Connect {
                address: self.address(),
                source,
            })
        };
        match event {
            Some(LinkEvent::Connected(_) | LinkEvent::Missed(_)) => Ok(()),
            Some(LinkEvent::Delayed { .. }) => failed(io::ErrorKind::ConnectionRefused.into()),
            Some(LinkEvent::Disconnected { reason, .. } | LinkEvent::Refused { reason, .. }) => {
                failed(io::Error::new(io::ErrorKind::ConnectionAborted, reason))
            }
            None => Err(CarrierError::Closed),
        }
    }

    /// The life of a link.
    async fn serve(&self, router: &Uplink, line: &mut Line) -> Result<(), CarrierError> {
        let link = self.links.register(&line.socket, None, Spoken::Runs);
        let mut info = PeerInfo::new(self.address(), Encoding::Sig1);
        info.max_frame = self.profile().max_frame;
        let client = self.handle_client_connected(router, link.id(), info).await?;
        let (why, ended) = loop {
            let ended = tokio::select! {
                biased;
                () = link.closing() => {
                    let why = link.let_go().cloned().unwrap_or_else(Disconnect::closed);
                    break match why.reason {
                        Reason::LinkLost => (why.clone(), Err(CarrierError::Other(why.detail))),
                        _ => (why, Ok(())),
                    };
                }
                () = router.stopped() => break (Disconnect::new(Reason::Closed, "the carrier was stopped"), Ok(())),
                event = line.monitor.next() => match event {
                    Some(LinkEvent::Disconnected { reason, .. }) => {
                        break self.lost(&client, line, &reason).await;
                    }
                    Some(_) => Ok(()),
                    None => Err(End::Kick(CarrierError::Closed)),
                },
                message = line.socket.recv() => match message {
                    Ok(message) => self.take(&client, line, message).await,
                    Err(error) => Err(End::Kick(carrier_error(error))),
                },
            };
            match ended {
                Ok(()) => {}
                Err(End::Goodbye) => break (Disconnect::closed(), Ok(())),
                Err(End::Kick(error)) => break (Disconnect::new(Reason::Kicked, error.to_string()), Err(error)),
                Err(End::Unreadable(error)) => {
                    if client.refuse(&error) {
                        let _ = timeout(GOODBYE, link.closing()).await;
                    }
                    break (Disconnect::new(Reason::Kicked, error.to_string()), Err(error));
                }
            }
        };
        link.leave();
        if matches!(why.reason, Reason::Closed) {
            link.finish(GOODBYE).await;
        }
        part(link, line, client, self, why).await;
        ended
    }

    /// A message, and those behind it.
    async fn take(&self, client: &sig_core::Client, line: &Line, message: Message) -> Result<(), End> {
        self.deliver(client, message).await?;
        while let Some(message) = line
            .socket
            .try_recv()
            .map_err(|error| End::Kick(carrier_error(error)))?
        {
            self.deliver(client, message).await?;
            tokio::task::consume_budget().await;
        }
        Ok(())
    }

    async fn deliver(&self, client: &sig_core::Client, message: Message) -> Result<(), End> {
        match body_of(message) {
            Ok((body, false)) if body.is_empty() => Err(End::Goodbye),
            Ok((body, false)) => deliver_run(self, client, body).await,
            Ok((_, true)) => Err(End::Unreadable(CarrierError::Other(
                "a message of two frames".to_owned(),
            ))),
            Err(why) => Err(End::Unreadable(CarrierError::Other(why))),
        }
    }

    /// The link is down; what came by it may still be there.
    async fn lost(
        &self,
        client: &sig_core::Client,
        line: &Line,
        reason: &str,
    ) -> (Disconnect, Result<(), CarrierError>) {
        while let Ok(Some(message)) = line.socket.try_recv() {
            match self.deliver(client, message).await {
                Ok(()) => {}
                Err(End::Goodbye) => return (Disconnect::closed(), Ok(())),
                Err(End::Kick(_) | End::Unreadable(_)) => break,
            }
        }
        (
            Disconnect::link_lost(reason),
            Err(CarrierError::Other(reason.to_owned())),
        )
    }
}

/// Says goodbye, and lets the other end go first: a link that is closed with something unread in it may lose what was sent
/// last.
async fn part<C: Carrier>(link: Registered, line: &mut Line, client: sig_core::Client, carrier: &C, why: Disconnect) {
    link.part();
    drop(link);
    let is_there = why.reason != Reason::LinkLost;
    carrier.handle_client_disconnected(client, why).await;
    if is_there {
        // Whether it went or the time is up is the same here.
        let _ = timeout(GOODBYE, line.ended()).await;
    }
}

/// A socket and the news of its link.
#[derive(Debug)]
struct Line {
    socket: Arc<dyn Backend>,
    monitor: Monitor,
}

impl Line {
    /// Waits until the other end has said goodbye or is gone; what else comes is dropped.
    async fn ended(&mut self) {
        loop {
            tokio::select! {
                biased;
                message = self.socket.recv() => match message.map(body_of) {
                    Ok(Ok((body, false))) if body.is_empty() => return,
                    Ok(_) => {}
                    Err(_) => return,
                },
                event = self.monitor.next() => match event {
                    Some(LinkEvent::Disconnected { .. }) | None => return,
                    Some(_) => {}
                },
            }
        }
    }
}

#[async_trait]
impl Carrier for Dialer {
    fn name(&self) -> &'static str {
        "zmq"
    }

    async fn run(self: Arc<Self>, router: Uplink) -> Result<(), CarrierError> {
        let mut line = self.open().await?;
        let agreed = tokio::select! {
            biased;
            () = router.stopped() => None,
            agreed = self.agree(&mut line) => Some(agreed),
        };
        let (ended, linger) = match agreed {
            Some(Ok(())) => (self.serve(&router, &mut line).await, self.linger),
            // Nobody is to hear of this attempt when it is over.
            Some(Err(error)) => (Err(error), Some(Duration::ZERO)),
            None => (Ok(()), Some(Duration::ZERO)),
        };
        line.socket.close(linger).await;
        ended
    }

    async fn handle_tx(&self, client: ClientId, batch: &mut Batch) -> Result<(), CarrierError> {
        self.links.send(client, batch).await
    }

    fn try_handle_tx(&self, client: ClientId, batch: &mut Batch) -> Result<bool, CarrierError> {
        self.links.try_send(client, batch)
    }

    fn close_client(&self, client: ClientId, why: &Disconnect) {
        self.links.close(client, why);
    }

    fn profile(&self) -> Profile {
        self.options.profile().dialling(true)
    }
}
