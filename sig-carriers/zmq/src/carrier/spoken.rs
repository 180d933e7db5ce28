//! How messages stand in ZeroMQ messages, and what a peer's first one says about that.

use bytes::{Bytes, BytesMut};
use sig_core::{Batch, CodecError, Encoding};
use sig_wire::{Kind, Preface, PrefaceError, Split};

use crate::Message;

/// Most bytes of one run of frames, unless a single frame has more.
pub(super) const RUN: usize = 256 * 1024;

/// How a peer's messages stand in ZeroMQ messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoken {
    /// Both sides said a preface: a run of whole sig/1 frames, each with its length, as on a byte stream. An empty message
    /// ends the link in good order.
    Runs,
    /// One sig/1 frame without its length.
    Frames,
    /// One JSON document of pysig's form, behind an empty frame where the peer puts one.
    Json {
        /// Whether the peer puts one, as REQ sockets do.
        delimited: bool,
        /// Whether it is a REQ socket, which takes the reply to its last message and nothing else.
        only_replies: bool,
    },
}

impl Spoken {
    /// What the router is told.
    pub(super) fn encoding(self) -> Encoding {
        match self {
            Self::Runs | Self::Frames => Encoding::Sig1,
            Self::Json { .. } => Encoding::Packed,
        }
    }

    /// The next message to this peer.
    pub(super) fn next(self, batch: &mut Batch) -> Option<Bytes> {
        match self {
            Self::Runs => take_run(batch.bytes()),
            Self::Frames | Self::Json { .. } => batch.next_frame(),
        }
    }
}

/// Takes whole frames off the front: as many as make a message.
fn take_run(bytes: &mut BytesMut) -> Option<Bytes> {
    if bytes.is_empty() {
        return None;
    }
    if bytes.len() <= RUN {
        return Some(bytes.split().freeze());
    }
    let mut run = 0;
    while let Ok(Split::Frame(frame)) = sig_wire::split(bytes.get(run..).unwrap_or_default(), u32::MAX) {
        if run > 0 && run + frame.size() > RUN {
            break;
        }
        run += frame.size();
    }
    // What is no frame goes as it is, and its reader says so.
    let run = if run == 0 { bytes.len() } else { run };
    Some(bytes.split_to(run).freeze())
}

/// The body of a message, and whether an empty frame stood before it; what is in its way otherwise.
pub(super) fn body_of(mut message: Message) -> Result<(Bytes, bool), String> {
    let delimited = message.len() > 1 && message.frame(0).is_some_and(<[u8]>::is_empty);
    if delimited {
        message.pop_front();
    }
    match (message.len(), message.pop_front()) {
        (1, Some(body)) => Ok((body, delimited)),
        (frames, _) => Err(format!(
            "a message has one frame, or an empty one before it, but this one has {frames} of them"
        )),
    }
}

/// What the first message of a peer says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum First {
    /// It speaks sig/1 as on a byte stream, and waits for an answer.
    Offer(Preface),
    /// It speaks so already.
    Speaks(Spoken),
    /// It speaks nothing known here.
    Stranger(String),
}

impl First {
    /// Looks at the first message of a peer.
    pub(super) fn of(body: &[u8], delimited: bool, is_req: bool) -> Self {
        let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
        if first == Some(&b'{') {
            return Self::Speaks(Spoken::Json {
                delimited,
                only_replies: is_req,
            });
        }
        match Preface::decode(body) {
            Ok(Some(offer)) => return Self::Offer(offer),
            Ok(None) if !body.is_empty() => return Self::Stranger("this is less than a sig/1 preface".to_owned()),
            Ok(None) | Err(PrefaceError::NotMagic { .. }) => {}
            Err(error) => return Self::Stranger(error.to_string()),
        }
        match body {
            // Control or packed, as the first message of a session is.
            [kind, 0, ..] if !delimited && matches!(Kind::from_byte(*kind), Ok(Kind::Control)) => {
                Self::Speaks(Spoken::Frames)
            }
            _ => Self::Stranger(format!(
                "the message \"{}\" is neither a JSON document of pysig's form, such as {{\"id\":1,\"method\":\
                 \"get_version\"}}, nor sig/1",
                body.get(..body.len().min(16)).unwrap_or_default().escape_ascii()
            )),
        }
    }
}

/// What stands in front of a run: whole frames that the limit allows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Whole {
    /// Bytes of them.
    pub(super) size: usize,
    /// What is wrong with what follows, if anything does.
    pub(super) then: Option<String>,
}

/// The whole frames at the front of a message. A message holds whole frames and nothing else.
pub(super) fn whole_frames(bytes: &[u8], max_frame: usize) -> Whole {
    let limit = u32::try_from(max_frame).unwrap_or(u32::MAX);
    let mut size = 0;
    let then = loop {
        match bytes.get(size..) {
            None | Some([]) => break None,
            Some(rest) => match sig_wire::split(rest, limit) {
                Ok(Split::Frame(frame)) => size += frame.size(),
                Ok(Split::Need(_)) => break Some("a message ends in the middle of a frame".to_owned()),
                Err(error) => break Some(error.to_string()),
            },
        }
    };
    Whole { size, then }
}

/// Checks one frame without its length.
pub(super) fn check_frame(frame: &[u8], max_frame: usize) -> Result<(), CodecError> {
    if frame.len() > max_frame {
        return Err(CodecError::TooLarge {
            size: frame.len(),
            limit: max_frame,
        });
    }
    match frame {
        [kind, _, ..] => match Kind::from_byte(*kind) {
            Ok(_) => Ok(()),
            Err(error) => Err(CodecError::Frame(error.to_string())),
        },
        _ => Err(CodecError::Frame("a frame has a kind and flags".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use sig_core::Json;
    use sig_core::{Call, Codec as _, RawJson};

    use super::*;

    fn batch(sizes: &[usize]) -> Batch {
        let mut batch = Batch::new(Encoding::Sig1);
        for size in sizes {
            batch.push_frame(Bytes::from(vec![0x80; *size]));
        }
        batch
    }

    #[test]
    fn a_batch_becomes_runs_of_whole_frames() {
        let mut batch = batch(&[100_000, 100_000, 100_000, 600_000, 10, 20]);
        let runs: Vec<usize> = std::iter::from_fn(|| Spoken::Runs.next(&mut batch))
            .map(|run| {
                let whole = whole_frames(&run, usize::MAX);
                assert_eq!(
                    whole,
                    Whole {
                        size: run.len(),
                        then: None
                    }
                );
                run.len()
            })
            .collect();
        assert_eq!(runs, [200_008, 100_004, 600_004, 38]);
    }

    #[test]
    fn the_limit_of_the_moment_is_kept() {
        let mut batch = batch(&[10, 20, 30]);
        let run = Spoken::Runs.next(&mut batch).unwrap();
        let whole = whole_frames(&run, 20);
        assert_eq!(whole.size, 38);
        assert!(whole.then.unwrap().contains("30"));
        assert!(whole_frames(&run[..40], 20).then.is_some());
        assert_eq!(whole_frames(&run[..38], 20).then, None);
    }

    #[test]
    fn the_first_message_tells_who_speaks() {
        let json = Spoken::Json {
            delimited: false,
            only_replies: false,
        };
        assert_eq!(First::of(b" \n{\"id\":1}", false, false), First::Speaks(json));
        let offer = Preface::new(sig_wire::Encoding::Sig1);
        assert_eq!(First::of(&offer.encode(), false, false), First::Offer(offer));
        let mut hello = BytesMut::from(&[1, 0][..]);
        let call = Call::notice("hello", RawJson::null());
        Json.pack(&call.into(), &mut hello).unwrap();
        assert_eq!(First::of(&hello, false, false), First::Speaks(Spoken::Frames));
        for stranger in [
            &b""[..],
            b"hello",
            b"[1]",
            b"\x93SIG",
            b"\x02\x00aaaaaaaaaaaa",
            b"\x93SIG\r\n\x1a\n\x02\x01\x00\x00",
        ] {
            let said = First::of(stranger, false, false);
            assert!(matches!(said, First::Stranger(_)), "{said:?}");
        }
    }

    #[test]
    fn an_empty_frame_may_stand_before_a_body() {
        let (body, delimited) = body_of(Message::frames(["", "{}"])).unwrap();
        assert_eq!((&body[..], delimited), (&b"{}"[..], true));
        let (body, delimited) = body_of(Message::from("{}")).unwrap();
        assert_eq!((&body[..], delimited), (&b"{}"[..], false));
        assert_eq!(body_of(Message::from("")).unwrap(), (Bytes::new(), false));
        for frames in [vec!["a", "b"], vec!["", "a", "b"], vec!["", "", "b"]] {
            body_of(Message::frames(frames)).unwrap_err();
        }
    }
}
