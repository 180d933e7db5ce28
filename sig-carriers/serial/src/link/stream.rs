//! The stream of bytes that a link is.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::end::LinkEnd;
use super::engine::Engine;

/// A link, between its two ends in this program: the stream, and the drive that has the line.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) engine: Engine,
    reader: Option<Waker>,
    writer: Option<Waker>,
    driver: Option<Waker>,
}

/// One handle of these.
#[derive(Debug, Clone)]
pub(super) struct Link {
    shared: Arc<Mutex<Shared>>,
    began: Instant,
}

impl Link {
    pub(super) fn new(began: Instant, engine: Engine) -> Self {
        let shared = Shared {
            engine,
            reader: None,
            writer: None,
            driver: None,
        };
        Self {
            shared: Arc::new(Mutex::new(shared)),
            began,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn began(&self) -> Instant {
        self.began
    }
}

impl Shared {
    /// Who waits for the stream may look again.
    pub(super) fn wake_stream(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }

    /// The drive waits for something new.
    pub(super) fn wait(&mut self, cx: &Context<'_>) {
        register(&mut self.driver, cx);
    }

    fn wake_drive(&mut self) {
        if let Some(waker) = self.driver.take() {
            waker.wake();
        }
    }
}

fn register(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
}

/// A reliable stream of bytes to the router at the other end of a line.
///
/// Little is taken at a time: what is written waits here for a few tens of milliseconds of line time, not more. Flushing says
/// that what was written so far need not wait for what follows, and returns at once. Shutting down waits until the other side
/// has everything. Dropping the stream ends the link at once.
#[derive(Debug)]
pub struct Stream {
    link: Link,
}

impl Stream {
    pub(super) fn new(link: Link) -> Self {
        Self { link }
    }

    /// How the link ended, if it did.
    #[must_use]
    pub fn link_end(&self) -> Option<LinkEnd> {
        self.link.lock().engine.end().cloned()
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut shared = self.link.lock();
        let before = buf.remaining();
        let had_news = shared.engine.has_news();
        while let Some(bytes) = shared.engine.read(buf.remaining()).filter(|bytes| !bytes.is_empty()) {
            buf.put_slice(&bytes);
        }
        // Only then: while it is not its turn the drive can do nothing about older ones.
        if !had_news && shared.engine.has_news() {
            shared.wake_drive();
        }
        if buf.remaining() < before || before == 0 || shared.engine.is_at_end() {
            return Poll::Ready(Ok(()));
        }
        match shared.engine.end() {
            Some(LinkEnd::Closed) => Poll::Ready(Ok(())),
            Some(end) => Poll::Ready(Err(end.clone().into())),
            None => {
                register(&mut shared.reader, cx);
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut shared = self.link.lock();
        if let Some(end) = shared.engine.end() {
            return Poll::Ready(Err(end.clone().into()));
        }
        match shared.engine.write(bytes) {
            0 if !bytes.is_empty() => {
                register(&mut shared.writer, cx);
                Poll::Pending
            }
            written => {
                shared.wake_drive();
                Poll::Ready(Ok(written))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link.lock().engine.flush();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut shared = self.link.lock();
        let is_news = shared.engine.finish();
        if shared.engine.is_finished() || shared.engine.end().is_some() {
            return Poll::Ready(Ok(()));
        }
        // Once: the drive wakes whoever waits here, and the two would go on to wake each other.
        if is_news {
            shared.wake_drive();
        }
        register(&mut shared.writer, cx);
        Poll::Pending
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut shared = self.link.lock();
        shared.engine.drop_link();
        shared.wake_drive();
    }
}

impl From<LinkEnd> for io::Error {
    fn from(end: LinkEnd) -> Self {
        let kind = match end {
            LinkEnd::Silent => io::ErrorKind::TimedOut,
            LinkEnd::Version(_) | LinkEnd::BothDial | LinkEnd::Echo => io::ErrorKind::Unsupported,
            LinkEnd::LineLost => io::ErrorKind::NotConnected,
            LinkEnd::Closed | LinkEnd::Dropped => io::ErrorKind::BrokenPipe,
            LinkEnd::Reset | LinkEnd::Unknown | LinkEnd::Replaced => io::ErrorKind::ConnectionReset,
        };
        Self::new(kind, end.to_string())
    }
}
