//! Where links come from: the transports of the library, as streams of bytes.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::ready;

use bytes::Bytes;
use omq_tokio::transport::ipc::{IpcListener, IpcStream};
use omq_tokio::transport::tcp::TcpListener;
use omq_tokio::transport::{IpcTransport, Listener as _, TcpTransport, Transport as _};
use omq_tokio::{Endpoint, Error};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How much is read at once.
const PIECE: usize = 64 << 10;

pub(super) type Writer = Pin<Box<dyn AsyncWrite + Send>>;

/// What comes in by a link.
pub(super) struct Reader(Pin<Box<dyn AsyncRead + Send>>);

/// Both ways of a link.
pub(super) type Ways = (Reader, Writer);

impl Reader {
    /// The next bytes, none at the end. Nothing is held while it waits, so that a silent link costs no buffer.
    ///
    /// Cancelled, nothing is lost.
    pub(super) async fn read(&mut self) -> io::Result<Bytes> {
        std::future::poll_fn(|context| {
            let mut piece = [const { MaybeUninit::uninit() }; PIECE];
            let mut piece = ReadBuf::uninit(&mut piece);
            ready!(self.0.as_mut().poll_read(context, &mut piece))?;
            Ok(Bytes::copy_from_slice(piece.filled())).into()
        })
        .await
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
    (Reader(Box::pin(reader)), Box::pin(writer))
}

fn of_ipc(stream: IpcStream) -> Ways {
    #[cfg(unix)]
    let (reader, writer) = stream.into_split();
    #[cfg(not(unix))]
    let (reader, writer) = tokio::io::split(stream);
    (Reader(Box::pin(reader)), Box::pin(writer))
}
