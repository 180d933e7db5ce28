//! The two ways a stream carrier runs, and the life of one link.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::detect::{self, ANSWER_PATIENCE, Answer};
use super::door::Door;
use super::halves::{Halves, Incoming};
use super::link::{Link, Peer, Wire};
use super::reader::Reader;
use super::undecided::Undecided;
use super::writer::{Registered, part};
use super::{Dialect, GOODBYE, Medium, StreamCarrier};
use crate::carrier::Carrier as _;
use crate::client::{Client, Disconnect, Reason};
use crate::error::CarrierError;
use crate::uplink::Uplink;

/// Most connections that have not said yet what they speak.
const MAX_UNDECIDED: usize = 512;

/// Pauses after failures to accept: the first and the longest.
const ACCEPT_PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// How long a dialler that speaks nothing but sig/1 waits for the answer to its preface.
const SIG1_PATIENCE: Duration = Duration::from_secs(10);

/// How a link ended.
enum End {
    /// The peer closed it.
    Closed,
    /// The carrier was told to stop.
    Stopped,
    /// The router let go of the client, or writing to it failed.
    LetGo(Disconnect),
    /// Reading failed, or what came is not allowed.
    Failed(CarrierError),
}

impl End {
    fn disconnect(&self) -> Disconnect {
        match self {
            Self::Closed => Disconnect::closed(),
            Self::Stopped => Disconnect::new(Reason::Closed, "the carrier was stopped"),
            Self::LetGo(why) => why.clone(),
            Self::Failed(error @ CarrierError::Io(_)) => Disconnect::link_lost(error),
            Self::Failed(error) => Disconnect::new(Reason::Kicked, error.to_string()),
        }
    }

    fn into_result(self) -> Result<(), CarrierError> {
        match self {
            Self::Closed | Self::Stopped => Ok(()),
            Self::LetGo(why) if why.reason == Reason::LinkLost => Err(CarrierError::Other(why.detail)),
            Self::LetGo(_) => Ok(()),
            Self::Failed(error) => Err(error),
        }
    }
}

/// What the links of one run of a listening carrier share.
struct Run<M: Medium> {
    carrier: Arc<StreamCarrier<M>>,
    router: Uplink,
    stop: CancellationToken,
    undecided: Arc<Undecided>,
}

impl<M: Medium> Run<M> {
    /// One link that was accepted, from its first byte to its end.
    ///
    /// This future is most of what an idle link needs: what is over is in boxes, which are gone by then.
    fn welcome(self: Arc<Self>, link: Link<M::Io>) -> impl Future<Output = ()> + Send {
        let address = link.address.clone();
        let detecting = Box::pin(Arc::clone(&self).detect(link));
        async move {
            let Some(peer) = detecting.await else { return };
            match self.carrier.serve(peer, &self.router, &self.stop).await {
                Ok(()) => debug!(carrier = M::NAME, address, "link ended"),
                Err(error) => info!(carrier = M::NAME, address, %error, "link ended"),
            }
        }
    }

    /// Ends the links when the carrier is told to stop and has closed its medium. One that comes later looks for itself.
    async fn stop_links(self: Arc<Self>, door: Door) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = async { self.router.stopped().await; door.is_shut.cancelled().await } => self.stop.cancel(),
        }
        self.carrier.writers.stop();
    }

    /// Finds out what a peer speaks. `None`: nothing that could be served, and it is gone.
    async fn detect(self: Arc<Self>, mut link: Link<M::Io>) -> Option<Peer<M::Io>> {
        let carrier = &*self.carrier;
        if carrier.dialect == Dialect::Pysig {
            return Some(Peer::new(link, Wire::Pysig, BytesMut::new()));
        }
        let place = self.undecided.enter();
        let detected = tokio::select! {
            biased;
            () = self.stop.cancelled() => return None,
            () = place.evicted() => Err(CarrierError::Other(format!(
                "more than {MAX_UNDECIDED} connections said nothing; this was the oldest"
            ))),
            detected = detect::listener(&mut link.io, carrier.dialect, carrier.wire_encoding(), link.patience) => detected,
        };
        drop(place);
        let address = &link.address;
        match detected {
            Ok(Some(detected)) => return Some(Peer::new(link, detected.wire, detected.head)),
            Ok(None) => debug!(carrier = M::NAME, address, "left without a word"),
            Err(error) => {
                info!(carrier = M::NAME, address, %error, "connection refused");
                part(link.io).await;
            }
        }
        None
    }
}

impl<M: Medium> StreamCarrier<M> {
    /// Accepts links until told to stop. A link's failure is its own.
    ///
    /// The medium is closed before the first link ends: a peer that connects again at once must not be taken for a
    /// moment by a listener that is about to go.
    pub(super) async fn listen(self: Arc<Self>, router: &Uplink) -> Result<(), CarrierError> {
        let run = Arc::new(Run {
            carrier: Arc::clone(&self),
            router: router.clone(),
            stop: CancellationToken::new(),
            undecided: Undecided::new(MAX_UNDECIDED),
        });
        let (door, links) = (self.entrance.open(router.stop_token()), TaskTracker::new());
        // Dropped in the opposite order, also when the run is dropped.
        let shut = door.is_shut.clone().drop_guard();
        let closing = CloseOnDrop(&self.medium);
        // One task watches the token for all links.
        router.spawn(M::NAME, links.track_future(Arc::clone(&run).stop_links(door.clone())));
        let mut pause = ACCEPT_PAUSE.0;
        let ended = loop {
            let next = tokio::select! {
                biased;
                () = door.wanted_shut.cancelled() => break Ok(()),
                next = self.medium.next() => next,
            };
            match next {
                Ok(link) => {
                    pause = ACCEPT_PAUSE.0;
                    router.spawn(M::NAME, links.track_future(Arc::clone(&run).welcome(link)));
                }
                Err(CarrierError::Io(error)) => {
                    warn!(carrier = M::NAME, %error, "cannot accept a connection; trying again in {pause:?}");
                    tokio::select! {
                        () = door.wanted_shut.cancelled() => break Ok(()),
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(ACCEPT_PAUSE.1);
                }
                Err(error) => break Err(error),
            }
        };
        drop(closing);
        drop(shut);
        if ended.is_ok() {
            router.stopped().await;
        }
        run.stop.cancel();
        links.close();
        links.wait().await;
        ended
    }

    /// Connects once, and serves that link.
    pub(super) async fn dial(&self, router: &Uplink) -> Result<(), CarrierError> {
        let _closing = CloseOnDrop(&self.medium);
        let stop = router.stop_token();
        let (peer, silent) = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            connected = self.connect() => connected?,
        };
        let address = peer.link.address.clone();
        let mut serving = pin!(self.serve(peer, router, stop));
        tokio::select! {
            ended = &mut serving => ended,
            () = stop.cancelled() => {
                self.writers.stop();
                serving.await
            }
            () = detect::late_answer(silent) => Err(CarrierError::Other(format!(
                "{address} answered in sig/1 after all, later than {ANSWER_PATIENCE:?}; connecting again"
            ))),
        }
    }

    /// A link whose protocol is agreed, and the one that got no answer before it, if there was one.
    async fn connect(&self) -> Result<(Peer<M::Io>, Option<M::Io>), CarrierError> {
        let mut link = self.medium.next().await?;
        if self.dialect == Dialect::Pysig {
            return Ok((Peer::new(link, Wire::Pysig, BytesMut::new()), None));
        }
        // A codec of its own has no JSON to fall back to.
        let can_fall_back = self.dialect == Dialect::Auto && self.codec.is_none();
        // A router that is restarted, or a proxy before one, closes links without a word. That is no pysig server yet.
        let spoke_sig1 = self.spoke_sig1.load(Ordering::Relaxed);
        let patience = if can_fall_back && !spoke_sig1 {
            ANSWER_PATIENCE
        } else {
            SIG1_PATIENCE
        };
        let answer = detect::dialler(&mut link.io, self.wire_encoding(), patience).await?;
        let what = format!("{}://{}", M::NAME, link.address);
        let silent = match answer {
            Answer::Agreed(wire) => {
                self.spoke_sig1.store(true, Ordering::Relaxed);
                return Ok((Peer::new(link, wire, BytesMut::new()), None));
            }
            Answer::Closed if spoke_sig1 => {
                return Err(CarrierError::Other(format!("{what} closed the link without an answer")));
            }
            Answer::Silence if can_fall_back => Some(link.io),
            Answer::Closed | Answer::Json if can_fall_back => None,
            Answer::Silence => return Err(CarrierError::Timeout { what, after: patience }),
            Answer::Closed | Answer::Json => {
                return Err(CarrierError::Other(format!(
                    "{what} does not speak sig/1; for a pysig server use the dialect pysig"
                )));
            }
        };
        info!("{what} does not answer in sig/1; speaking pysig's JSON with it");
        let link = self.medium.next().await?;
        Ok((Peer::new(link, Wire::Pysig, BytesMut::new()), silent))
    }

    /// The life of a client.
    fn serve<'a>(
        &'a self,
        peer: Peer<M::Io>,
        router: &'a Uplink,
        stop: &'a CancellationToken,
    ) -> impl Future<Output = Result<(), CarrierError>> + Send + 'a {
        // Out here, where what is only passed on takes no room in the future.
        let info = peer.info(M::NAME, self.profile().max_frame);
        let Peer { link, wire, head } = peer;
        let Halves { mut incoming, outgoing } = M::split(link.io);
        let mut reader = Reader::new(wire, head);
        let registered = self.writers.register(wire, outgoing);
        let connected = self.handle_client_connected(router, registered.id(), info);
        async move {
            let client = match connected.await {
                Ok(client) => client,
                Err(error) => {
                    Box::pin(async { registered.close(false).await.say(&mut incoming).await }).await;
                    return Err(error);
                }
            };
            let end = if stop.is_cancelled() {
                End::Stopped
            } else {
                tokio::select! {
                    biased;
                    why = registered.closing() => why.map_or(End::Stopped, End::LetGo),
                    ended = reader.read(self, &client, &mut incoming) => match ended {
                        Ok(()) => End::Closed,
                        Err(error) => End::Failed(error),
                    },
                }
            };
            Box::pin(self.part(client, registered, incoming, end)).await
        }
    }

    /// The end of a client.
    async fn part(
        &self,
        client: Client,
        registered: Registered,
        mut incoming: Incoming,
        end: End,
    ) -> Result<(), CarrierError> {
        if matches!(&end, End::Failed(error) if !matches!(error, CarrierError::Io(_)) && client.refuse(error)) {
            let _ = timeout(GOODBYE, registered.let_go()).await;
        }
        let finish = matches!(end, End::Closed | End::Stopped);
        let goodbye = registered.close(finish).await;
        self.handle_client_disconnected(client, end.disconnect()).await;
        goodbye.say(&mut incoming).await;
        end.into_result()
    }
}

/// Closes the medium for peers when the run ends, also when it is dropped.
struct CloseOnDrop<'a, M: Medium>(&'a M);

impl<M: Medium> Drop for CloseOnDrop<'_, M> {
    fn drop(&mut self) {
        self.0.close();
    }
}
