//! The table of clients and the way out to each.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BufMut as _, Bytes, BytesMut};
use dashmap::DashMap;
use sig_wire::frame::HEADER_LEN;
use sig_wire::{Flags, Kind, encode_header};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Mutex, Notify};
use tokio::time::timeout;
use tokio_util::io::poll_write_buf;

use super::GOODBYE;
use super::halves::{Incoming, Outgoing};
use super::inbox::drain;
use super::link::Wire;
use crate::batch::Batch;
use crate::client::{ClientId, Disconnect, Reason};
use crate::error::CarrierError;

/// Most capacity that a buffer keeps after it was written.
const KEEP: usize = 1024 * 1024;

/// The clients of a carrier, by id.
#[derive(Debug, Default)]
pub(super) struct Writers {
    table: DashMap<ClientId, Arc<Writer>>,
}

impl Writers {
    /// Enters a new client, until the returned guard is dropped.
    pub(super) fn register(self: &Arc<Self>, wire: Wire, io: Outgoing) -> Registered {
        let writer = Arc::new(Writer {
            id: ClientId::next(),
            wire,
            out: Mutex::new(Out {
                io,
                scratch: BytesMut::new(),
            }),
            let_go: OnceLock::new(),
            stopped: AtomicBool::new(false),
            told: Notify::new(),
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

    /// Writes what goes at once; true when that was all.
    pub(super) fn try_send(&self, id: ClientId, batch: &mut Batch) -> Result<bool, CarrierError> {
        match self.get(id) {
            Some(writer) => writer.try_send(batch),
            None => Err(CarrierError::UnknownClient(id)),
        }
    }

    /// Lets go of a client, if it is there.
    pub(super) fn close(&self, id: ClientId, why: &Disconnect) {
        if let Some(writer) = self.get(id) {
            writer.close(why.clone());
        }
    }

    /// Tells the links of all clients that are there now to end in good order.
    pub(super) fn stop(&self) {
        let mut writers: Vec<_> = self.table.iter().map(|writer| Arc::clone(&writer)).collect();
        writers.sort_unstable_by_key(|writer| writer.id);
        writers.iter().for_each(|writer| writer.stop());
    }

    /// How many clients there are.
    pub(super) fn count(&self) -> usize {
        self.table.len()
    }

    fn get(&self, id: ClientId) -> Option<Arc<Writer>> {
        self.table.get(&id).map(|entry| Arc::clone(&entry))
    }
}

/// The way out to one client.
#[derive(Debug)]
struct Writer {
    id: ClientId,
    wire: Wire,
    out: Mutex<Out>,
    /// Why nothing more is written: the router let go of the client, writing failed, or the link has ended.
    let_go: OnceLock<Disconnect>,
    /// The carrier was told to stop; what is being written may be finished.
    stopped: AtomicBool,
    /// One of the two was changed.
    told: Notify,
}

struct Out {
    io: Outgoing,
    /// Length-prefixed packed frames are put together here.
    scratch: BytesMut,
}

impl fmt::Debug for Out {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Out")
            .field("scratch", &self.scratch.len())
            .finish_non_exhaustive()
    }
}

impl Writer {
    async fn send(&self, batch: &mut Batch) -> Result<(), CarrierError> {
        if self.let_go.get().is_some() {
            return Err(CarrierError::UnknownClient(self.id));
        }
        let written = tokio::select! {
            biased; // The write first: it seldom waits, and then the other is never looked at.
            written = self.write(batch) => written,
            _ = self.told(|writer| writer.let_go.get()) => return Err(CarrierError::UnknownClient(self.id)),
        };
        if let Err(error) = &written {
            // Half a frame may be out: nothing can follow it.
            self.close(Disconnect::link_lost(error));
        }
        Ok(written?)
    }

    fn try_send(&self, batch: &mut Batch) -> Result<bool, CarrierError> {
        // Of other wires a message may not be left half written.
        if self.wire != Wire::Sig1 || self.let_go.get().is_some() {
            return Ok(false);
        }
        let Ok(mut out) = self.out.try_lock() else {
            return Ok(false);
        };
        // Nobody is woken when there is room: who writes the rest waits for that.
        let mut context = Context::from_waker(Waker::noop());
        let io = Pin::new(&mut out.io);
        let written = match batch.pieces() {
            Some(pieces) => write_at_once(io, &mut Pieces(pieces), &mut context),
            None => write_at_once(io, batch.bytes(), &mut context),
        };
        match written {
            Poll::Ready(Ok(())) => Ok(true),
            Poll::Pending => Ok(false),
            Poll::Ready(Err(error)) => {
                self.close(Disconnect::link_lost(&error));
                Err(error.into())
            }
        }
    }

    async fn write(&self, batch: &mut Batch) -> io::Result<()> {
        let mut guard = self.out.lock().await;
        let Out { io, scratch } = &mut *guard;
        match self.wire {
            Wire::Sig1 => match batch.pieces() {
                Some(pieces) => io.write_all_buf(&mut Pieces(pieces)).await?,
                None => {
                    let bytes = batch.bytes();
                    io.write_all(bytes).await?;
                    empty(bytes);
                }
            },
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
}

impl Writer {
    /// The first reason stays.
    fn close(&self, why: Disconnect) {
        let _ = self.let_go.set(why);
        self.told.notify_waiters();
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.told.notify_waiters();
    }

    /// Waits until there is something to be told.
    async fn told<'a, T>(&'a self, what: impl Fn(&'a Self) -> Option<T>) -> T {
        loop {
            // First, so that nothing is missed.
            let told = self.told.notified();
            if let Some(what) = what(self) {
                return what;
            }
            told.await;
        }
    }
}

fn write_at_once<W: AsyncWrite>(
    mut io: Pin<&mut W>,
    bytes: &mut impl Buf,
    context: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while bytes.has_remaining() {
        if ready!(poll_write_buf(io.as_mut(), context, bytes))? == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
    }
    io.poll_flush(context)
}

/// Bytes in several pieces of memory, as one run.
struct Pieces<'a>(&'a mut VecDeque<Bytes>);

impl Buf for Pieces<'_> {
    fn remaining(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    fn chunk(&self) -> &[u8] {
        self.0.front().map_or(&[], |piece| piece)
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        let filled = into.iter_mut().zip(self.0.iter());
        filled.map(|(slice, piece)| *slice = IoSlice::new(piece)).count()
    }

    fn advance(&mut self, mut count: usize) {
        while let Some(piece) = self.0.front_mut().filter(|_| count > 0) {
            let taken = count.min(piece.len());
            piece.advance(taken);
            count -= taken;
            if piece.is_empty() {
                self.0.pop_front();
            }
        }
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
pub(super) struct Registered {
    writers: Arc<Writers>,
    writer: Arc<Writer>,
}

impl Registered {
    pub(super) fn id(&self) -> ClientId {
        self.writer.id
    }

    /// Waits until the link is to end, and says why; `None`: because the carrier was told to stop.
    pub(super) async fn closing(&self) -> Option<Disconnect> {
        let is_stopped = |writer: &Writer| writer.stopped.load(Ordering::Acquire).then_some(None);
        let why = |writer: &Writer| writer.let_go.get().cloned().map(Some);
        self.writer
            .told(|writer| why(writer).or_else(|| is_stopped(writer)))
            .await
    }

    /// Waits until the router lets go of the client.
    pub(super) async fn let_go(&self) {
        self.writer.told(|writer| writer.let_go.get()).await;
    }

    /// Takes the client out of the table, so that no new batch comes. With `finish`, one that is being written now is
    /// waited for, up to a bound; otherwise, and after that, it is given up.
    pub(super) async fn close(self, finish: bool) -> Goodbye {
        self.leave();
        if finish {
            let _ = timeout(GOODBYE, self.writer.out.lock()).await;
        }
        self.release();
        Goodbye(Arc::clone(&self.writer))
    }
}

impl Registered {
    /// Takes the client out of the table.
    fn leave(&self) {
        self.writers.table.remove(&self.writer.id);
    }

    /// Wakes whoever writes to the client.
    fn release(&self) {
        let why = Disconnect::new(Reason::LinkLost, "the carrier let go of it");
        self.writer.close(why);
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.leave();
        self.release();
    }
}

/// A client that is gone already, but whose link has not ended yet.
#[derive(Debug)]
pub(super) struct Goodbye(Arc<Writer>);

impl Goodbye {
    /// Ends the stream in good order, as far as the peer plays along.
    ///
    /// A socket that is closed while something unread lies in it resets the link, and what was written last may then
    /// never reach the peer. So what still comes is read and dropped, until the peer has closed too or the time is up.
    pub(super) async fn say(self, incoming: &mut Incoming) {
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
