//! Events of one kind that arrived one right behind the other: what is done for each of a few is done for all at once.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use bytes::{BufMut as _, BytesMut};
use sig_core::ContentType;
use sig_wire::event::{EXT_HEAD_LEN, HEAD_LEN};
use sig_wire::{EventFrame, EventHeader, Split, tlv};

use crate::complaints::Complaints;
use crate::outbox::Outbox;
use crate::outlet::Item;

/// Size of the one extension that plain events may have.
const CONTENT_TYPE_LEN: usize = 3;

/// Plain events of one kind, in one buffer: nothing stands between them, their numbers follow each other, and beside
/// their data they say nothing but what kind of data that is.
///
/// The frames are those of the wire, so whoever wants all of them as they are copies them in one go.
#[derive(Debug)]
pub(crate) struct Burst<'a> {
    pub(crate) alias: u32,
    pub(crate) content_type: ContentType,
    /// Whole sig/1 frames.
    pub(crate) frames: &'a [u8],
    /// How many there are; never none.
    pub(crate) count: u64,
    /// The number of the first.
    pub(crate) first: u64,
    /// The number of the one before them that came to this router; what is missing in between was lost.
    pub(crate) before: u64,
    /// Where the last frame begins, and how long the longest is.
    last_at: usize,
    longest: usize,
    /// Bytes in front of the data of each.
    head: usize,
    unsent: RefCell<Vec<Arc<Outbox>>>,
    complaints: Complaints,
}

/// So few outboxes are sent by the one who filled them; more are left to their own tasks.
const FEW: usize = 2;

/// Some of a burst.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) first: u64,
    pub(crate) count: u64,
    pub(crate) frames: &'a [u8],
    pub(crate) data_len: usize,
}

/// What kind of data a plain event has; `None` if it is not plain.
pub(crate) fn plain(ext: &[u8]) -> Option<ContentType> {
    match *ext {
        [] => Some(ContentType::JSON),
        [tlv::CONTENT_TYPE, 1, kind] => Some(ContentType(kind)),
        _ => None,
    }
}

/// Appends a plain event as a frame; gives its size.
///
/// # Errors
///
/// When the frame would exceed the limit; nothing was appended.
#[inline]
pub(crate) fn append(
    out: &mut BytesMut,
    header: EventHeader,
    content_type: ContentType,
    data: &[u8],
    max_frame: u32,
) -> Result<usize, sig_wire::EventError> {
    out.reserve(EXT_HEAD_LEN + CONTENT_TYPE_LEN + data.len());
    let head = append_head(out, header, content_type, data.len(), max_frame)?;
    out.extend_from_slice(data);
    Ok(head + data.len())
}

/// Appends what stands in front of the data of a plain event; gives its size.
///
/// # Errors
///
/// As [`append`].
#[inline]
pub(crate) fn append_head(
    out: &mut BytesMut,
    header: EventHeader,
    content_type: ContentType,
    data_len: usize,
    max_frame: u32,
) -> Result<usize, sig_wire::EventError> {
    let before = out.len();
    let ext = (content_type != ContentType::JSON).then_some(CONTENT_TYPE_LEN as u16);
    let (first, second, third) = header.head_numbers(ext, data_len, max_frame)?;
    out.put_u64_le(first);
    out.put_u64_le(second);
    out.put_u16_le(third);
    if ext.is_some() {
        out.put_u32_le(u32::from_le_bytes([CONTENT_TYPE_LEN as u8, 0, tlv::CONTENT_TYPE, 1]));
        out.put_u8(content_type.0);
    }
    Ok(out.len() - before)
}

/// How many bytes stand in front of the data of a plain event.
#[inline]
pub(crate) fn head_len(content_type: ContentType) -> usize {
    if content_type == ContentType::JSON {
        HEAD_LEN
    } else {
        EXT_HEAD_LEN + CONTENT_TYPE_LEN
    }
}

impl<'a> Burst<'a> {
    /// The event at the front of `rest`, if it is plain, and those that go with it.
    pub(crate) fn read(event: &EventFrame<'_>, size: usize, rest: &'a [u8]) -> Option<Self> {
        let content_type = plain(event.ext)?;
        let head = head_len(content_type);
        if size != head + event.payload.len() {
            // Extensions of no length are as good as none, but are not written so here.
            return None;
        }
        let EventHeader { alias, number: first } = event.header;
        let (mut count, mut last_at, mut at, mut longest) = (1, 0, size, size);
        while let Some(size) = first
            .checked_add(count)
            .and_then(|number| next(rest, at, EventHeader { alias, number }, content_type))
        {
            (last_at, at) = (at, at + size);
            longest = longest.max(size);
            count += 1;
        }
        Some(Self {
            alias,
            content_type,
            frames: rest.get(..at)?,
            count,
            first,
            before: first.saturating_sub(1),
            last_at,
            longest,
            head,
            unsent: RefCell::default(),
            complaints: Complaints::default(),
        })
    }

    /// The same, behind an event with this number.
    pub(crate) fn behind(self, before: u64) -> Self {
        Self { before, ..self }
    }

    /// The number of the last.
    pub(crate) fn last(&self) -> u64 {
        self.first + (self.count - 1)
    }

    /// Whether each fits into a frame of this size. The limit does not count the four bytes of the length itself.
    pub(crate) fn fits(&self, max_frame: usize) -> bool {
        self.longest - sig_wire::frame::LEN_FIELD <= max_frame
    }

    /// How many bytes of data there are.
    pub(crate) fn data_len(&self) -> usize {
        self.frames.len() - self.head * self.len()
    }

    fn len(&self) -> usize {
        usize::try_from(self.count).unwrap_or(usize::MAX)
    }

    /// How many bytes of credit they cost; see [`Item::cost`].
    pub(crate) fn cost(&self) -> u64 {
        (self.data_len() + HEAD_LEN * self.len()) as u64
    }

    /// The same of all but the last.
    pub(crate) fn cost_before_last(&self) -> u64 {
        let last = self.frames.len() - self.last_at - self.head + HEAD_LEN;
        self.cost() - last as u64
    }

    /// The last of them.
    pub(crate) fn last_item(&self) -> Item<'a> {
        let frame = self.frames.get(self.last_at..).unwrap_or_default();
        self.item(self.last(), frame)
    }

    /// One by one.
    pub(crate) fn items(&self) -> impl Iterator<Item = Item<'a>> + '_ {
        let mut at = 0;
        (self.first..=self.last()).map_while(move |number| {
            let rest = self.frames.get(at..)?;
            let frame = rest.get(..frame_size(rest)?)?;
            at += frame.len();
            let item = self.item(number, frame);
            Some(if number == self.first {
                item.behind(self.before)
            } else {
                item
            })
        })
    }

    fn item(&self, number: u64, frame: &'a [u8]) -> Item<'a> {
        let (head, data) = frame.split_at_checked(self.head).unwrap_or_default();
        let item = Item::from_frame(number, frame, self.content_type, data);
        item.with_ext(head.get(EXT_HEAD_LEN..).unwrap_or_default())
    }

    /// The same events in pieces of no more than so many events and bytes, unless one is larger by itself.
    pub(crate) fn pieces(&self, most: u64, bytes: usize) -> impl Iterator<Item = Piece<'a>> + '_ {
        let (mut at, mut number) = (0, self.first);
        std::iter::from_fn(move || {
            let rest = self.frames.get(at..).filter(|rest| !rest.is_empty())?;
            let (mut count, mut size) = (0, 0);
            while count < most {
                let Some(next) = rest.get(size..).and_then(frame_size) else {
                    break;
                };
                if count > 0 && size + next > bytes {
                    break;
                }
                (count, size) = (count + 1, size + next);
            }
            let piece = Piece {
                first: number,
                count,
                frames: rest.get(..size)?,
                data_len: size - self.head * usize::try_from(count).ok()?,
            };
            (at, number) = (at + size, number + count);
            (count > 0).then_some(piece)
        })
    }

    /// Hands them to `offer` one by one, and keeps what goes wrong.
    pub(crate) fn each(&self, mut offer: impl FnMut(&Item<'_>)) {
        for item in self.items() {
            offer(&item);
            self.complaints.extend(item.into_complaints());
        }
    }

    /// It went into an outbox in which nothing was. Whether whoever brought it [sends](Outbox::send_now) that.
    pub(crate) fn leave_unsent(&self, outbox: &Weak<Outbox>) -> bool {
        let mut unsent = self.unsent.borrow_mut();
        let outbox = outbox.upgrade().filter(|_| unsent.len() < FEW);
        let is_left = outbox.is_some();
        unsent.extend(outbox);
        is_left
    }

    /// The outboxes that are to be sent, and what went wrong.
    pub(crate) fn into_outcome(self) -> (Vec<Arc<Outbox>>, Complaints) {
        (self.unsent.into_inner(), self.complaints)
    }
}

/// The size of a whole frame at the front.
#[inline]
pub(crate) fn frame_size(bytes: &[u8]) -> Option<usize> {
    let len = u32::from_le_bytes(*bytes.first_chunk()?);
    usize::try_from(len).ok()?.checked_add(sig_wire::frame::LEN_FIELD)
}

/// The size of the frame at this place if it is a plain event with this header and content type.
fn next(bytes: &[u8], at: usize, header: EventHeader, content_type: ContentType) -> Option<usize> {
    let Ok(Split::Frame(frame)) = sig_wire::split(bytes.get(at..)?, u32::MAX) else {
        return None;
    };
    let event = EventFrame::parse(&frame).ok()?;
    let follows = event.header == header
        && plain(event.ext) == Some(content_type)
        && frame.size() == head_len(content_type) + event.payload.len();
    follows.then(|| frame.size())
}

#[cfg(test)]
mod tests;
