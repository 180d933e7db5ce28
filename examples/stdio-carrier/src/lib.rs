#![doc = include_str!("../README.md")]

use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use sig_core::{CarrierError, Link, Medium, Profile};
use tokio::io::{AsyncRead, AsyncWrite, Join, ReadBuf, Stdin, Stdout, join, stdin, stdout};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

/// The shortest time between two starts: a child that fails at once must not keep the machine busy.
const PAUSE: Duration = Duration::from_secs(1);

/// The parent's side: starts a child process and starts it again when it has ended. Hand it to a `ServerRouter`.
#[derive(Debug)]
pub struct Children {
    command: Mutex<tokio::process::Command>,
    /// One permit: there is one child at a time.
    vacancy: Arc<Semaphore>,
    earliest: Mutex<Instant>,
}

impl Children {
    /// A child that is started with this command. Its standard error stays the parent's.
    #[must_use]
    pub fn new(command: Command) -> Self {
        let mut command = tokio::process::Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        Self {
            command: Mutex::new(command),
            vacancy: Arc::new(Semaphore::new(1)),
            earliest: Mutex::new(Instant::now()),
        }
    }
}

impl Medium for Children {
    const NAME: &'static str = "stdio";
    type Io = Pipes;

    async fn next(&self) -> Result<Link<Pipes>, CarrierError> {
        let vacancy = Arc::clone(&self.vacancy).acquire_owned().await;
        let vacancy = vacancy.map_err(|_| CarrierError::Closed)?;
        let mut earliest = self.earliest.lock().await;
        sleep_until(*earliest).await;
        *earliest = Instant::now() + PAUSE;
        let mut child = self.command.lock().await.spawn()?;
        let (Some(output), Some(input)) = (child.stdout.take(), child.stdin.take()) else {
            return Err(CarrierError::Other("the child has no pipes".to_owned()));
        };
        let address = format!("process {}", child.id().unwrap_or_default());
        let pipes = Pipes {
            io: join(output, input),
            _child: child,
            _vacancy: vacancy,
        };
        Ok(Link::new(pipes, address))
    }
}

/// The pipes to a child. Dropping them ends the child and makes room for the next one.
#[derive(Debug)]
pub struct Pipes {
    io: Join<ChildStdout, ChildStdin>,
    _child: Child,
    _vacancy: OwnedSemaphorePermit,
}

impl AsyncRead for Pipes {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pipes {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// The child's side: this process's own standard input and output. Hand it to a `ClientRouter`.
///
/// There is one link in the life of a process: when the parent has closed it, the client router's state is `Waiting`
/// with an error that says so, and the child should end. tokio reads standard input on a thread that cannot be
/// interrupted, so a child that ends while the parent lives ends with [`std::process::exit`].
#[derive(Debug, Default)]
pub struct Parent {
    used: AtomicBool,
}

impl Parent {
    /// The process that started this one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Medium for Parent {
    const NAME: &'static str = "stdio";
    type Io = Join<Stdin, Stdout>;

    // Nothing to wait for: the pipes are there.
    async fn next(&self) -> Result<Link<Self::Io>, CarrierError> {
        if self.used.swap(true, Ordering::AcqRel) {
            return Err(CarrierError::Other(
                "the parent process closed the pipes; end this process too".to_owned(),
            ));
        }
        Ok(Link::new(join(stdin(), stdout()), "the parent process"))
    }

    fn profile(&self) -> Profile {
        Profile::default().dialling(true)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn there_is_one_child_at_a_time_and_a_pause_between_two() {
        let children = Children::new(Command::new("cat"));
        let began = Instant::now();
        let first = children.next().await.unwrap();
        tokio::select! {
            biased;
            _ = children.next() => panic!("two children at a time"),
            () = std::future::ready(()) => {}
        }
        drop(first);
        children.next().await.unwrap();
        assert!(began.elapsed() >= PAUSE);
    }

    #[tokio::test]
    async fn a_process_has_its_parent_once() {
        let parent = Parent::new();
        parent.next().await.unwrap();
        assert!(
            parent
                .next()
                .await
                .unwrap_err()
                .to_string()
                .contains("closed the pipes")
        );
    }
}
