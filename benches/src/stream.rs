//! Byte streams by URL, and frames on them: `len u32`, then the payload.

use std::fmt;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::error::Failure;

pub(crate) type Reader = Box<dyn AsyncRead + Send + Unpin>;
pub(crate) type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    pub(crate) async fn bind(url: &str) -> Result<Self, Failure> {
        Ok(match place(url)? {
            Place::Tcp(address) => Self::Tcp(TcpListener::bind(address).await?),
            Place::Unix(path) => Self::Unix(UnixListener::bind(path)?),
        })
    }

    pub(crate) async fn accept(&self) -> Result<(Reader, Writer), Failure> {
        match self {
            Self::Tcp(listener) => tcp(listener.accept().await?.0),
            Self::Unix(listener) => Ok(unix(listener.accept().await?.0)),
        }
    }
}

pub(crate) async fn connect(url: &str) -> Result<(Reader, Writer), Failure> {
    match place(url)? {
        Place::Tcp(address) => tcp(TcpStream::connect(address).await?),
        Place::Unix(path) => Ok(unix(UnixStream::connect(path).await?)),
    }
}

enum Place<'a> {
    Tcp(&'a str),
    Unix(&'a str),
}

fn place(url: &str) -> Result<Place<'_>, Failure> {
    match url.split_once("://") {
        Some(("tcp", address)) => Ok(Place::Tcp(address)),
        Some(("ipc", path)) => Ok(Place::Unix(path)),
        _ => Err(Failure::new(format!("`{url}` is neither tcp:// nor ipc://"))),
    }
}

fn tcp(stream: TcpStream) -> Result<(Reader, Writer), Failure> {
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    Ok((Box::new(reader), Box::new(writer)))
}

fn unix(stream: UnixStream) -> (Reader, Writer) {
    let (reader, writer) = stream.into_split();
    (Box::new(reader), Box::new(writer))
}

/// What was read and not taken yet.
#[derive(Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
    taken: usize,
}

impl fmt::Debug for Frames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frames({} bytes)", self.bytes.len() - self.taken)
    }
}

impl Frames {
    /// Reads more; false at the end. Cancel safe.
    pub(crate) async fn read(&mut self, from: &mut Reader) -> Result<bool, Failure> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        let wanted = self.wanted().map_or(CHUNK, |wanted| wanted.max(CHUNK));
        self.bytes.reserve(wanted);
        Ok(from.read_buf(&mut self.bytes).await? > 0)
    }

    /// The next whole frame, its length in front.
    pub(crate) fn next(&mut self) -> Option<&[u8]> {
        let end = self.taken + self.wanted()?;
        if self.bytes.len() < end {
            return None;
        }
        let frame = &self.bytes[self.taken..end];
        self.taken = end;
        Some(frame)
    }

    /// How long the next frame is, when that is known.
    fn wanted(&self) -> Option<usize> {
        let length = self.bytes.get(self.taken..self.taken + 4)?;
        let length = u32::from_le_bytes(length.try_into().ok()?);
        Some(4 + length as usize)
    }
}
