//! What a peer says: at first, when it becomes a client, and from then on.

use bytes::{Bytes, BytesMut};
use sig_core::{Batch, Carrier as _, CarrierError, Client, CodecError, Disconnect, Encoding, PeerInfo};
use sig_wire::{Encoding as WireEncoding, Preface};
use tracing::info;

use super::reading::Reading;
use crate::Message;
use crate::carrier::foreign;
use crate::carrier::link::Registered;
use crate::carrier::peers::Peer;
use crate::carrier::spoken::{First, Spoken, body_of, check_frame, whole_frames};

/// Who sent a message.
pub(super) struct From {
    pub(super) number: u64,
    pub(super) route: Bytes,
    pub(super) is_req: bool,
    pub(super) address: String,
}

impl Reading<'_> {
    /// The first message of a peer.
    pub(super) async fn greet(&mut self, from: From, message: Message) {
        if self.is_shut {
            // To one of ours it is a goodbye, and to others the end of a link tells.
            self.say(&from, from.is_req, Bytes::new());
            return self.part_from(from.number);
        }
        let read = body_of(message);
        let delimited = read.as_ref().is_ok_and(|(_, delimited)| *delimited) || from.is_req;
        let first = match &read {
            Ok((body, delimited)) => First::of(body, *delimited, from.is_req),
            Err(why) => First::Stranger(why.clone()),
        };
        let (spoken, answer) = match first {
            First::Offer(offer) => {
                let ours = Preface::new(WireEncoding::Sig1);
                match ours.negotiate(&offer) {
                    Ok(version) => (Spoken::Runs, Some(Preface::chosen(version, ours.encoding))),
                    Err(error) => {
                        info!(address = from.address, %error, "connection refused");
                        self.say(&from, false, Bytes::copy_from_slice(&ours.encode()));
                        return self.part_from(from.number);
                    }
                }
            }
            First::Speaks(spoken) => (spoken, None),
            First::Stranger(why) => {
                info!(address = from.address, why, "a message of no client");
                return self.say(&from, delimited, foreign::unreadable(&why));
            }
        };
        // One program, or two that chose the same name: ZeroMQ routes to the newer link from now on.
        if let Some(former) = self.peers.with_route(&from.route) {
            self.retire(former, Disconnect::link_lost("a newer link has the same identity"))
                .await;
        }
        let number = from.number;
        self.silent.remove(&number);
        let Some((client, link)) = self.announce(from, spoken, answer).await else {
            return self.part_from(number);
        };
        self.peers.insert(number, client, link);
        // An offer has had its answer; anything else counts as what comes later does.
        if answer.is_none()
            && let Ok((body, delimited)) = read
            && let Some(Peer::Open { client, link }) = self.peers.get(number)
            && let Err(end) = self.deliver_body(client, link, body, delimited).await
        {
            self.end(number, end).await;
        }
    }

    /// Makes a client of a peer; `None` when the router does not take it.
    async fn announce(&self, from: From, spoken: Spoken, answer: Option<Preface>) -> Option<(Client, Registered)> {
        let mut info = PeerInfo::new(format!("zmq:{}", from.address), spoken.encoding());
        info.max_frame = self.carrier.profile().max_frame;
        let link = self.carrier.links.register(&self.socket, Some(from.route), spoken);
        if let Some(answer) = answer {
            // Before the router can send anything.
            link.say(Bytes::copy_from_slice(&answer.encode()));
        }
        match self.carrier.handle_client_connected(self.router, link.id(), info).await {
            Ok(client) => Some((client, link)),
            Err(error) => {
                info!(address = from.address, %error, "connection refused");
                if let Spoken::Json { .. } = spoken {
                    link.say(foreign::unreadable(&error.to_string()));
                }
                link.part();
                None
            }
        }
    }

    pub(super) async fn deliver(&self, client: &Client, link: &Registered, message: Message) -> Result<(), End> {
        match body_of(message) {
            Ok((body, delimited)) => self.deliver_body(client, link, body, delimited).await,
            Err(why) => match link.spoken() {
                Spoken::Json { .. } => {
                    link.say(foreign::unreadable(&why));
                    Ok(())
                }
                Spoken::Runs | Spoken::Frames => Err(End::Unreadable(CodecError::Frame(why).into())),
            },
        }
    }

    async fn deliver_body(&self, client: &Client, link: &Registered, body: Bytes, delimited: bool) -> Result<(), End> {
        match link.spoken() {
            Spoken::Runs if body.is_empty() => Err(End::Goodbye),
            Spoken::Runs | Spoken::Frames if delimited => Err(End::Unreadable(
                CodecError::Frame("an empty part before a frame".to_owned()).into(),
            )),
            Spoken::Runs => deliver_run(self.carrier, client, body).await,
            Spoken::Frames => {
                check_frame(&body, client.max_frame()).map_err(|error| End::Unreadable(error.into()))?;
                let mut batch = Batch::of_frames(Encoding::Sig1);
                batch.push_frame(body);
                self.carrier.handle_rx(client, &mut batch).await.map_err(End::Kick)
            }
            Spoken::Json { .. } => match foreign::read(&body, client.max_frame()) {
                Ok(mut batch) => self.carrier.handle_rx(client, &mut batch).await.map_err(End::Kick),
                Err(why) => {
                    client.heard();
                    link.say(foreign::unreadable(&why));
                    Ok(())
                }
            },
        }
    }

    /// Answers a peer that is no client.
    fn say(&self, to: &From, delimited: bool, body: Bytes) {
        let message = Message::from(body);
        let message = if delimited {
            message.with_front(Bytes::new())
        } else {
            message
        };
        let _ = self.socket.try_send(message.with_front(to.route.clone()));
    }
}

/// Why a client cannot stay.
pub(in crate::carrier) enum End {
    /// It said goodbye.
    Goodbye,
    /// The router does not want it any more.
    Kick(CarrierError),
    /// What it sent cannot be read.
    Unreadable(CarrierError),
}

/// Hands the frames of one message to the router.
pub(in crate::carrier) async fn deliver_run<C: sig_core::Carrier>(
    carrier: &C,
    client: &Client,
    body: Bytes,
) -> Result<(), End> {
    // Without a copy where nobody else has a part of the same buffer.
    let mut bytes = body.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    while !bytes.is_empty() {
        // The limit is asked for each time: a hello raises it for what follows.
        let whole = whole_frames(&bytes, client.max_frame());
        if whole.size == 0 {
            let why = whole.then.unwrap_or_else(|| "a message without a frame".to_owned());
            return Err(End::Unreadable(CodecError::Frame(why).into()));
        }
        let mut batch = Batch::from_stream(if whole.size == bytes.len() {
            std::mem::take(&mut bytes)
        } else {
            bytes.split_to(whole.size)
        });
        carrier.handle_rx(client, &mut batch).await.map_err(End::Kick)?;
    }
    Ok(())
}
