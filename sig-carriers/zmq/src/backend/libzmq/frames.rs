//! Messages as libzmq's frames. What drafts carry beside the frames is put into frames where omq does so.

use bytes::{BufMut as _, Bytes, BytesMut};
use sig_libzmq::{Failed, Frame, OptionBytes, Origin, Socket};

use crate::backend::Subscription;
use crate::{Kind, Message};

/// `EINVAL`, and `EHOSTUNREACH`, which Linux and others number differently.
pub(super) const TOO_MANY: i32 = 22;
pub(super) const NOBODY: i32 = if cfg!(target_os = "linux") { 113 } else { 65 };

/// The identity of a PEER, which libzmq knows by a number.
pub(super) fn identity(id: u32) -> Bytes {
    Bytes::copy_from_slice(&id.to_be_bytes())
}

pub(super) fn send(kind: Kind, socket: &Socket, message: &Message) -> Result<(), Failed> {
    let frame = |index| message.frame_bytes(index).unwrap_or_default();
    match kind {
        Kind::Server => socket.send(frame(0), message.routing_id().unwrap_or_default(), b"", false),
        Kind::Radio => socket.send(frame(1), 0, &frame(0), false),
        Kind::Peer => match <[u8; 4]>::try_from(&*frame(0)) {
            Ok(id) if message.len() == 2 => socket.send(frame(1), u32::from_be_bytes(id), b"", false),
            Ok(_) => Err(Failed(TOO_MANY)),
            Err(_) => Err(Failed(NOBODY)),
        },
        _ => {
            let last = message.len().saturating_sub(1);
            for index in 0..=last {
                socket.send(frame(index), 0, b"", index < last)?;
            }
            Ok(())
        }
    }
}

pub(super) fn recv(kind: Kind, socket: &Socket) -> Result<Message, Failed> {
    let first = socket.recv()?;
    Ok(match kind {
        Kind::Server => Message::from(first.bytes).with_routing_id(first.routing_id),
        Kind::Dish => Message::frames([first.group, first.bytes]),
        Kind::Peer => Message::from(first.bytes).with_front(identity(first.routing_id)),
        Kind::Dgram => {
            let Frame { mut bytes, more, .. } = first;
            // It ends the address with a zero, which it does not take back.
            bytes.pop_if(|last| *last == 0);
            let body = if more { socket.recv()?.bytes } else { Vec::new() };
            Message::frames([bytes, body])
        }
        _ => whole(socket, first)?,
    })
}

/// The next message, and where its first frame came from.
pub(super) fn recv_from(socket: &Socket) -> Result<(Message, Origin), Failed> {
    let (first, origin) = socket.recv_from()?;
    Ok((whole(socket, first)?, origin))
}

/// The rest of a message, which is there with its first frame.
fn whole(socket: &Socket, first: Frame) -> Result<Message, Failed> {
    let mut more = first.more;
    if !more {
        return Ok(first.bytes.into());
    }
    let mut frames = vec![first.bytes];
    while more {
        let next = socket.recv()?;
        more = next.more;
        frames.push(next.bytes);
    }
    Ok(Message::frames(frames))
}

pub(super) fn subscribe(kind: Kind, socket: &Socket, change: &Subscription) -> Result<(), Failed> {
    let group = |name: &Bytes| {
        std::str::from_utf8(name)
            .map(str::to_owned)
            .map_err(|_| Failed(TOO_MANY))
    };
    match (change, kind) {
        (Subscription::Add(prefix), Kind::Xsub) => socket.send(tagged(1, prefix), 0, b"", false),
        (Subscription::Remove(prefix), Kind::Xsub) => socket.send(tagged(0, prefix), 0, b"", false),
        (Subscription::Add(prefix), _) => socket.set_bytes(OptionBytes::Subscribe, prefix),
        (Subscription::Remove(prefix), _) => socket.set_bytes(OptionBytes::Unsubscribe, prefix),
        (Subscription::Join(name), _) => socket.join(&group(name)?),
        (Subscription::Leave(name), _) => socket.leave(&group(name)?),
    }
}

fn tagged(tag: u8, prefix: &Bytes) -> Bytes {
    let mut frame = BytesMut::with_capacity(1 + prefix.len());
    frame.put_u8(tag);
    frame.put_slice(prefix);
    frame.freeze()
}
