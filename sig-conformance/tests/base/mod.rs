//! A small carrier that keeps the contract, and the same with one bug out of many.

#![allow(dead_code, reason = "each test crate uses a part of it")]

mod bug;
mod net;
mod table;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use bug::Bug;
pub(crate) use net::Net;
use sig_conformance::{Fixture, Raw, Script, Traits};
use sig_core::bytes::{BufMut as _, Bytes, BytesMut};
use sig_core::{
    Batch, CancellationToken, Carrier, CarrierError, Client, ClientId, CodecError, Disconnect, Encoding, Message,
    PeerInfo, Profile, Reason, Uplink, async_trait,
};
use table::{Entry, Table};
use tokio::io::{AsyncReadExt as _, DuplexStream, ReadHalf};
use tokio_util::task::TaskTracker;

/// What a dialler says first.
const OPENING: u8 = 0x2a;

/// Links as pipes, with frames that have their length in front.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) bug: Bug,
    net: Arc<Net>,
    dials: bool,
    table: Table,
}

impl Base {
    pub(crate) fn listener(net: Arc<Net>, bug: Bug) -> Self {
        Self {
            bug,
            net,
            dials: false,
            table: Table::default(),
        }
    }

    pub(crate) fn dialler(net: Arc<Net>, bug: Bug) -> Self {
        Self {
            dials: true,
            ..Self::listener(net, bug)
        }
    }

    fn has(&self, bug: Bug) -> bool {
        self.bug == bug
    }

    async fn listen(self: Arc<Self>, router: &Uplink) -> Result<(), CarrierError> {
        let mut arrivals = self.net.open();
        let (stop, links) = (router.stop_token().child_token(), TaskTracker::new());
        let (fatal, mut fatality) = tokio::sync::mpsc::channel(1);
        let ended = loop {
            let stream = tokio::select! {
                biased;
                () = stop.cancelled() => break Ok(()),
                Some(error) = fatality.recv() => break Err(error),
                Some(stream) = arrivals.next() => stream,
            };
            let (this, uplink, stop, fatal) = (Arc::clone(&self), router.clone(), stop.clone(), fatal.clone());
            let life = async move {
                let ended = this.accept(stream, &uplink, &stop).await;
                if let (Err(error), true) = (ended, this.has(Bug::EndsForOneBadPeer)) {
                    let _ = fatal.try_send(error);
                }
            };
            router.spawn("base", links.track_future(life));
        };
        drop(arrivals);
        stop.cancel();
        links.close();
        links.wait().await;
        ended
    }

    async fn accept(
        &self,
        mut stream: DuplexStream,
        router: &Uplink,
        stop: &CancellationToken,
    ) -> Result<(), CarrierError> {
        let opening = stop.run_until_cancelled(stream.read_u8()).await;
        match opening {
            Some(Ok(OPENING)) => self.serve(stream, router, stop).await,
            _ => Ok(()),
        }
    }

    /// The life of one link.
    async fn serve(&self, stream: DuplexStream, router: &Uplink, stop: &CancellationToken) -> Result<(), CarrierError> {
        let (mut incoming, outgoing) = tokio::io::split(stream);
        let entry = Arc::new(Entry::new(outgoing));
        let info = PeerInfo::new("base://peer", Encoding::Sig1);
        let registered = (!self.has(Bug::WriterTooLate)).then(|| self.table.register(&entry, self.bug));
        let client = match self.handle_client_connected(router, entry.id, info.clone()).await {
            Ok(client) => client,
            Err(error) => {
                if self.has(Bug::RefusedStays) {
                    stop.cancelled().await;
                }
                return Err(error);
            }
        };
        let registered = registered.unwrap_or_else(|| self.table.register(&entry, self.bug));
        let second = match self.has(Bug::DuplicateConnect) {
            true => Some(self.handle_client_connected(router, ClientId::next(), info).await?),
            false => None,
        };
        if self.has(Bug::LeakOnShutdown) {
            router.spawn("leak", std::future::pending());
        }
        if self.has(Bug::BareSpawn) {
            leak();
        }
        if self.has(Bug::WriteBehind) {
            router.spawn("writer", Arc::clone(&entry).write_behind(stop.clone()));
        }
        let (why, ended) = tokio::select! {
            biased;
            why = entry.closed() => (why, Ok(())),
            () = stop.cancelled() => (Disconnect::new(Reason::Closed, "the carrier was stopped"), Ok(())),
            ended = self.read(&client, &entry, &mut incoming) => match ended {
                Ok(()) => (Disconnect::closed(), Ok(())),
                Err(error @ CarrierError::Io(_)) => (Disconnect::link_lost(&error), Err(error)),
                Err(error) => (Disconnect::new(Reason::Kicked, error.to_string()), Err(error)),
            },
        };
        if self.has(Bug::LostClose) && why.reason == Reason::Closed {
            std::mem::forget(client);
            return ended;
        }
        if why.reason == Reason::Closed {
            let _ = tokio::time::timeout(Duration::from_millis(200), entry.out.lock()).await;
        }
        drop(registered);
        self.handle_client_disconnected(client, why).await;
        drop(second);
        ended
    }

    async fn read(
        &self,
        client: &Client,
        entry: &Entry,
        incoming: &mut ReadHalf<DuplexStream>,
    ) -> Result<(), CarrierError> {
        let mut frames = 0_u64;
        loop {
            if self.has(Bug::ReadsOrWrites) {
                drop(entry.out.lock().await);
            }
            let mut head = [0; 4];
            match incoming.read(&mut head).await? {
                0 => return Ok(()),
                read => incoming.read_exact(&mut head[read..]).await?,
            };
            let length = u32::from_le_bytes(head) as usize;
            if length > client.max_frame() && !self.has(Bug::NoLimit) {
                return Err(CodecError::TooLarge {
                    size: length,
                    limit: client.max_frame(),
                }
                .into());
            }
            if length < 2 {
                return Err(CodecError::Frame(format!("{length} bytes are too few for a frame")).into());
            }
            let mut frame = vec![0; length];
            if self.has(Bug::SplitFrame) {
                let read = incoming.read(&mut frame).await?;
                frame.truncate(read);
            } else {
                match incoming.read_exact(&mut frame).await {
                    Err(_) if self.has(Bug::HalfIsWhole) => return Ok(()),
                    read => drop(read?),
                }
            }
            frames += 1;
            if frames == 1 && self.has(Bug::SwallowedFirst) {
                continue;
            }
            let mut batch = Batch::of_frames(Encoding::Sig1);
            batch.push_frame(frame.into());
            let taken = self.handle_rx(client, &mut batch).await;
            if !self.has(Bug::IgnoresErrors) {
                taken?;
            }
            tokio::task::consume_budget().await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the bug")]
fn leak() {
    tokio::spawn(std::future::pending::<()>());
}

#[async_trait]
impl Carrier for Base {
    fn name(&self) -> &'static str {
        "base"
    }

    async fn run(self: Arc<Self>, router: Uplink) -> Result<(), CarrierError> {
        let ended = if self.dials {
            let stop = router.stop_token();
            let mut stream = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                stream = self.net.connect() => stream?,
            };
            tokio::io::AsyncWriteExt::write_u8(&mut stream, OPENING).await?;
            self.serve(stream, &router, stop).await
        } else {
            Arc::clone(&self).listen(&router).await
        };
        if self.has(Bug::NeverReturns) {
            std::future::pending::<()>().await;
        }
        ended
    }

    async fn handle_tx(&self, client: ClientId, batch: &mut Batch) -> Result<(), CarrierError> {
        if self.table.is_stale(client) {
            batch.clear();
            return Ok(());
        }
        let entry = match self.has(Bug::WrongClient) {
            true => self.table.newest(),
            false => self.table.get(client),
        };
        let entry = entry.ok_or(CarrierError::UnknownClient(client))?;
        let mut left = batch.clone();
        let mut frames: Vec<Bytes> = std::iter::from_fn(|| batch.next_frame()).collect();
        if self.has(Bug::LeavesBatch) {
            std::mem::swap(batch, &mut left);
        }
        if self.has(Bug::ReorderedBatch) {
            frames.reverse();
        }
        let mut bytes = BytesMut::new();
        for frame in frames {
            let copies = match self.has(Bug::DuplicatedMessage) {
                true => entry.copies(),
                false => 1,
            };
            for _ in 0..copies {
                bytes.put_u32_le(u32::try_from(frame.len()).unwrap_or(u32::MAX));
                bytes.put_slice(&frame);
            }
        }
        let _turn = match self.has(Bug::OneWriterForAll) {
            true => Some(self.table.turn.lock().await),
            false => None,
        };
        match self.bug {
            Bug::WriteBehind => entry.put_behind(bytes.freeze()),
            Bug::StuckWriter => entry.write(&bytes).await,
            _ => entry.write_until_closed(&bytes).await,
        }
    }

    fn close_client(&self, client: ClientId, why: &Disconnect) {
        if self.has(Bug::HangingClose) {
            std::thread::sleep(Duration::from_secs(5));
        }
        if self.has(Bug::ClosesNeighbour) {
            self.table.every().iter().for_each(|entry| entry.close(why));
        }
        if let Some(entry) = self.table.get(client) {
            entry.close(why);
        }
    }

    fn profile(&self) -> Profile {
        Profile::default().dialling(self.dials).with_max_frame(1 << 20)
    }

    fn pack(&self, _peer: &PeerInfo, message: &Message, out: &mut BytesMut) -> Result<(), CodecError> {
        let mut message = message.clone();
        if let (Message::Event(event), true) = (&mut message, self.has(Bug::LossyCodec)) {
            event.ext = Bytes::new();
        }
        self.codec().pack(&message, out)
    }

    fn unpack(&self, _peer: &PeerInfo, frame: Bytes) -> Result<Message, CodecError> {
        assert!(
            !self.has(Bug::PanickingCodec) || frame.len() > 1,
            "a message has two bytes or more"
        );
        self.codec().unpack(frame)
    }
}

/// The base carrier, with this bug at both ends.
pub(crate) struct Pipes(pub(crate) Bug);

impl Fixture for Pipes {
    type Address = Arc<Net>;

    fn listener(&self) -> (Arc<dyn Carrier>, Arc<Net>) {
        let net = Arc::new(Net::default());
        (Arc::new(Base::listener(Arc::clone(&net), self.0)), net)
    }

    fn dialler(&self, net: &Arc<Net>) -> Arc<dyn Carrier> {
        Arc::new(Base::dialler(Arc::clone(net), self.0))
    }

    fn traits(&self) -> Traits {
        let patience = if self.0 == Bug::None { 10_000 } else { 1_000 };
        Traits::default()
            .with_volume(20_000, 1 << 20)
            .with_patience(Duration::from_millis(patience))
    }

    async fn raw(&self, net: &Arc<Net>) -> Option<Raw> {
        let script = Script {
            opening: vec![OPENING],
            message: vec![4, 0, 0, 0, 1, 0, b'{', b'}'],
            oversize: vec![0xff, 0xff, 0xff, 0x7f],
            malformed: vec![("an empty frame", vec![0; 4])],
        };
        net.connect().await.ok().map(|stream| Raw::new(stream, script))
    }
}
