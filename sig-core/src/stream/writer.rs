//! The table of clients and the way out to each.

use std::io;
use std::sync::{Arc, OnceLock};

use bytes::{BufMut as _, BytesMut};
use dashmap::DashMap;
use sig_wire::frame::HEADER_LEN;
use sig_wire::{Flags, Kind, encode_header};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::GOODBYE;
use super::link::Wire;
use crate::batch::Batch;
use crate::client::{ClientId, Disconnect, Reason};
use crate::error::CarrierError;

/// Most capacity that a buffer keeps after it was written.
const KEEP: usize = 256 * 1024;

/// The clients of a carrier, by id.
#[derive(Debug)]
pub(super) struct Writers<Io> {
    table: DashMap<ClientId, Arc<Writer<Io>>>,
}

impl<Io> Default for Writers<Io> {
    fn default() -> Self {
        Self { table: DashMap::new() }
    }
}

impl<Io: AsyncRead + AsyncWrite> Writers<Io> {
    /// Enters a new client, until the returned guard is dropped.
    pub(super) fn register(self: &Arc<Self>, wire: Wire, io: WriteHalf<Io>) -> Registered<Io> {
        let writer = Arc::new(Writer {
            id: ClientId::next(),
            wire,
            out: Mutex::new(Out {
                io,
                scratch: BytesMut::new(),
            }),
            closing: CancellationToken::new(),
            why: OnceLock::new(),
        });
        self.table.insert(writer.id, Arc::clone(&writer));
        Registered {
            writers: Arc::clone(self),
            writer,
        }
    }

    /// Writes a batch to a client.
    pub(super) async fn send(&self, id: ClientId, batch: &mut Batch) -> Result<(), CarrierError> {
        match self.get(id) {
            Some(writer) => writer.send(batch).await,
            None => Err(CarrierError::UnknownClient(id)),
        }
    }

    /// Lets go of a client, if it is there.
    pub(super) fn close(&self, id: ClientId, why: &Disconnect) {
        if let Some(writer) = self.get(id) {
            writer.close(why.clone());
        }
    }

    /// How many clients there are.
    pub(super) fn count(&self) -> usize {
        self.table.len()
    }

    fn get(&self, id: ClientId) -> Option<Arc<Writer<Io>>> {
        self.table.get(&id).map(|entry| Arc::clone(&entry))
    }
}

/// The way out to one client.
#[derive(Debug)]
struct Writer<Io> {
    id: ClientId,
    wire: Wire,
    out: Mutex<Out<Io>>,
    closing: CancellationToken,
    why: OnceLock<Disconnect>,
}

#[derive(Debug)]
struct Out<Io> {
    io: WriteHalf<Io>,
    /// Length-prefixed packed frames are put together here.
    scratch: BytesMut,
}

impl<Io: AsyncRead + AsyncWrite> Writer<Io> {
    async fn send(&self, batch: &mut Batch) -> Result<(), CarrierError> {
        if self.closing.is_cancelled() {
            return Err(CarrierError::UnknownClient(self.id));
        }
        let written = tokio::select! {
            biased; // The write first: it seldom waits, and then the token is never looked at.
            written = self.write(batch) => written,
            () = self.closing.cancelled() => return Err(CarrierError::UnknownClient(self.id)),
        };
        if let Err(error) = &written {
            // Half a frame may be out: nothing can follow it.
            self.close(Disconnect::link_lost(error));
        }
        Ok(written?)
    }

    async fn write(&self, batch: &mut Batch) -> io::Result<()> {
        let mut guard = self.out.lock().await;
        let Out { io, scratch } = &mut *guard;
        match self.wire {
            Wire::Sig1 => {
                let bytes = batch.bytes();
                io.write_all(bytes).await?;
                empty(bytes);
            }
            Wire::Packed => {
                scratch.clear();
                while let Some(frame) = batch.next_frame() {
                    scratch.put_slice(&packed_header(frame.len())?);
                    scratch.put_slice(&frame);
                }
                io.write_all(scratch).await?;
                empty(scratch);
            }
            Wire::Pysig => {
                while let Some(document) = batch.next_frame() {
                    io.write_all(&document).await?;
                }
            }
        }
        io.flush().await
    }

    /// The first reason stays.
    fn close(&self, why: Disconnect) {
        let _ = self.why.set(why);
        self.closing.cancel();
    }
}

fn packed_header(length: usize) -> io::Result<[u8; HEADER_LEN]> {
    encode_header(Kind::Packed, Flags::NONE, length, u32::MAX)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

/// Empties a buffer that was written; it keeps its room unless that is unusually large.
fn empty(buffer: &mut BytesMut) {
    if buffer.capacity() > KEEP {
        *buffer = BytesMut::new();
    } else {
        buffer.clear();
    }
}

/// A client that is in the table. Dropping it takes it out and wakes whoever writes to it.
#[derive(Debug)]
pub(super) struct Registered<Io> {
    writers: Arc<Writers<Io>>,
    writer: Arc<Writer<Io>>,
}

impl<Io: AsyncRead + AsyncWrite> Registered<Io> {
    pub(super) fn id(&self) -> ClientId {
        self.writer.id
    }

    /// Waits until the client is to be closed, and says why.
    pub(super) async fn closing(&self) -> Disconnect {
        self.writer.closing.cancelled().await;
        let unknown = || Disconnect::new(Reason::LinkLost, "the carrier let go of it");
        self.writer.why.get().cloned().unwrap_or_else(unknown)
    }

    /// Takes the client out of the table, so that no new batch comes. With `finish`, one that is being written now is
    /// waited for, up to a bound; otherwise, and after that, it is given up.
    pub(super) async fn close(self, finish: bool) -> Goodbye<Io> {
        self.writers.table.remove(&self.writer.id);
        if finish {
            let _ = timeout(GOODBYE, self.writer.out.lock()).await;
        }
        self.writer.closing.cancel();
        Goodbye(Arc::clone(&self.writer))
    }
}

impl<Io> Drop for Registered<Io> {
    fn drop(&mut self) {
        self.writers.table.remove(&self.writer.id);
        self.writer.closing.cancel();
    }
}

/// A client that is gone already, but whose link has not ended yet.
#[derive(Debug)]
pub(super) struct Goodbye<Io>(Arc<Writer<Io>>);

impl<Io: AsyncRead + AsyncWrite> Goodbye<Io> {
    /// Ends the stream in good order, as far as the peer plays along.
    ///
    /// A socket that is closed while something unread lies in it resets the link, and what was written last may then
    /// never reach the peer. So what still comes is read and dropped, until the peer has closed too or the time is up.
    pub(super) async fn say(self, incoming: &mut ReadHalf<Io>) {
        let _ = timeout(GOODBYE, async {
            self.0.out.lock().await.io.shutdown().await?;
            drain(incoming).await
        })
        .await;
    }
}

/// [`Goodbye::say`] for a stream that never became a client.
pub(super) async fn part<Io: AsyncRead + AsyncWrite + Unpin>(mut io: Io) {
    let _ = timeout(GOODBYE, async {
        io.shutdown().await?;
        drain(&mut io).await
    })
    .await;
}

async fn drain<R: AsyncRead + Unpin>(incoming: &mut R) -> io::Result<()> {
    let mut dropped = [0; 512];
    while incoming.read(&mut dropped).await? > 0 {}
    Ok(())
}
