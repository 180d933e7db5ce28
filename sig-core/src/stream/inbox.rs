//! The receive buffer of one link.

use std::future::{Future as _, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};

/// What is read at once where little comes.
const LITTLE: usize = 4 * 1024;

/// Most that is read at once.
const MOST: usize = 64 * 1024;

/// Received bytes that are not a whole message yet.
///
/// An idle link holds no buffer. Where little comes, it is read to the stack and copied from there; where much comes, into
/// a buffer whose size follows the traffic, and which is let go of when nothing more is there.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) bytes: BytesMut,
    /// How much is read at once.
    size: usize,
}

impl Inbox {
    /// An inbox that begins with what was read already.
    pub(super) fn new(head: BytesMut) -> Self {
        Self {
            bytes: head,
            size: LITTLE,
        }
    }

    /// Reads something; 0 is the end of the stream.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: what was read is in the inbox.
    pub(super) async fn fill<R: AsyncRead + Unpin>(&mut self, incoming: &mut R) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(incoming, cx)).await
    }

    /// Takes back the buffer of messages that were dealt with, for what follows them.
    pub(super) fn take_back(&mut self, mut buffer: BytesMut) {
        if self.size > LITTLE && self.bytes.is_empty() {
            buffer.clear();
            self.bytes = buffer;
        }
    }

    fn poll_fill<R: AsyncRead + Unpin>(&mut self, incoming: &mut R, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.size == LITTLE {
            return self.poll_little(incoming, cx);
        }
        self.bytes.reserve(self.size);
        let room = self.bytes.capacity() - self.bytes.len();
        let read = pin!(incoming.read_buf(&mut self.bytes)).poll(cx);
        match &read {
            Poll::Pending => self.shrink(),
            Poll::Ready(Ok(read)) if *read == room => self.size = (self.size * 2).min(MOST),
            Poll::Ready(Ok(read)) if *read < self.size / 4 => self.size = (self.size / 2).max(LITTLE),
            Poll::Ready(_) => {}
        }
        read
    }

    fn poll_little<R: AsyncRead + Unpin>(&mut self, incoming: &mut R, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [const { MaybeUninit::uninit() }; LITTLE];
        let mut space = ReadBuf::uninit(&mut space);
        ready!(Pin::new(incoming).poll_read(cx, &mut space))?;
        let read = space.filled();
        self.bytes.extend_from_slice(read);
        if read.len() == LITTLE {
            self.size = 2 * LITTLE;
        }
        Poll::Ready(Ok(read.len()))
    }

    /// Lets go of room that is not needed while nothing comes.
    fn shrink(&mut self) {
        if self.bytes.capacity() > 2 * self.bytes.len() + LITTLE {
            self.bytes = BytesMut::from(&self.bytes[..]);
        }
    }
}

/// Reads until the stream ends, and drops what comes.
pub(super) async fn drain<R: AsyncRead + Unpin>(incoming: &mut R) -> io::Result<()> {
    poll_fn(|cx| {
        let mut space = [const { MaybeUninit::uninit() }; LITTLE];
        let mut space = ReadBuf::uninit(&mut space);
        loop {
            space.clear();
            ready!(Pin::new(&mut *incoming).poll_read(cx, &mut space))?;
            if space.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn an_idle_inbox_holds_no_buffer_and_a_busy_one_reads_in_large_pieces() {
        let (mut ours, mut theirs) = tokio::io::duplex(1 << 20);
        let mut inbox = Inbox::new(BytesMut::new());

        theirs.write_all(&[7; 100]).await.unwrap();
        assert_eq!(inbox.fill(&mut ours).await.unwrap(), 100);
        assert!(inbox.bytes.capacity() < LITTLE);
        inbox.bytes.clear();

        theirs.write_all(&vec![7; 400_000]).await.unwrap();
        let (mut total, mut reads) = (0, 0);
        while total < 400_000 {
            total += inbox.fill(&mut ours).await.unwrap();
            let read = std::mem::take(&mut inbox.bytes);
            inbox.take_back(read);
            reads += 1;
        }
        assert!(reads < 15, "{reads} reads for 400 kB");
        assert!(inbox.bytes.capacity() > LITTLE, "what follows needs no new buffer");

        assert!(poll_fn(|cx| Poll::Ready(inbox.poll_fill(&mut ours, cx).is_pending())).await);
        assert_eq!(inbox.bytes.capacity(), 0);
        drop(theirs);
        assert_eq!(inbox.fill(&mut ours).await.unwrap(), 0);
    }
}
