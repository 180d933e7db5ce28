//! The two directions of a connection.
//!
//! tokio's own stream asks the system about both directions at once. Of a local socket it then hears each time that the
//! peer has read something, which wakes a process that waits for something else: a sixth of a round trip. Here the system
//! is asked about a direction while somebody waits for it.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use sig_core::Halves;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

/// Takes a connection apart.
pub(super) fn halves(connection: tokio::net::UnixStream) -> Halves {
    match connection.into_std() {
        Ok(stream) => {
            let stream = Arc::new(stream);
            Halves::new(Reader::new(Arc::clone(&stream)), Writer::new(stream))
        }
        // As if the peer had gone.
        Err(_) => Halves::new(tokio::io::empty(), tokio::io::sink()),
    }
}

/// Asks the system about one direction, as long as the answer lives.
#[expect(
    deprecated,
    reason = "its successor is unsafe, for the sake of types that change their descriptor; a UnixStream keeps its own"
)]
fn ask<S: AsRawFd>(stream: S, interest: Interest) -> io::Result<AsyncFd<S>> {
    AsyncFd::with_interest(stream, interest)
}

struct Reader {
    stream: Arc<UnixStream>,
    /// From the first time on that something is to be read.
    asked: Option<AsyncFd<Arc<UnixStream>>>,
}

impl Reader {
    fn new(stream: Arc<UnixStream>) -> Self {
        Self { stream, asked: None }
    }
}

impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { stream, asked } = &mut *self;
        let asked = match asked {
            Some(asked) => asked,
            None => asked.insert(ask(Arc::clone(stream), Interest::READABLE)?),
        };
        loop {
            let mut readiness = ready!(asked.poll_read_ready(context))?;
            let room = buffer.initialize_unfilled();
            match (&**stream).read(room) {
                Ok(read) => {
                    if (1..room.len()).contains(&read) {
                        // That was all; the system tells when there is more.
                        readiness.clear_ready();
                    }
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => readiness.clear_ready(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// Ends its direction when it is dropped.
struct Writer {
    stream: Arc<UnixStream>,
    /// While there is no room, and a little longer. By a descriptor of its own, since one descriptor can be asked about once.
    asked: Option<AsyncFd<UnixStream>>,
    /// Since the last time that something was written.
    has_waited: bool,
}

impl Writer {
    fn new(stream: Arc<UnixStream>) -> Self {
        Self {
            stream,
            asked: None,
            has_waited: false,
        }
    }

    fn poll_with(
        &mut self,
        context: &mut Context<'_>,
        mut write: impl FnMut(&UnixStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match write(&self.stream) {
                Ok(written) => {
                    // A writer that is held up time and again goes on asking.
                    if !std::mem::take(&mut self.has_waited) {
                        self.asked = None;
                    }
                    return Poll::Ready(Ok(written));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Poll::Ready(Err(error)),
            }
            self.has_waited = true;
            let asked = match &mut self.asked {
                Some(asked) => asked,
                none => none.insert(ask(self.stream.try_clone()?, Interest::WRITABLE)?),
            };
            ready!(asked.poll_write_ready(context))?.clear_ready();
        }
    }
}

impl AsyncWrite for Writer {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().poll_with(context, |mut stream| stream.write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut()
            .poll_with(context, |mut stream| stream.write_vectored(pieces))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.stream.shutdown(Shutdown::Write))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // One that is gone already need not be told.
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

    use super::*;

    fn pair() -> (Reader, Writer, OwnedReadHalf, OwnedWriteHalf) {
        let (ours, theirs) = tokio::net::UnixStream::pair().unwrap();
        let (incoming, outgoing) = theirs.into_split();
        let stream = Arc::new(ours.into_std().unwrap());
        (
            Reader::new(Arc::clone(&stream)),
            Writer::new(stream),
            incoming,
            outgoing,
        )
    }

    #[tokio::test]
    async fn more_than_there_is_room_for_goes_both_ways_and_room_is_asked_for_only_when_needed() {
        const MUCH: usize = 5 << 20;
        let (mut reader, mut writer, mut incoming, mut outgoing) = pair();
        let bytes: Vec<_> = (0..MUCH).map(|at| (at * at / 7) as u8).collect();
        let (mut here, mut there) = (vec![0; MUCH], vec![0; MUCH]);
        let (sent, heard, back, echoed) = tokio::join!(
            writer.write_all(&bytes),
            incoming.read_exact(&mut there),
            outgoing.write_all(&bytes),
            reader.read_exact(&mut here),
        );
        sent.and(back).unwrap();
        heard.and(echoed).unwrap();
        assert!(here == bytes && there == bytes);
        assert!(writer.asked.is_some(), "there was no room, time and again");
        for _ in 0..2 {
            assert_eq!(
                writer
                    .write_vectored(&[IoSlice::new(b"a"), IoSlice::new(b"b")])
                    .await
                    .unwrap(),
                2
            );
        }
        assert!(writer.asked.is_none());
        let mut rest = [0; 4];
        incoming.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"abab");
    }

    #[tokio::test]
    async fn each_direction_ends_by_itself() {
        let (mut reader, mut writer, mut incoming, mut outgoing) = pair();
        writer.write_all(b"last").await.unwrap();
        drop(writer);
        let mut last = Vec::new();
        incoming.read_to_end(&mut last).await.unwrap();
        assert_eq!(last, b"last");
        outgoing.write_all(b"answer").await.unwrap();
        drop((incoming, outgoing));
        let mut answer = String::new();
        reader.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "answer");
    }

    #[tokio::test]
    async fn a_peer_that_is_gone_is_an_error_to_a_writer_that_waits() {
        let (_reader, mut writer, incoming, outgoing) = pair();
        let flood = async { while writer.write_all(&[0; 1 << 16]).await.is_ok() {} };
        let go = async {
            // Polled after the flood has found no room.
            tokio::task::yield_now().await;
            drop((incoming, outgoing));
        };
        tokio::join!(flood, go);
    }
}
