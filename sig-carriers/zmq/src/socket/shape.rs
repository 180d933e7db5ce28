//! Which messages a type sends.

use crate::{Error, Kind, Message};

/// That a socket of this type can send such a message. Libraries differ in what they say, and some wait for ever instead.
pub(super) fn check(kind: Kind, message: &Message) -> Result<(), Error> {
    let frames = message.len();
    let reason = match kind {
        _ if frames == 0 => "it has no frame, and needs one at least; it may be empty",
        Kind::Client | Kind::Server | Kind::Scatter | Kind::Gather | Kind::Channel if frames > 1 => {
            "drafts of this kind take messages of one frame"
        }
        Kind::Server if message.routing_id().is_none() => {
            "it names no client: Message::with_routing_id() does, with the id of a message that was received"
        }
        Kind::Radio if frames != 2 => "it needs two frames, the group and the body",
        Kind::Dgram if frames != 2 => "it needs two frames, the address and the datagram",
        Kind::Router | Kind::Peer | Kind::Stream if frames < 2 => {
            "it needs the identity of the peer in its first frame, as received messages have, and a body"
        }
        _ => return Ok(()),
    };
    let reason = reason.to_owned();
    Err(Error::Message { kind, reason })
}
