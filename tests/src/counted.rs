//! Links inside this process that count the events which travel to the dialler, frame by frame.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use sig_core::{CarrierError, Link, Medium, Profile, StreamCarrier};
use sig_wire::{Kind, Split};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::{Mutex, mpsc};

/// What one end of a link holds until the other takes it.
const BUFFER: usize = 64 * 1024;

/// How many event frames the dialler has got.
#[derive(Debug, Clone, Default)]
pub struct Frames(Arc<AtomicU64>);

impl Frames {
    /// How many so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The carriers of both ends: that of the server, that of a client, and what the client gets.
#[must_use]
pub fn counted() -> (StreamCarrier<Accepting>, StreamCarrier<Dialling>, Frames) {
    let (links, accepted) = mpsc::channel(1);
    let frames = Frames::default();
    let dialling = Dialling {
        links,
        frames: frames.clone(),
    };
    (
        StreamCarrier::new(Accepting(Mutex::new(accepted))),
        StreamCarrier::new(dialling),
        frames,
    )
}

/// Where links arrive.
#[derive(Debug)]
pub struct Accepting(Mutex<mpsc::Receiver<DuplexStream>>);

impl Medium for Accepting {
    const NAME: &'static str = "counted";
    type Io = DuplexStream;

    async fn next(&self) -> Result<Link<DuplexStream>, CarrierError> {
        match self.0.lock().await.recv().await {
            Some(io) => Ok(Link::new(io, "a client")),
            None => std::future::pending().await,
        }
    }
}

/// Makes links.
#[derive(Debug)]
pub struct Dialling {
    links: mpsc::Sender<DuplexStream>,
    frames: Frames,
}

impl Medium for Dialling {
    const NAME: &'static str = "counted";
    type Io = Counted;

    async fn next(&self) -> Result<Link<Counted>, CarrierError> {
        let (inner, far) = tokio::io::duplex(BUFFER);
        let refused = |_| io::Error::from(io::ErrorKind::ConnectionRefused);
        self.links.send(far).await.map_err(refused)?;
        let counted = Counted {
            inner,
            read: Vec::new(),
            has_preface: false,
            frames: self.frames.clone(),
        };
        Ok(Link::new(counted, "a server"))
    }

    fn profile(&self) -> Profile {
        Profile::default().dialling(true)
    }
}

/// The dialler's end of a link.
#[derive(Debug)]
pub struct Counted {
    inner: DuplexStream,
    /// What was read of the frame that is not complete yet.
    read: Vec<u8>,
    has_preface: bool,
    frames: Frames,
}

impl Counted {
    fn count(&mut self, bytes: &[u8]) {
        self.read.extend_from_slice(bytes);
        let mut used = 0;
        if !self.has_preface && self.read.len() >= sig_wire::preface::LEN {
            self.has_preface = true;
            used = sig_wire::preface::LEN;
        }
        while self.has_preface
            && let Ok(Split::Frame(frame)) = sig_wire::split(&self.read[used..], u32::MAX)
        {
            used += frame.size();
            self.frames
                .0
                .fetch_add(u64::from(frame.kind == Kind::Event), Ordering::Relaxed);
        }
        self.read.drain(..used);
    }
}

impl AsyncRead for Counted {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.inner).poll_read(cx, buffer);
        this.count(&buffer.filled()[before..]);
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
