//! Unix-domain sockets.

mod dialer;
mod halves;
mod listener;
mod place;
mod socket;
#[cfg(test)]
mod tests;

pub use dialer::Dialer;
pub use listener::Listener;

use sig_core::Credentials;
use socket2::SockRef;
use tokio::net::UnixStream;
use tracing::debug;

/// How much the system may keep of what was written and not read yet; Linux doubles it, as it counts its own records too.
/// What it allows everybody, and twice what it gives unasked: with that, writer and reader wake each other twice as often
/// as over TCP.
const SEND_BUFFER: usize = 208 * 1024;

/// Gives a stream its send buffer. One that refuses works without.
fn widen(stream: &UnixStream) {
    if let Err(error) = SockRef::from(stream).set_send_buffer_size(SEND_BUFFER) {
        debug!(%error, "cannot set a socket's send buffer");
    }
}

/// Who is at the other end, where the system tells.
fn credentials(stream: &UnixStream) -> Option<Credentials> {
    let peer = stream.peer_cred().ok()?;
    Some(Credentials {
        pid: peer.pid().and_then(|pid| pid.try_into().ok()),
        uid: peer.uid(),
        gid: peer.gid(),
    })
}
