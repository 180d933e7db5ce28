//! Where links come from: the transports of the library, as streams of bytes.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use omq_tokio::transport::ipc::{IpcListener, IpcStream};
use omq_tokio::transport::tcp::TcpListener;
use omq_tokio::transport::{IpcTransport, Listener as _, TcpTransport, Transport as _};
use omq_tokio::{Endpoint, Error};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::inbox::Inbox;

/// How much is read at once, where little comes and where much does.
const LITTLE: usize = 4 << 10;
const MUCH: usize = 64 << 10;

pub(super) type Writer = Pin<Box<dyn AsyncWrite + Send>>;

/// What comes in by a link.
pub(super) struct Reader {
    bytes: Pin<Box<dyn AsyncRead + Send>>,
    /// The last time there was as much as was asked for.
    is_much: bool,
}

/// Both ways of a link.
pub(super) type Ways = (Reader, Writer);

impl Reader {
    fn new(bytes: impl AsyncRead + Send + 'static) -> Self {
        let bytes = Box::pin(bytes);
        Self { bytes, is_much: false }
    }

    /// Puts what comes next behind the rest. How much that was, nothing at the end. An empty inbox has little room while it waits, so that a
    /// silent link costs no buffer.
    ///
    /// Cancelled, nothing is lost.
    pub(super) async fn read(&mut self, inbox: &mut Inbox) -> io::Result<usize> {
        poll_fn(|context| {
            let read = match self.is_much {
                true => self.poll::<MUCH>(context, inbox),
                false => self.poll::<LITTLE>(context, inbox),
            };
            if read.is_pending() {
                inbox.shrink();
            }
            read
        })
        .await
    }

    /// A large piece is for the stack of this alone, not of whoever waits.
    #[inline(never)]
    fn poll<const PIECE: usize>(&mut self, context: &mut Context<'_>, inbox: &mut Inbox) -> Poll<io::Result<usize>> {
        let mut piece = [const { MaybeUninit::uninit() }; PIECE];
        let mut piece = ReadBuf::uninit(&mut piece);
        ready!(self.bytes.as_mut().poll_read(context, &mut piece))?;
        let read = piece.filled();
        self.is_much = read.len() >= LITTLE;
        inbox.push(read);
        Poll::Ready(Ok(read.len()))
    }
}

/// Whoever listens at an endpoint.
pub(super) enum Listener {
    Tcp(TcpListener),
    Ipc(IpcListener),
}

impl Listener {
    pub(super) async fn bind(endpoint: &Endpoint) -> Result<Self, Error> {
        Ok(match endpoint {
            Endpoint::Ipc(_) => Self::Ipc(IpcTransport::bind(endpoint).await?),
            _ => Self::Tcp(TcpTransport::bind(endpoint).await?),
        })
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        match self {
            Self::Tcp(listener) => listener.local_endpoint(),
            Self::Ipc(listener) => listener.local_endpoint(),
        }
    }

    /// Cancelled, nobody is lost.
    pub(super) async fn accept(&mut self) -> Result<Ways, Error> {
        match self {
            Self::Tcp(listener) => Ok(of_tcp(listener.accept().await?.0)),
            Self::Ipc(listener) => Ok(of_ipc(listener.accept().await?.0)),
        }
    }
}

pub(super) async fn connect(endpoint: &Endpoint) -> Result<Ways, Error> {
    match endpoint {
        Endpoint::Ipc(_) => Ok(of_ipc(IpcTransport::connect(endpoint).await?)),
        _ => Ok(of_tcp(TcpTransport::connect(endpoint).await?)),
    }
}

fn of_tcp(stream: TcpStream) -> Ways {
    let (reader, writer) = stream.into_split();
    (Reader::new(reader), Box::pin(writer))
}

fn of_ipc(stream: IpcStream) -> Ways {
    #[cfg(unix)]
    let (reader, writer) = stream.into_split();
    #[cfg(not(unix))]
    let (reader, writer) = tokio::io::split(stream);
    (Reader::new(reader), Box::pin(writer))
}
