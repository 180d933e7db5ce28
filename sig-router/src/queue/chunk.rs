//! Plain events that wait in one piece of memory.

use std::sync::Arc;

use bytes::BytesMut;
use sig_core::ContentType;
use sig_wire::EventHeader;

use crate::burst::{self, Piece};
use crate::event::{Event, EventId, Part, Together};

/// Plain events of one kind whose numbers follow each other: their frames, one behind the other.
#[derive(Debug)]
pub(super) struct Chunk {
    id: Arc<EventId>,
    content_type: ContentType,
    /// The number of the first.
    first: u64,
    count: u64,
    frames: BytesMut,
}

impl Chunk {
    /// One without events.
    pub(super) fn new(id: &Arc<EventId>, content_type: ContentType, first: u64) -> Self {
        Self::with_room(id, content_type, first, 0)
    }

    /// One without events, with room for so many bytes.
    pub(super) fn with_room(id: &Arc<EventId>, content_type: ContentType, first: u64, size: usize) -> Self {
        Self {
            id: Arc::clone(id),
            content_type,
            first,
            count: 0,
            frames: BytesMut::with_capacity(size),
        }
    }

    /// One without events, for those that come after these: about as many.
    pub(super) fn next(&self) -> Self {
        let first = self.first + self.count;
        Self::with_room(&self.id, self.content_type, first, self.frames.len())
    }

    /// The number of the first event.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn content_type(&self) -> ContentType {
        self.content_type
    }

    /// Size of the events' data.
    pub(super) fn data_len(&self) -> usize {
        let heads = burst::head_len(self.content_type) as u64 * self.count;
        self.frames.len() - usize::try_from(heads).unwrap_or(self.frames.len())
    }

    /// Whether the event of the same kind with this number goes behind those that are here.
    #[inline]
    pub(super) fn is_followed_by(&self, content_type: ContentType, number: u64) -> bool {
        self.content_type == content_type && self.first + self.count == number
    }

    pub(super) fn id(&self) -> &Arc<EventId> {
        &self.id
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn byte_len(&self) -> usize {
        self.frames.len()
    }

    /// Whether the event with this number goes behind those that are here.
    pub(super) fn goes_on_with(&self, id: &Arc<EventId>, content_type: ContentType, number: u64) -> bool {
        self.is_followed_by(content_type, number) && Arc::ptr_eq(&self.id, id)
    }

    /// Appends an event; false if it is too large to be one of several.
    pub(super) fn push(&mut self, data: &[u8]) -> bool {
        // Nobody reads the alias again.
        let header = EventHeader {
            alias: 0,
            number: self.first + self.count,
        };
        if burst::append(&mut self.frames, header, self.content_type, data, u32::MAX).is_err() {
            return false;
        }
        self.count += 1;
        true
    }

    /// Appends those of another chunk, which [go on](Self::goes_on_with) here.
    pub(super) fn append(&mut self, other: &Self) {
        self.frames.extend_from_slice(&other.frames);
        self.count += other.count;
    }

    /// Appends those that came together, which [go on](Self::goes_on_with) here.
    pub(super) fn push_all(&mut self, piece: &Piece<'_>) {
        self.frames.extend_from_slice(piece.frames);
        self.count += piece.count;
    }
}

/// The rest of a chunk, in the hands of the only one who takes events from a queue.
#[derive(Debug)]
pub(super) struct Hand {
    together: Arc<Together>,
    next: Part,
}

impl Hand {
    pub(super) fn of(chunk: Chunk) -> Self {
        Self {
            next: Part { index: 0, at: 0 },
            together: Arc::new(Together {
                id: chunk.id,
                content_type: chunk.content_type,
                first: chunk.first,
                frames: chunk.frames.freeze(),
            }),
        }
    }

    /// Takes the next event.
    #[inline]
    pub(super) fn take(&mut self) -> Option<Event<'static>> {
        let part = self.next;
        let size = burst::frame_size(self.together.frames.get(part.at as usize..)?)?;
        self.next = Part {
            index: part.index + 1,
            at: u32::try_from(part.at as usize + size).ok()?,
        };
        Some(Event::part(&self.together, part))
    }
}
