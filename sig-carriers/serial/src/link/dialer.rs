//! The dialling side: one run is one link over a port.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use sig_core::{
    Batch, Carrier, CarrierError, ClientId, Codec, CodecError, Disconnect, Link, Medium, Message, PeerInfo, Profile,
    StreamCarrier, Uplink, async_trait,
};
use tokio::sync::{OwnedMutexGuard, oneshot};

use super::drive::{Drive, Event};
use super::pace::Pace;
use super::stream::Stream;
use crate::framing::{Item, Reader, Settings};
use crate::port::{Life, Opened, Port};
use crate::{Codec as Spoken, Line, SCHEME};

/// After how much waiting for an answer people are told what came instead.
const TELL: Duration = Duration::from_secs(3);

/// Connects a router to the one at the other end of a serial line.
///
/// A run waits until the device is there and the other side answers, however long that takes, and is one link. The port is
/// free again when it has ended.
#[derive(Debug)]
pub struct Dialer {
    streams: Arc<StreamCarrier<Wire>>,
}

impl Dialer {
    /// Over this port. The link keeps to the port's options, and tells the other side whether the line is half duplex.
    #[must_use]
    pub fn new(port: Port) -> Self {
        let wire = Wire {
            address: port.address().to_owned(),
            profile: profile(&port).dialling(true),
            port: Arc::new(tokio::sync::Mutex::new(port)),
            router: Mutex::new(None),
        };
        Self {
            streams: Arc::new(StreamCarrier::new(wire)),
        }
    }

    /// The same with this codec: every message then goes through it. Both ends need the same one.
    #[must_use]
    pub fn with_codec(port: Port, codec: impl Codec) -> Self {
        let Self { streams } = Self::new(port);
        // Nobody else has it yet.
        let streams = Arc::into_inner(streams).map(|streams| Arc::new(streams.with_codec(codec)));
        match streams {
            Some(streams) => Self { streams },
            None => unreachable!("made just above"),
        }
    }
}

/// What a router should know of links over this port.
fn profile(port: &Port) -> Profile {
    Profile::default()
        .with_heartbeat(port.options().heartbeat)
        .with_chunk(Pace::from(port.options()).chunk())
}

#[async_trait]
impl Carrier for Dialer {
    fn name(&self) -> &'static str {
        SCHEME
    }

    async fn run(self: Arc<Self>, router: Uplink) -> Result<(), CarrierError> {
        *self
            .streams
            .medium()
            .router
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(router.clone());
        Arc::clone(&self.streams).run(router).await
    }

    async fn handle_tx(&self, client: ClientId, batch: &mut Batch) -> Result<(), CarrierError> {
        self.streams.handle_tx(client, batch).await
    }

    fn try_handle_tx(&self, client: ClientId, batch: &mut Batch) -> Result<bool, CarrierError> {
        self.streams.try_handle_tx(client, batch)
    }

    fn close_client(&self, client: ClientId, why: &Disconnect) {
        self.streams.close_client(client, why);
    }

    fn profile(&self) -> Profile {
        self.streams.profile()
    }

    fn codec(&self) -> &dyn Codec {
        self.streams.codec()
    }

    fn pack(&self, peer: &PeerInfo, message: &Message, out: &mut BytesMut) -> Result<(), CodecError> {
        self.streams.pack(peer, message, out)
    }

    fn unpack(&self, peer: &PeerInfo, frame: Bytes) -> Result<Message, CodecError> {
        self.streams.unpack(peer, frame)
    }
}

/// A port as a medium of one link at a time.
struct Wire {
    address: String,
    profile: Profile,
    port: Arc<tokio::sync::Mutex<Port>>,
    /// The router of this run.
    router: Mutex<Option<Uplink>>,
}

impl Medium for Wire {
    const NAME: &'static str = SCHEME;
    type Io = Stream;

    async fn next(&self) -> Result<Link<Stream>, CarrierError> {
        let router = self.router.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let router = router.ok_or(CarrierError::Closed)?;
        // The link before it lets go of the port when it has said goodbye.
        let mut port = Arc::clone(&self.port).lock_owned().await;
        let opened = port.next(&router).await;
        let (give, stream) = oneshot::channel();
        let stopped = router.stop_token().clone();
        router.spawn(SCHEME, async move {
            // A router that closes gives its links the time to end by themselves.
            let until_late = async {
                stopped.cancelled().await;
                tokio::time::sleep(LATE).await;
            };
            tokio::select! {
                () = run(opened, port, give) => {}
                () = until_late => {}
            }
        });
        match stream.await {
            Ok(Ok(stream)) => Ok(Link::new(stream, &self.address)),
            Ok(Err(why)) => Err(CarrierError::Other(format!("{}: {why}", self.address))),
            Err(_) => Err(CarrierError::Closed),
        }
    }

    fn profile(&self) -> Profile {
        self.profile
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// How long a link may go on after its router was told to stop.
const LATE: Duration = Duration::from_millis(1500);

/// One link, from the opening of the port to its closing.
async fn run(opened: Opened, port: OwnedMutexGuard<Port>, give: oneshot::Sender<Result<Stream, String>>) {
    let Opened { line, mut life, .. } = opened;
    let settings = Settings {
        codec: Spoken::Frames,
        ..Settings::from(port.options())
    };
    let mut drive = Drive::dial(line, Reader::new(settings), Pace::from(port.options()));
    let why = link(&mut drive, &mut life, give).await;
    drive.drain().await;
    // The port is free again when the router learns that it is lost.
    drop(drive);
    life.lost(&why);
}

/// Gives why the link ended.
async fn link<L: Line>(
    drive: &mut Drive<L>,
    life: &mut Life,
    mut give: oneshot::Sender<Result<Stream, String>>,
) -> String {
    let mut seen = Seen::default();
    let tell = tokio::time::sleep(TELL);
    tokio::pin!(tell);
    let (stream, mut told) = loop {
        tokio::select! {
            () = give.closed() => return "the router was stopped".to_owned(),
            () = &mut tell, if !tell.is_elapsed() => life.report(None, &seen.instead(), []),
            event = drive.next() => match event {
                Event::Opened(stream) => break (stream, tell.is_elapsed()),
                Event::Item(item) => seen.note(&item),
                Event::Closed(end) => {
                    let _ = give.send(Err(end.to_string()));
                    return end.to_string();
                }
                Event::Ended(error) => {
                    let why = ended(error);
                    let _ = give.send(Err(why.clone()));
                    return why;
                }
            }
        }
    };
    let _ = give.send(Ok(stream));
    loop {
        if std::mem::take(&mut told) {
            life.report(None, "a router answers at the other end", []);
        }
        match drive.next().await {
            Event::Closed(end) => return end.to_string(),
            Event::Ended(error) => return ended(error),
            // What a router prints on its own line is lost; there is only one link.
            Event::Item(_) | Event::Opened(_) => {}
        }
    }
}

fn ended(error: Option<std::io::Error>) -> String {
    error.map_or_else(|| "the device is gone".to_owned(), |error| error.to_string())
}

/// What came instead of an answer.
#[derive(Debug, Default)]
struct Seen {
    documents: bool,
    text: bool,
}

impl Seen {
    fn note(&mut self, item: &Item) {
        match item {
            Item::Document { .. } => self.documents = true,
            Item::Log(_) => self.text = true,
            Item::Segment(_) => {}
        }
    }

    fn instead(&self) -> String {
        match (self.documents, self.text) {
            (true, _) => "a board is at the other end, and no router: serve the port (sig serve serial:..)",
            (_, true) => "text comes, and no router answers; is one serving the other end, at the same baud rate?",
            _ => "no router answers; is one serving the other end (sig serve serial:..), at the same baud rate?",
        }
        .to_owned()
    }
}
