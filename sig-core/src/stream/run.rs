//! The two ways a stream carrier runs, and the life of one link.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::detect::{self, ANSWER_PATIENCE, Answer};
use super::link::{Link, Peer, Wire};
use super::reader;
use super::undecided::Undecided;
use super::writer::part;
use super::{Dialect, GOODBYE, Medium, StreamCarrier};
use crate::carrier::Carrier as _;
use crate::client::{Disconnect, Reason};
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

impl<M: Medium> StreamCarrier<M> {
    /// Accepts links until told to stop. A link's failure is its own.
    pub(super) async fn listen(self: Arc<Self>, router: &Uplink) -> Result<(), CarrierError> {
        let closing = CloseOnDrop(&self.medium);
        let stop = router.stop_token().child_token();
        let (links, undecided) = (TaskTracker::new(), Undecided::new(MAX_UNDECIDED));
        let mut pause = ACCEPT_PAUSE.0;
        let ended = loop {
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(()),
                next = self.medium.next() => next,
            };
            match next {
                Ok(link) => {
                    pause = ACCEPT_PAUSE.0;
                    let (this, uplink, stop) = (Arc::clone(&self), router.clone(), stop.clone());
                    let undecided = Arc::clone(&undecided);
                    let life = async move { this.welcome(link, &uplink, &stop, &undecided).await };
                    router.spawn(M::NAME, links.track_future(life));
                }
                Err(CarrierError::Io(error)) => {
                    warn!(carrier = M::NAME, %error, "cannot accept a connection; trying again in {pause:?}");
                    tokio::select! {
                        () = stop.cancelled() => break Ok(()),
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(ACCEPT_PAUSE.1);
                }
                Err(error) => break Err(error),
            }
        };
        drop(closing);
        stop.cancel();
        links.close();
        links.wait().await;
        ended
    }

    /// One link that was accepted, from its first byte to its end.
    async fn welcome(&self, link: Link<M::Io>, router: &Uplink, stop: &CancellationToken, undecided: &Arc<Undecided>) {
        let address = link.address.clone();
        let peer = if self.dialect == Dialect::Pysig {
            Peer::new(link, Wire::Pysig, BytesMut::new())
        } else {
            let place = undecided.enter();
            let mut link = link;
            let detected = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = place.evicted() => Err(CarrierError::Other(format!(
                    "more than {MAX_UNDECIDED} connections said nothing; this was the oldest"
                ))),
                detected = detect::listener(&mut link.io, self.dialect, self.wire_encoding(), link.patience) => detected,
            };
            match detected {
                Ok(Some(detected)) => Peer::new(link, detected.wire, detected.head),
                Ok(None) => return debug!(carrier = M::NAME, address, "left without a word"),
                Err(error) => {
                    info!(carrier = M::NAME, address, %error, "connection refused");
                    return part(link.io).await;
                }
            }
        };
        match self.serve(peer, router, stop).await {
            Ok(()) => debug!(carrier = M::NAME, address, "link ended"),
            Err(error) => info!(carrier = M::NAME, address, %error, "link ended"),
        }
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
        tokio::select! {
            ended = self.serve(peer, router, stop) => ended,
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
    async fn serve(&self, peer: Peer<M::Io>, router: &Uplink, stop: &CancellationToken) -> Result<(), CarrierError> {
        let info = peer.info(M::NAME, self.profile().max_frame);
        let Peer { link, wire, head } = peer;
        let (mut incoming, outgoing) = tokio::io::split(link.io);
        let registered = self.writers.register(wire, outgoing);
        let client = match self.handle_client_connected(router, registered.id(), info).await {
            Ok(client) => client,
            Err(error) => {
                registered.close(false).await.say(&mut incoming).await;
                return Err(error);
            }
        };
        let end = tokio::select! {
            biased;
            why = registered.closing() => End::LetGo(why),
            () = stop.cancelled() => End::Stopped,
            ended = reader::read(self, &client, &mut incoming, wire, head) => match ended {
                Ok(()) => End::Closed,
                Err(error) => End::Failed(error),
            },
        };
        if matches!(&end, End::Failed(error) if !matches!(error, CarrierError::Io(_)) && client.refuse(error)) {
            let _ = timeout(GOODBYE, registered.closing()).await;
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
