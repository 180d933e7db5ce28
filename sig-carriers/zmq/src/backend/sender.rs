//! Who sent a message.

/// The peer of a ROUTER that a message came from.
pub(crate) enum Sender<'a> {
    Omq(&'a omq_tokio::PeerInfo),
    #[cfg(all(unix, feature = "libzmq"))]
    Caller(std::sync::Arc<super::libzmq::Caller>),
}

impl Sender<'_> {
    /// The link that the message came by: the same number as in the events of a monitor.
    pub(crate) fn link(&self) -> u64 {
        match self {
            Self::Omq(peer) => peer.connection_id,
            #[cfg(all(unix, feature = "libzmq"))]
            Self::Caller(caller) => caller.link.number,
        }
    }

    /// Whether it is a REQ socket, which takes nothing but replies.
    pub(crate) fn is_req(&self) -> bool {
        match self {
            Self::Omq(peer) => peer.peer_properties.socket_type == Some(omq_tokio::SocketType::Req),
            #[cfg(all(unix, feature = "libzmq"))]
            Self::Caller(caller) => caller.is_req,
        }
    }

    /// Where it is, as an endpoint for people.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Omq(peer) => match peer.peer_address {
                Some(address) => format!("tcp://{address}"),
                None => peer.diagnostics.endpoint.clone(),
            },
            #[cfg(all(unix, feature = "libzmq"))]
            Self::Caller(caller) => caller.address.clone(),
        }
    }
}
