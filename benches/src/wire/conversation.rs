//! A connection on which a protocol is spoken.

use std::ops::Range;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use super::{nats, sig1};
use crate::error::Failure;
use crate::stream::{self, Reader, Writer};

/// How long the other side may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What may be spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Sig1,
    Nats,
}

/// One thing that the other side says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// An event; where its payload is.
    Event(Range<usize>),
    /// A control message; where its text is.
    Control(Range<usize>),
    /// A question that these bytes answer.
    Question(&'static [u8]),
    /// Nothing of interest.
    Nothing,
}

impl Protocol {
    fn parse(self, bytes: &[u8]) -> Result<Option<(usize, Said)>, Failure> {
        match self {
            Self::Sig1 => sig1::parse(bytes),
            Self::Nats => nats::parse(bytes),
        }
    }

    /// What to say when it is silent, and after how long.
    fn sign_of_life(self) -> Option<(Duration, &'static [u8])> {
        match self {
            Self::Sig1 => Some((sig1::SILENCE, sig1::HEARTBEAT)),
            Self::Nats => None,
        }
    }
}

pub(super) struct Conversation {
    protocol: Protocol,
    reader: Reader,
    writer: Writer,
    bytes: Vec<u8>,
    taken: usize,
    /// How much is read at once.
    chunk: usize,
    due: Instant,
}

impl Conversation {
    /// Connects, and subscribes to a topic: `pub0/tick` for sig, `tick` for NATS, or one that nobody triggers.
    pub(super) async fn subscribe(url: &str, topic: &str, chunk: usize) -> Result<Self, Failure> {
        let subscribed = Self::subscribe_in_time(url, topic, chunk);
        tokio::time::timeout(PATIENCE, subscribed)
            .await
            .map_err(|_| Failure::new(format!("no answer from {url} within {PATIENCE:?}")))?
    }

    async fn subscribe_in_time(url: &str, topic: &str, chunk: usize) -> Result<Self, Failure> {
        let (protocol, url) = match url.strip_prefix("nats://") {
            Some(address) => (Protocol::Nats, format!("tcp://{address}")),
            None => (Protocol::Sig1, url.to_owned()),
        };
        let (reader, writer) = stream::connect(&url).await?;
        let mut conversation = Self {
            protocol,
            reader,
            writer,
            bytes: Vec::new(),
            taken: 0,
            chunk,
            due: Instant::now(),
        };
        match protocol {
            Protocol::Sig1 => sig1::subscribe(&mut conversation, topic).await?,
            Protocol::Nats => nats::subscribe(&mut conversation, topic).await?,
        }
        conversation.postpone();
        Ok(conversation)
    }

    pub(super) async fn say(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.writer.write_all(bytes).await?)
    }

    /// Takes this many bytes as they are.
    pub(super) async fn take(&mut self, length: usize) -> Result<Vec<u8>, Failure> {
        while self.bytes.len() < self.taken + length {
            self.more().await?;
        }
        let taken = self.bytes[self.taken..self.taken + length].to_vec();
        self.taken += length;
        Ok(taken)
    }

    /// The text of the next control message.
    pub(super) async fn control(&mut self) -> Result<Vec<u8>, Failure> {
        loop {
            match self.said()? {
                Some(Said::Control(place)) => return Ok(self.bytes[place].to_vec()),
                Some(_) => {}
                None => self.more().await?,
            }
        }
    }

    /// Hands the next payload over; `None` when the connection is over. Answers questions and gives signs of life.
    ///
    /// Cancel safe but for these, which are a few bytes into an empty buffer.
    pub(super) async fn event<T>(&mut self, take: impl FnOnce(&[u8]) -> T) -> Option<T> {
        loop {
            match self.said() {
                Ok(Some(Said::Event(place))) => return Some(take(&self.bytes[place])),
                Ok(Some(Said::Question(answer))) => self.say(answer).await.ok()?,
                Ok(Some(_)) => {}
                Ok(None) => self.more_in_time().await.ok()?,
                Err(_) => return None,
            }
        }
    }

    fn said(&mut self) -> Result<Option<Said>, Failure> {
        let Some((length, said)) = self.protocol.parse(&self.bytes[self.taken..])? else {
            return Ok(None);
        };
        let from = self.taken;
        self.taken += length;
        let place = |range: Range<usize>| from + range.start..from + range.end;
        Ok(Some(match said {
            Said::Event(range) => Said::Event(place(range)),
            Said::Control(range) => Said::Control(place(range)),
            other => other,
        }))
    }

    async fn more_in_time(&mut self) -> Result<(), Failure> {
        let Some((silence, sign)) = self.protocol.sign_of_life() else {
            return self.more().await;
        };
        match tokio::time::timeout_at(self.due, self.more()).await {
            Ok(read) => read,
            Err(_) => {
                self.due = Instant::now() + silence;
                self.say(sign).await
            }
        }
    }

    fn postpone(&mut self) {
        if let Some((silence, _)) = self.protocol.sign_of_life() {
            self.due = Instant::now() + silence;
        }
    }

    async fn more(&mut self) -> Result<(), Failure> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        self.bytes.reserve(self.chunk);
        if self.reader.read_buf(&mut self.bytes).await? == 0 {
            return Err(Failure::new("the connection is closed"));
        }
        Ok(())
    }
}
