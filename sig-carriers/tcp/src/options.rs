//! What can be set on sockets.

use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tracing::debug;

use crate::HEARTBEAT;

/// Settings of sockets. The defaults are right for most uses.
///
/// ```
/// use std::time::Duration;
///
/// use sig_carrier_tcp::{Listener, Options};
/// use sig_core::StreamCarrier;
///
/// let options = Options::new().keepalive(Duration::from_secs(60)).backlog(16);
/// let carrier = StreamCarrier::new(Listener::bind_with("127.0.0.1:0", options)?);
/// # Ok::<(), sig_core::CarrierError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    nodelay: bool,
    keepalive: Option<Duration>,
    notsent_lowat: u32,
    pub(crate) backlog: i32,
    pub(crate) connect_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodelay: true,
            keepalive: Some(HEARTBEAT),
            notsent_lowat: 256 * 1024,
            backlog: 1024,
            connect_timeout: Duration::from_secs(10),
        }
    }
}

impl Options {
    /// The default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether small writes go out at once (`TCP_NODELAY`).
    #[must_use]
    pub fn nodelay(self, nodelay: bool) -> Self {
        Self { nodelay, ..self }
    }

    /// After how much silence the system asks whether the peer is still there; `None`: never.
    ///
    /// A peer that does not answer is given up after two and a half times as long, also (where the system has
    /// `TCP_USER_TIMEOUT`) when something is under way to it. pysig peers depend on it, since they know no heartbeat.
    #[must_use]
    pub fn keepalive(self, keepalive: impl Into<Option<Duration>>) -> Self {
        Self {
            keepalive: keepalive.into(),
            ..self
        }
    }

    /// From how many bytes on that it has not sent yet the system takes no more (`TCP_NOTSENT_LOWAT`, on Linux; 256 KiB
    /// unless set). What is urgent can only overtake what the system does not have yet.
    #[must_use]
    pub fn notsent_lowat(self, notsent_lowat: u32) -> Self {
        Self { notsent_lowat, ..self }
    }

    /// How many connections may wait to be accepted.
    #[must_use]
    pub fn backlog(self, backlog: u16) -> Self {
        Self {
            backlog: backlog.into(),
            ..self
        }
    }

    /// How long connecting may take, for each address of a host.
    #[must_use]
    pub fn connect_timeout(self, connect_timeout: Duration) -> Self {
        Self {
            connect_timeout,
            ..self
        }
    }

    /// Sets what concerns a connection. A socket that refuses (its peer may have left already) works without.
    pub(crate) fn apply(&self, stream: &TcpStream) {
        if let Err(error) = self.try_apply(stream) {
            debug!(%error, "cannot set a socket's options");
        }
    }

    fn try_apply(&self, stream: &TcpStream) -> io::Result<()> {
        let socket = SockRef::from(stream);
        socket.set_tcp_nodelay(self.nodelay)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket.set_tcp_notsent_lowat(self.notsent_lowat)?;
        if let Some(idle) = self.keepalive {
            // One probe after `idle`, four more over as long again: gone after 2.33 times `idle`.
            let keepalive = TcpKeepalive::new().with_time(idle);
            #[cfg(any(
                target_os = "linux",
                target_os = "android",
                target_os = "freebsd",
                target_os = "netbsd",
                target_os = "macos",
                target_os = "ios",
                windows
            ))]
            let keepalive = keepalive
                .with_interval((idle / 3).max(Duration::from_secs(1)))
                .with_retries(4);
            socket.set_tcp_keepalive(&keepalive)?;
            #[cfg(any(target_os = "linux", target_os = "android"))]
            socket.set_tcp_user_timeout(Some(idle * 5 / 2))?;
        }
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn little_waits_in_the_system_unsent() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let stream = TcpStream::connect(address).await.expect("a connection");
        let set = || SockRef::from(&stream).tcp_notsent_lowat().expect("the option");
        Options::new().apply(&stream);
        assert_eq!(set(), 256 * 1024);
        Options::new().notsent_lowat(4096).apply(&stream);
        assert_eq!(set(), 4096);
    }
}
