//! The life of a link.

use std::io;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use omq_tokio::proto::greeting::GREETING_LEN;
use omq_tokio::proto::{Connection, ConnectionConfig, Event, PeerProperties, Role};
use omq_tokio::{Error, SocketType};
use tokio::io::AsyncWriteExt as _;

use super::hub::{End, Hub};
use super::inbox::{Inbox, Part};
use super::link::Link;
use super::place::{Reader, Ways, Writer};
use super::route::Route;
use super::topics::{Change, TooMany};
use crate::Pattern;
use crate::forwarder::pump::Gate as _;

/// Shakes hands, and passes on what comes, until the peer is gone or the forwarder has ended. Whether there was a link at all.
pub(super) async fn serve(hub: Arc<Hub>, end: End, role: Role, ways: Ways) -> bool {
    let (reader, mut writer) = ways;
    let mut input = Input {
        reader,
        inbox: Inbox::new(hub.options.max_message),
    };
    let Some(shaken) = hub
        .stop
        .run_until_cancelled(hands(&hub, end, role, &mut input, &mut writer))
        .await
    else {
        return false;
    };
    let (codec, peer) = match shaken {
        Ok(shaken) => shaken,
        Err(error) => {
            tracing::debug!(%error, ?end, "no link of a forwarder came of it");
            return false;
        }
    };
    let is_old = codec.peer_minor() == 0;
    let mut present = hub.enter(end, peer.identity.clone(), is_old, writer);
    let link = Arc::clone(&present.link);
    let ended = tokio::select! {
        biased;
        ended = reading(&hub, end, &link, codec, &mut input) => ended,
        () = link.writing() => Ok(()),
    };
    if let Err(error) = ended {
        tracing::debug!(%error, ?end, link = link.number, "a link of a forwarder ends");
    }
    if hub.stop.is_cancelled() {
        present.linger().await;
    }
    true
}

/// What a peer sends.
struct Input {
    reader: Reader,
    inbox: Inbox,
}

/// Counts who is in the middle of a handshake.
struct Shaking<'a>(&'a AtomicUsize);

impl Drop for Shaking<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn hands(
    hub: &Hub,
    end: End,
    role: Role,
    input: &mut Input,
    writer: &mut Writer,
) -> Result<(Connection, Arc<PeerProperties>), Error> {
    let before = hub.shaking.fetch_add(1, Ordering::Relaxed);
    let _shaking = Shaking(&hub.shaking);
    if before >= hub.options.max_pending_handshakes && role == Role::Server {
        return Err(Error::HandshakeFailed("too many are in the middle of one".into()));
    }
    let config = ConnectionConfig::new(role, socket_type(hub.pattern, end))
        .identity(hub.options.identity.clone())
        .max_message_size(hub.options.max_message);
    let mut codec = Connection::new(config);
    let shaken = tokio::time::timeout(hub.options.handshake_timeout, shake(&mut codec, input, writer)).await;
    let peer = shaken.map_err(|_| Error::HandshakeFailed("it took too long".into()))??;
    Ok((codec, peer))
}

async fn shake(codec: &mut Connection, input: &mut Input, writer: &mut Writer) -> Result<Arc<PeerProperties>, Error> {
    let mut greeting = GREETING_LEN;
    let mut heard = Ok(());
    loop {
        // Before an error, for it may tell the peer why.
        let bytes = codec.poll_transmit();
        writer.write_all(&bytes).await?;
        codec.advance_transmit(bytes.len());
        heard?;
        if let Some(Event::HandshakeSucceeded { peer_properties, .. }) = codec.poll_event() {
            return Ok(peer_properties);
        }
        // To the byte: what comes along with the end of it is no longer the codec's.
        let part = match greeting {
            0 => input.inbox.frame()?,
            left => input.inbox.take(left),
        };
        heard = match part {
            Some(part) => {
                greeting = greeting.saturating_sub(part.len());
                codec.handle_input(part)
            }
            None if input.reader.read(&mut input.inbox).await? == 0 => {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            None => Ok(()),
        };
    }
}

/// Reads to the end, or until it is told to stop.
async fn reading(hub: &Hub, end: End, link: &Link, mut codec: Connection, input: &mut Input) -> Result<(), Error> {
    let Input { reader, inbox } = input;
    let mut route = Route::new(hub, end, link);
    let mut stopped = pin!(link.stop.cancelled());
    loop {
        // While it pauses nothing is taken, and whatever came just now is kept.
        if !hub.there.is_running() && hub.there.open().await.is_break() {
            return Ok(());
        }
        let passed = pass(inbox, &mut codec, &mut route, link).await;
        route.flush();
        if passed?.is_break() {
            return Ok(());
        }
        // The end is looked for where nothing is to be read at once, and a task may not read all the time.
        let read = tokio::select! {
            biased;
            read = reader.read(inbox) => read?,
            () = &mut stopped => return Ok(()),
        };
        if read == 0 {
            return Ok(());
        }
    }
}

/// Passes on whatever came.
async fn pass(
    inbox: &mut Inbox,
    codec: &mut Connection,
    route: &mut Route<'_>,
    link: &Link,
) -> Result<ControlFlow<()>, Error> {
    route.begin();
    while let Some(part) = inbox.next()? {
        let message = match part {
            Part::Message(message) => message,
            Part::Command(command) => {
                heed(command, codec, route, link)?;
                continue;
            }
        };
        if route.hears_subscriptions()
            && message.is_one_frame()
            && let Some(change) = Change::of_frame(message.first())
        {
            route.change(&change).map_err(too_many)?;
        } else if route.pass(message).await.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn heed(command: Bytes, codec: &mut Connection, route: &Route<'_>, link: &Link) -> Result<(), Error> {
    codec.handle_input(command)?;
    if codec.has_pending_transmit() {
        let bytes = codec.poll_transmit();
        link.answer(&bytes);
        codec.advance_transmit(bytes.len());
    }
    while let Some(event) = codec.poll_event() {
        if let Event::Command(command) = event
            && let Some(change) = Change::of_command(&command)
        {
            route.change(&change).map_err(too_many)?;
        }
    }
    Ok(())
}

fn too_many(_: TooMany) -> Error {
    Error::Protocol("more subscriptions than one link may have".into())
}

const fn socket_type(pattern: Pattern, end: End) -> SocketType {
    match (pattern, end) {
        (Pattern::Topics, End::Front) => SocketType::XSub,
        (Pattern::Topics, End::Back) => SocketType::XPub,
        (Pattern::Broadcast, End::Front) => SocketType::Sub,
        (Pattern::Broadcast, End::Back) => SocketType::Pub,
        (Pattern::Requests, End::Front) => SocketType::Router,
        (Pattern::Requests, End::Back) => SocketType::Dealer,
        (Pattern::Pipeline, End::Front) => SocketType::Pull,
        (Pattern::Pipeline, End::Back) => SocketType::Push,
    }
}
