//! Media around others: with a short heartbeat, with small frames, and with every read and write in small pieces.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use sig_core::{CarrierError, Halves, Link, Medium, Profile};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Mutex, mpsc};

/// A medium with another heartbeat.
#[derive(Debug)]
pub struct Beating<M> {
    /// The medium itself.
    pub inner: M,
    /// After how much silence a heartbeat is sent.
    pub period: Duration,
}

impl<M: Medium> Medium for Beating<M> {
    const NAME: &'static str = M::NAME;
    type Io = M::Io;

    async fn next(&self) -> Result<Link<Self::Io>, CarrierError> {
        self.inner.next().await
    }

    fn split(io: M::Io) -> Halves {
        M::split(io)
    }

    fn profile(&self) -> Profile {
        self.inner.profile().with_heartbeat(self.period)
    }

    fn close(&self) {
        self.inner.close();
    }
}

/// Listens on TCP; the system keeps little of what is written to a stream and was not taken by the peer.
#[derive(Debug)]
pub struct NarrowListener {
    inner: TcpListener,
    /// Where it listens.
    pub address: SocketAddr,
}

impl NarrowListener {
    /// One on a free port.
    ///
    /// # Panics
    ///
    /// When there is none, or outside of a runtime.
    #[must_use]
    pub fn bind() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        // Streams have it from the socket that accepted them.
        socket.set_send_buffer_size(4096).expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let inner = socket.listen(16).expect("a bound socket");
        let address = inner.local_addr().expect("a bound socket");
        Self { inner, address }
    }
}

impl Medium for NarrowListener {
    const NAME: &'static str = "tcp";
    type Io = TcpStream;

    async fn next(&self) -> Result<Link<Self::Io>, CarrierError> {
        let (stream, peer) = self.inner.accept().await?;
        Ok(Link::new(stream, peer.to_string()))
    }
}

/// A medium whose frames are small.
#[derive(Debug)]
pub struct SmallFrames<M> {
    /// The medium itself.
    pub inner: M,
    /// The largest frame.
    pub max_frame: usize,
}

impl<M: Medium> Medium for SmallFrames<M> {
    const NAME: &'static str = M::NAME;
    type Io = M::Io;

    async fn next(&self) -> Result<Link<Self::Io>, CarrierError> {
        self.inner.next().await
    }

    fn split(io: M::Io) -> Halves {
        M::split(io)
    }

    fn profile(&self) -> Profile {
        self.inner.profile().with_max_frame(self.max_frame)
    }

    fn close(&self) {
        self.inner.close();
    }
}

/// The sizes of the pieces, in turn.
const PIECES: [usize; 7] = [1, 2, 3, 5, 7, 11, 4096];

/// A stream that reads and writes in small pieces of changing size.
#[derive(Debug)]
pub struct Chopped<Io> {
    inner: Io,
    turn: usize,
}

impl<Io> Chopped<Io> {
    fn new(inner: Io) -> Self {
        Self { inner, turn: 0 }
    }

    fn piece(&mut self) -> usize {
        self.turn = (self.turn + 1) % PIECES.len();
        PIECES[self.turn]
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Chopped<Io> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let piece = this.piece().min(buffer.remaining());
        let mut bytes = [0; 4096];
        let mut short = ReadBuf::new(&mut bytes[..piece]);
        let polled = Pin::new(&mut this.inner).poll_read(cx, &mut short);
        buffer.put_slice(short.filled());
        polled
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Chopped<Io> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let piece = this.piece().min(bytes.len());
        Pin::new(&mut this.inner).poll_write(cx, &bytes[..piece])
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

/// Listens on TCP; every stream reads and writes in small pieces.
#[derive(Debug)]
pub struct ChoppedListener(pub TcpListener);

impl Medium for ChoppedListener {
    const NAME: &'static str = "chopped";
    type Io = Chopped<TcpStream>;

    async fn next(&self) -> Result<Link<Self::Io>, CarrierError> {
        let (stream, peer) = self.0.accept().await?;
        Ok(Link::new(Chopped::new(stream), peer.to_string()))
    }
}

/// Connects over TCP; every stream reads and writes in small pieces.
#[derive(Debug)]
pub struct ChoppedDialer(pub SocketAddr);

impl Medium for ChoppedDialer {
    const NAME: &'static str = "chopped";
    type Io = Chopped<TcpStream>;

    async fn next(&self) -> Result<Link<Self::Io>, CarrierError> {
        Ok(Link::new(
            Chopped::new(TcpStream::connect(self.0).await?),
            self.0.to_string(),
        ))
    }

    fn profile(&self) -> Profile {
        Profile::default().dialling(true)
    }
}

/// A stream whose reads give exactly what the test hands in, piece by piece.
#[derive(Debug)]
pub struct Pieces {
    incoming: mpsc::Receiver<Vec<u8>>,
    /// What is left of a piece that did not fit into a read.
    left: Vec<u8>,
    outgoing: DuplexStream,
}

impl Pieces {
    /// The stream, where to hand pieces in, and where to read what is written to it.
    #[must_use]
    pub fn new() -> (Self, mpsc::Sender<Vec<u8>>, DuplexStream) {
        let (give, incoming) = mpsc::channel(64);
        let (outgoing, answers) = tokio::io::duplex(1 << 20);
        let left = Vec::new();
        (
            Self {
                incoming,
                left,
                outgoing,
            },
            give,
            answers,
        )
    }
}

impl AsyncRead for Pieces {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.left.is_empty() {
            match this.incoming.poll_recv(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Ready(Some(piece)) => this.left = piece,
            }
        }
        let fits = this.left.len().min(buffer.remaining());
        buffer.put_slice(&this.left[..fits]);
        this.left.drain(..fits);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().outgoing).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().outgoing).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().outgoing).poll_shutdown(cx)
    }
}

/// Listens for streams that the test makes.
#[derive(Debug)]
pub struct Handed(Mutex<mpsc::Receiver<Pieces>>);

impl Handed {
    /// The medium, and where to hand streams in.
    #[must_use]
    pub fn new() -> (Self, mpsc::Sender<Pieces>) {
        let (give, take) = mpsc::channel(16);
        (Self(Mutex::new(take)), give)
    }
}

impl Medium for Handed {
    const NAME: &'static str = "handed";
    type Io = Pieces;

    async fn next(&self) -> Result<Link<Pieces>, CarrierError> {
        match self.0.lock().await.recv().await {
            Some(io) => Ok(Link::new(io, "a test")),
            // No more will come; those that came live on.
            None => std::future::pending().await,
        }
    }
}
