//! The receive buffer of one link.

use std::future::{Future, poll_fn};
use std::io;
use std::mem;
use std::pin::pin;
use std::task::Poll;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What is read into the task itself, while there is no buffer.
const INLINE: usize = 512;

/// Least and most that is read at once into the buffer.
const READ: std::ops::RangeInclusive<usize> = 4 * 1024..=64 * 1024;

/// Received bytes that are not a whole message yet.
///
/// An idle link holds no buffer: it waits with a few bytes inside its task. Only when those were filled is a buffer
/// made, in sizes that follow the traffic, and it is let go again as soon as nothing more is there.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) bytes: BytesMut,
    size: usize,
    /// The last read took all it had room for: more is likely there.
    more: bool,
}

impl Inbox {
    /// An inbox that begins with what was read already.
    pub(super) fn new(head: BytesMut) -> Self {
        Self {
            bytes: head,
            size: *READ.start(),
            more: false,
        }
    }

    /// Reads something; 0 is the end of the stream.
    ///
    /// # Cancel safety
    ///
    /// Safe to cancel: what was read is in the inbox.
    pub(super) async fn fill<R: AsyncRead + Unpin>(&mut self, incoming: &mut R) -> io::Result<usize> {
        if mem::take(&mut self.more) {
            if let Some(read) = self.fill_at_once(incoming).await {
                return read;
            }
            self.shrink();
        }
        let mut inline = [0; INLINE];
        let read = incoming.read(&mut inline).await?;
        self.bytes.extend_from_slice(inline.get(..read).unwrap_or_default());
        self.more = read == INLINE;
        Ok(read)
    }

    /// Reads as much as there is, but does not wait for it.
    async fn fill_at_once<R: AsyncRead + Unpin>(&mut self, incoming: &mut R) -> Option<io::Result<usize>> {
        self.bytes.reserve(self.size);
        let room = self.bytes.capacity() - self.bytes.len();
        let read = at_once(incoming.read_buf(&mut self.bytes)).await?;
        if let Ok(read) = read {
            self.more = read == room;
            self.size = match read {
                _ if self.more => (self.size * 2).min(*READ.end()),
                _ if read < self.size / 4 => (self.size / 2).max(*READ.start()),
                _ => self.size,
            };
        }
        Some(read)
    }

    /// Lets go of room that is not needed while nothing comes.
    fn shrink(&mut self) {
        if self.bytes.capacity() > 2 * self.bytes.len() + INLINE {
            self.bytes = BytesMut::from(&self.bytes[..]);
        }
    }
}

/// What the future gives if it is ready now. One that is not is dropped.
async fn at_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
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
        assert!(inbox.bytes.capacity() < INLINE);
        inbox.bytes.clear();

        theirs.write_all(&vec![7; 400_000]).await.unwrap();
        let (mut total, mut reads) = (0, 0);
        while total < 400_000 {
            total += inbox.fill(&mut ours).await.unwrap();
            inbox.bytes = BytesMut::new();
            reads += 1;
        }
        assert!(reads < 15, "{reads} reads for 400 kB");

        assert!(at_once(inbox.fill(&mut ours)).await.is_none());
        assert_eq!(inbox.bytes.capacity(), 0);
        drop(theirs);
        assert_eq!(inbox.fill(&mut ours).await.unwrap(), 0);
    }
}
