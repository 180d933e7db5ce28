//! Unix-domain sockets.

mod dialer;
mod listener;
mod place;
mod socket;
#[cfg(test)]
mod tests;

pub use dialer::Dialer;
pub use listener::Listener;

use sig_core::Credentials;
use tokio::net::UnixStream;

/// Who is at the other end, where the system tells.
fn credentials(stream: &UnixStream) -> Option<Credentials> {
    let peer = stream.peer_cred().ok()?;
    Some(Credentials {
        pid: peer.pid().and_then(|pid| pid.try_into().ok()),
        uid: peer.uid(),
        gid: peer.gid(),
    })
}
