//! What does the peer speak? The first bytes of a stream, on both sides.

use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use sig_wire::preface::{LEN, MAGIC};
use sig_wire::{Encoding, Preface, PrefaceError};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};

use super::Dialect;
use super::link::Wire;
use crate::error::CarrierError;

/// How long a preface that has begun may take.
const PREFACE_PATIENCE: Duration = Duration::from_secs(10);

/// How long a dialler that can also speak JSON waits for the answer to its preface.
pub(super) const ANSWER_PATIENCE: Duration = Duration::from_secs(1);

/// What a listener found out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Detected {
    pub(super) wire: Wire,
    /// The bytes that were read and belong to the first message.
    pub(super) head: BytesMut,
}

/// Waits for the first bytes of a peer that connected, and answers its preface. `None`: it left without a word.
///
/// Never reads more than a preface has, so that nothing but the 12 bytes is held while the peer is undecided.
pub(super) async fn listener<Io: AsyncRead + AsyncWrite + Unpin>(
    io: &mut Io,
    dialect: Dialect,
    encoding: Encoding,
    patience: Option<Duration>,
) -> Result<Option<Detected>, CarrierError> {
    let mut seen = [0; LEN];
    let mut filled = 0;
    let mut deadline = patience.map(|patience| Instant::now() + patience);
    loop {
        let read = match within(deadline, io.read(&mut seen[filled..])).await {
            Some(read) => read?,
            None => return Err(silent(filled)),
        };
        match (read, filled) {
            (0, 0) => return Ok(None),
            (0, _) => return Err(cut_off().into()),
            _ => filled += read,
        }
        let spaces = seen[..filled]
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        seen.copy_within(spaces.., 0);
        filled -= spaces;
        match &seen[..filled] {
            [] => {}
            [b'{', ..] if dialect != Dialect::Sig1 => {
                let head = BytesMut::from(&seen[..filled]);
                return Ok(Some(Detected {
                    wire: Wire::Pysig,
                    head,
                }));
            }
            begun => match Preface::decode(begun) {
                Ok(Some(offer)) => {
                    let wire = answer(io, encoding, &offer).await?;
                    return Ok(Some(Detected {
                        wire,
                        head: BytesMut::new(),
                    }));
                }
                Ok(None) => {
                    let complete_by = Instant::now() + PREFACE_PATIENCE;
                    deadline = Some(deadline.map_or(complete_by, |deadline| deadline.min(complete_by)));
                }
                Err(PrefaceError::NotMagic { .. }) => return Err(stranger(begun)),
                Err(error) => return Err(CarrierError::Other(error.to_string())),
            },
        }
    }
}

/// Answers a peer's offer: with what was agreed, or with what this side speaks.
async fn answer<Io: AsyncWrite + Unpin>(
    io: &mut Io,
    encoding: Encoding,
    offer: &Preface,
) -> Result<Wire, CarrierError> {
    // Without a codec of its own, this side can serve both encodings.
    let ours = match encoding {
        Encoding::Sig1 => Preface::new(offer.encoding),
        Encoding::Packed => Preface::new(Encoding::Packed),
    };
    let agreed = ours.negotiate(offer);
    let reply = match agreed {
        Ok(version) => Preface::chosen(version, ours.encoding),
        Err(_) => ours,
    };
    io.write_all(&reply.encode()).await?;
    io.flush().await?;
    match agreed {
        Ok(_) => Ok(ours.encoding.into()),
        Err(error) => Err(refused(error)),
    }
}

/// What a dialler heard after its preface.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The peer speaks sig/1, like this.
    Agreed(Wire),
    /// Nothing within the time.
    Silence,
    /// The peer closed the link without a word.
    Closed,
    /// The peer speaks JSON.
    Json,
}

/// Sends the preface and waits for the answer.
pub(super) async fn dialler<Io: AsyncRead + AsyncWrite + Unpin>(
    io: &mut Io,
    encoding: Encoding,
    patience: Duration,
) -> Result<Answer, CarrierError> {
    let ours = Preface::new(encoding);
    io.write_all(&ours.encode()).await?;
    io.flush().await?;
    let mut seen = [0; LEN];
    let mut filled = 0;
    let mut deadline = Instant::now() + patience;
    loop {
        let read = match within(Some(deadline), io.read(&mut seen[filled..])).await {
            Some(read) => read?,
            None if filled == 0 => return Ok(Answer::Silence),
            None => return Err(silent(filled)),
        };
        match (read, filled) {
            (0, 0) => return Ok(Answer::Closed),
            (0, _) => return Err(cut_off().into()),
            (_, 0) => deadline = Instant::now() + PREFACE_PATIENCE,
            _ => {}
        }
        filled += read;
        match Preface::decode(&seen[..filled]) {
            Ok(Some(theirs)) => {
                ours.negotiate(&theirs).map_err(refused)?;
                return Ok(Answer::Agreed(encoding.into()));
            }
            Ok(None) => {}
            Err(PrefaceError::NotMagic { .. }) if seen[0] == b'{' => return Ok(Answer::Json),
            Err(PrefaceError::NotMagic { .. }) => return Err(stranger(&seen[..filled])),
            Err(error) => return Err(CarrierError::Other(error.to_string())),
        }
    }
}

/// Returns when a peer that was taken for a pysig server answers the preface after all.
pub(super) async fn late_answer<Io: AsyncRead + Unpin>(io: Option<Io>) {
    if let Some(mut io) = io {
        let deadline = Instant::now() + PREFACE_PATIENCE;
        let mut first = [0];
        if matches!(within(Some(deadline), io.read(&mut first)).await, Some(Ok(1))) && first[0] == MAGIC[0] {
            return;
        }
    }
    std::future::pending().await
}

async fn within<F: Future>(deadline: Option<Instant>, future: F) -> Option<F::Output> {
    match deadline {
        Some(deadline) => timeout_at(deadline, future).await.ok(),
        None => Some(future.await),
    }
}

fn silent(filled: usize) -> CarrierError {
    CarrierError::Other(match filled {
        0 => "the peer connected and said nothing".to_owned(),
        _ => format!("the peer stopped after {filled} of the {LEN} bytes of a sig/1 preface"),
    })
}

fn cut_off() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the peer left in the middle of its preface",
    )
}

fn refused(error: PrefaceError) -> CarrierError {
    match error {
        PrefaceError::NoCommonVersion { ours, theirs } => CarrierError::Version {
            theirs_min: theirs.0,
            theirs_max: theirs.1,
            ours_min: ours.0,
            ours_max: ours.1,
        },
        other => CarrierError::Other(other.to_string()),
    }
}

/// An error about a peer that speaks something else, naming what it looks like.
fn stranger(seen: &[u8]) -> CarrierError {
    let looks_like = match seen {
        [0x16, ..] => "a TLS handshake; this is a plain port, use TLS on neither side or on both",
        [b'{', ..] => "JSON of a pysig peer, which is not allowed here; use the dialect auto or pysig",
        [b'[', ..] => "a JSON array; a message must be a JSON object",
        [0xff, ..] => "ZeroMQ; connect it to a ZeroMQ carrier",
        [b'S', b'S', b'H', ..] => "SSH; is this the right port?",
        _ if HTTP.iter().any(|word| seen.starts_with(word)) => "HTTP; this port does not serve web pages",
        [0x93, ..] => "a sig/1 preface that was damaged on the way; something between the two changes the bytes",
        _ => "no protocol known here; is this the right port?",
    };
    let shown = seen.escape_ascii();
    CarrierError::Other(format!(
        "the peer does not speak sig: its first bytes \"{shown}\" look like {looks_like}"
    ))
}

const HTTP: [&[u8]; 7] = [b"GET ", b"POST ", b"PUT ", b"HEAD ", b"OPTIONS ", b"HTTP/", b"PRI "];
