//! The system's end of one link, which libzmq itself cannot drop.

use std::net::Shutdown;
use std::os::fd::BorrowedFd;

use socket2::{SockAddr, Socket};

/// One link of a socket, known by its descriptor and its two addresses.
#[derive(Debug, Clone)]
pub struct Line {
    descriptor: i32,
    local: SockAddr,
    peer: SockAddr,
}

impl Line {
    /// The link that this descriptor is now; `None` when it is none.
    #[must_use]
    pub fn of(descriptor: i32) -> Option<Self> {
        let socket = duplicate(descriptor)?;
        let (local, peer) = (socket.local_addr().ok()?, socket.peer_addr().ok()?);
        Some(Self {
            descriptor,
            local,
            peer,
        })
    }

    /// Where the peer is, over TCP.
    #[must_use]
    pub fn peer(&self) -> Option<std::net::SocketAddr> {
        self.peer.as_socket()
    }

    /// Ends the link, unless the descriptor is another one by now. libzmq finds it ended, as when the peer goes.
    pub fn cut(&self) {
        if let Some(socket) = duplicate(self.descriptor)
            && socket.local_addr().is_ok_and(|local| local == self.local)
            && socket.peer_addr().is_ok_and(|peer| peer == self.peer)
        {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// A copy, so that what is looked at stays what it is.
fn duplicate(descriptor: i32) -> Option<Socket> {
    if descriptor < 0 {
        return None;
    }
    // SAFETY: it is not -1 and only copied. One that libzmq has closed meanwhile gives an error, or what took its place, which the
    // addresses tell.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    Some(Socket::from(borrowed.try_clone_to_owned().ok()?))
}
