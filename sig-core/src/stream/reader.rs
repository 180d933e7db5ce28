//! The way in: from a byte stream to batches.

use std::io;
use std::mem;
use std::time::Duration;

use bytes::BytesMut;
use sig_wire::{FrameError, Kind, Split};
use tokio::io::AsyncRead;
use tokio::time::timeout;

use super::inbox::Inbox;
use super::link::Wire;
use crate::HELLO_MAX_FRAME;
use crate::batch::Batch;
use crate::carrier::Carrier;
use crate::client::{Client, Encoding};
use crate::codec::{DocumentError, Documents};
use crate::error::{CarrierError, CodecError};

/// How long a peer without heartbeats may pause in the middle of a message.
const MESSAGE_PATIENCE: Duration = Duration::from_secs(10);

/// What arrives from one peer.
#[derive(Debug)]
pub(super) struct Reader {
    inbox: Inbox,
    splitter: Splitter,
}

impl Reader {
    /// A reader that begins with what was read already.
    pub(super) fn new(wire: Wire, head: BytesMut) -> Self {
        Self {
            inbox: Inbox::new(head),
            splitter: Splitter::new(wire),
        }
    }

    /// Reads until the stream ends, and hands over what came. `Ok` when it ended between two messages.
    pub(super) async fn read<C: Carrier, R: AsyncRead + Unpin>(
        &mut self,
        carrier: &C,
        client: &Client,
        incoming: &mut R,
    ) -> Result<(), CarrierError> {
        loop {
            let mut is_heard = false;
            // The limit is asked for each time: a hello in one batch raises it for the next.
            loop {
                let next = self.splitter.split(&mut self.inbox.bytes, client.max_frame())?;
                let Some(mut batch) = next else { break };
                carrier.handle_rx(client, &mut batch).await?;
                is_heard = true;
                if let Some(buffer) = batch.stream() {
                    self.inbox.take_back(mem::take(buffer));
                }
                tokio::task::consume_budget().await;
            }
            if !is_heard {
                // Less than a message is a sign of life, too.
                client.heard();
            }
            if fill(&mut self.inbox, incoming, self.splitter.patience()).await? == 0 {
                return match self.splitter.is_idle() && self.inbox.bytes.is_empty() {
                    true => Ok(()),
                    false => Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the peer left in the middle of a message",
                    )
                    .into()),
                };
            }
        }
    }
}

/// Reads something, within a bound where there is one.
async fn fill<R: AsyncRead + Unpin>(
    inbox: &mut Inbox,
    incoming: &mut R,
    within: Option<Duration>,
) -> Result<usize, CarrierError> {
    let Some(after) = within else {
        return Ok(inbox.fill(incoming).await?);
    };
    let what = || "the peer stopped in the middle of a message; the rest of it".to_owned();
    // Seldom needed: a link that waits has no room for it.
    match Box::pin(timeout(after, inbox.fill(incoming))).await {
        Ok(read) => Ok(read?),
        Err(_) => Err(CarrierError::Timeout { what: what(), after }),
    }
}

/// Takes whole messages off the front of a receive buffer.
#[derive(Debug)]
pub(super) enum Splitter {
    Sig1,
    Packed,
    Pysig(Box<Documents>),
}

impl Splitter {
    pub(super) fn new(wire: Wire) -> Self {
        match wire {
            Wire::Sig1 => Self::Sig1,
            Wire::Packed => Self::Packed,
            Wire::Pysig => Self::Pysig(Box::new(Documents::new(HELLO_MAX_FRAME))),
        }
    }

    /// All messages that are whole; `None` when there is none.
    ///
    /// What came before something malformed is delivered; the error comes with the next call. A batch of packed
    /// messages may be empty: the peer then sent nothing but a sign of life.
    pub(super) fn split(&mut self, bytes: &mut BytesMut, max_frame: usize) -> Result<Option<Batch>, CodecError> {
        match self {
            Self::Sig1 => Ok(whole_frames(bytes, max_frame, |_| true)?.map(Batch::from_stream)),
            Self::Packed => Ok(whole_frames(bytes, max_frame, is_packed)?.map(packed_batch)),
            Self::Pysig(documents) => {
                documents.push(bytes);
                bytes.clear();
                documents.set_max_size(max_frame);
                // One by one while the limit is low: the first that is accepted raises it for those behind it.
                document_batch(documents, if max_frame > HELLO_MAX_FRAME { usize::MAX } else { 1 })
            }
        }
    }

    /// How long the next bytes may take. Without a hello and heartbeats nothing else lets go of a peer that stops in the
    /// middle of a message.
    fn patience(&self) -> Option<Duration> {
        match self {
            Self::Sig1 | Self::Packed => None,
            Self::Pysig(documents) => (!documents.is_idle()).then_some(MESSAGE_PATIENCE),
        }
    }

    /// Whether nothing is held here.
    fn is_idle(&self) -> bool {
        match self {
            Self::Sig1 | Self::Packed => true,
            Self::Pysig(documents) => documents.is_idle(),
        }
    }
}

/// Splits the run of whole frames off the front.
fn whole_frames(
    bytes: &mut BytesMut,
    max_frame: usize,
    allowed: fn(Kind) -> bool,
) -> Result<Option<BytesMut>, CodecError> {
    let limit = u32::try_from(max_frame).unwrap_or(u32::MAX);
    let mut whole = 0;
    let ended = loop {
        match sig_wire::split(bytes.get(whole..).unwrap_or_default(), limit) {
            Ok(Split::Frame(frame)) if allowed(frame.kind) => whole += frame.size(),
            Ok(Split::Frame(frame)) => break Err(not_packed(frame.kind)),
            Ok(Split::Need(_)) => break Ok(()),
            Err(error) => break Err(malformed(error)),
        }
    };
    match whole {
        0 => ended.map(|()| None),
        // The usual case: nothing is left over, and nobody has to share the buffer.
        _ if whole == bytes.len() => Ok(Some(mem::take(bytes))),
        _ => Ok(Some(bytes.split_to(whole))),
    }
}

fn is_packed(kind: Kind) -> bool {
    matches!(kind, Kind::Packed | Kind::Heartbeat | Kind::Ignorable(_))
}

/// The messages of a run of whole frames.
fn packed_batch(run: BytesMut) -> Batch {
    let run = run.freeze();
    let mut batch = Batch::of_frames(Encoding::Packed);
    let mut at = 0;
    while let Ok(Split::Frame(frame)) = sig_wire::split(run.get(at..).unwrap_or_default(), u32::MAX) {
        if frame.kind == Kind::Packed {
            batch.push_frame(run.slice_ref(frame.body));
        }
        at += frame.size();
    }
    batch
}

/// The documents that are whole, but no more than `most`.
fn document_batch(documents: &mut Documents, most: usize) -> Result<Option<Batch>, CodecError> {
    let mut batch = Batch::of_frames(Encoding::Packed);
    let mut count = 0;
    loop {
        match documents.next() {
            Ok(Some(document)) => {
                batch.push_frame(document);
                count += 1;
                if count == most {
                    return Ok(Some(batch));
                }
            }
            Ok(None) if batch.is_empty() => return Ok(None),
            Err(error) if batch.is_empty() => return Err(not_json(error)),
            Ok(None) | Err(_) => return Ok(Some(batch)),
        }
    }
}

fn malformed(error: FrameError) -> CodecError {
    match error {
        FrameError::TooLarge { size, limit } => CodecError::TooLarge {
            size: usize::try_from(size).unwrap_or(usize::MAX),
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        },
        other => CodecError::Frame(other.to_string()),
    }
}

fn not_packed(kind: Kind) -> CodecError {
    CodecError::Frame(format!(
        "a frame of kind {:#04x} on a link whose messages all go through a codec (kind 0x05)",
        kind.to_byte()
    ))
}

fn not_json(error: DocumentError) -> CodecError {
    CodecError::Shape(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_10_while_the_limit_is_low_documents_come_one_by_one() {
        let small = br#"{"id":1,"method":"get_version"}"#;
        let large = format!(r#"{{"id":2,"padding":"{}"}}"#, "x".repeat(2 * HELLO_MAX_FRAME));
        let mut bytes = BytesMut::from(&[&small[..], large.as_bytes(), small].concat()[..]);
        let mut splitter = Splitter::new(Wire::Pysig);
        let first = splitter.split(&mut bytes, HELLO_MAX_FRAME).unwrap();
        let frames = |batch: Option<Batch>| {
            let mut batch = batch.unwrap();
            std::iter::from_fn(|| batch.next_frame()).collect::<Vec<_>>()
        };
        assert_eq!(frames(first), [&small[..]]);
        // It was accepted, and what follows may be large.
        let rest = splitter.split(&mut bytes, 16 * HELLO_MAX_FRAME).unwrap();
        assert_eq!(frames(rest), [large.as_bytes(), small]);
    }

    #[test]
    fn promise_10_a_document_beyond_the_limit_is_refused_where_none_was_accepted() {
        let mut bytes = BytesMut::from(format!(r#"["{}"]"#, "x".repeat(HELLO_MAX_FRAME)).as_bytes());
        let mut splitter = Splitter::new(Wire::Pysig);
        assert!(splitter.split(&mut bytes, HELLO_MAX_FRAME).is_err());
    }
}
