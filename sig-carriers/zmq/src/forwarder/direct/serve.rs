//! The life of a link.

use std::io;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use omq_tokio::proto::{Connection, ConnectionConfig, Event, PeerProperties, Role};
use omq_tokio::{Error, SocketType};
use tokio::io::AsyncWriteExt as _;

use super::hub::{End, Hub};
use super::link::Link;
use super::place::{Reader, Ways, Writer};
use super::route::Route;
use super::topics::Change;
use crate::Pattern;
use crate::forwarder::pump::Gate as _;

/// Shakes hands, and passes on what comes, until the peer is gone or the forwarder has ended. Whether there was a link at all.
pub(super) async fn serve(hub: Arc<Hub>, end: End, role: Role, ways: Ways) -> bool {
    let (mut reader, mut writer) = ways;
    let Some(shaken) = hub
        .stop
        .run_until_cancelled(hands(&hub, end, role, &mut reader, &mut writer))
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
        ended = reading(&hub, end, &link, codec, &mut reader) => ended,
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
    reader: &mut Reader,
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
    let shaken = tokio::time::timeout(hub.options.handshake_timeout, shake(&mut codec, reader, writer)).await;
    let peer = shaken.map_err(|_| Error::HandshakeFailed("it took too long".into()))??;
    Ok((codec, peer))
}

async fn shake(codec: &mut Connection, reader: &mut Reader, writer: &mut Writer) -> Result<Arc<PeerProperties>, Error> {
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
        let bytes = reader.read().await?;
        if bytes.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        heard = codec.handle_input(bytes);
    }
}

/// Reads to the end, or until it is told to stop.
async fn reading(hub: &Hub, end: End, link: &Link, mut codec: Connection, reader: &mut Reader) -> Result<(), Error> {
    let mut route = Route::new(hub, end, link);
    // What came along with the end of the handshake.
    let mut heard = Ok(());
    let mut stopped = pin!(link.stop.cancelled());
    loop {
        // While it pauses nothing is taken, and whatever came just now is kept.
        if !hub.there.is_running() && hub.there.open().await.is_break() {
            return Ok(());
        }
        let passed = pass(&mut codec, &mut route, link).await;
        route.flush();
        if passed?.is_break() {
            return Ok(());
        }
        heard?;
        if codec.accepts_input() {
            // The end is looked for where nothing is to be read at once, and a task may not read all the time.
            let bytes = tokio::select! {
                biased;
                bytes = reader.read() => bytes?,
                () = &mut stopped => return Ok(()),
            };
            if bytes.is_empty() {
                return Ok(());
            }
            heard = codec.handle_input(bytes);
        } else {
            heard = codec.resume_input();
        }
    }
}

/// Passes on whatever the codec has found.
async fn pass(codec: &mut Connection, route: &mut Route<'_>, link: &Link) -> Result<ControlFlow<()>, Error> {
    if codec.has_pending_transmit() {
        let bytes = codec.poll_transmit();
        link.answer(&bytes);
        codec.advance_transmit(bytes.len());
    }
    let too_many = |_| Error::Protocol("more subscriptions than one link may have".into());
    while let Some(event) = codec.poll_event() {
        if let Event::Command(command) = event
            && let Some(change) = Change::of_command(&command)
        {
            route.change(&change).map_err(too_many)?;
        }
    }
    route.begin();
    while let Some(message) = codec.poll_message() {
        let message = crate::Message(message);
        if route.hears_subscriptions()
            && let Some(change) = Change::of_message(&message)
        {
            route.change(&change).map_err(too_many)?;
        } else if route.pass(message).await.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
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
