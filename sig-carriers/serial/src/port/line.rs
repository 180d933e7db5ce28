//! What a link needs of a serial line, and the line of a real port.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_serial::{ClearBuffer, SerialPort as _, SerialStream};

/// A serial line that is open: bytes in, bytes out, and how fast.
///
/// Reading gives nothing (`Ok` with an empty buffer) or an error when the device is gone, and goes on to do so. Flushing and
/// shutting down do nothing: on a real port they would hold up the thread until everything is sent (`tcdrain`). What is not
/// sent yet is told by [`queued`](Self::queued), and is lost when the line is dropped.
pub trait Line: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// How many bytes that were written wait in the system to be sent; `None` where it cannot be told.
    fn queued(&self) -> Option<usize>;

    /// How long one byte is on the line, with its start, parity and stop bits.
    fn byte_time(&self) -> Duration;
}

/// The line of a port that is open. Nobody else can open the port meanwhile.
#[derive(Debug)]
pub struct SerialLine {
    stream: SerialStream,
    byte_time: Duration,
}

impl SerialLine {
    pub(super) fn new(stream: SerialStream, byte_time: Duration) -> Self {
        Self { stream, byte_time }
    }

    /// Raises or drops DTR. A pseudo-terminal has none: that is an error.
    pub(super) fn set_dtr(&mut self, level: bool) -> io::Result<()> {
        Ok(self.stream.write_data_terminal_ready(level)?)
    }

    /// Forgets what arrived and was not read.
    pub(super) fn discard_input(&self) -> io::Result<()> {
        Ok(self.stream.clear(ClearBuffer::Input)?)
    }
}

impl Line for SerialLine {
    fn queued(&self) -> Option<usize> {
        let queued = self.stream.bytes_to_write().ok()?;
        usize::try_from(queued).ok()
    }

    fn byte_time(&self) -> Duration {
        self.byte_time
    }
}

impl AsyncRead for SerialLine {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.stream).poll_read(cx, buf)) {
            // One sign for a device that is gone: the end.
            Err(error) if is_gone(&error) => Poll::Ready(Ok(())),
            read => Poll::Ready(read),
        }
    }
}

impl AsyncWrite for SerialLine {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for SerialLine {
    fn drop(&mut self) {
        // Closing waits up to half a minute for output that cannot go out, and holds up the thread.
        let _ = self.stream.clear(ClearBuffer::Output);
    }
}

/// Whether reading failed because the device is not there any more.
fn is_gone(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    const ENXIO: i32 = 6;
    const ENODEV: i32 = 19;
    cfg!(unix) && matches!(error.raw_os_error(), Some(EIO | ENXIO | ENODEV))
}
