//! How fast a line is, and what follows from that.

use std::time::Duration;

use sig_wire::cobs;

use crate::Options;

/// Fewest bytes of a chunk.
const LEAST_CHUNK: usize = 256;

/// What stands around the payload of a segment: its head, and the check sum of the frame.
const AROUND: usize = super::segment::DATA_HEAD + 4;

/// How fast a line is, and what may be on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How long one byte is on the line.
    pub byte_time: Duration,
    /// How much line time may be queued.
    pub queue: Duration,
    /// Only one side speaks at a time. The side that dials says whether.
    pub half: bool,
    /// Most bytes of a frame.
    pub max_frame: usize,
}

impl From<&Options> for Pace {
    fn from(options: &Options) -> Self {
        Self {
            byte_time: options.byte_time(),
            queue: options.queue,
            half: options.is_half_duplex(),
            max_frame: options.max_frame,
        }
    }
}

impl Pace {
    /// How long so many bytes are on the line.
    #[must_use]
    pub fn time_of(&self, bytes: usize) -> Duration {
        self.byte_time * u32::try_from(bytes).unwrap_or(u32::MAX)
    }

    /// How many bytes are on the line in this time.
    #[must_use]
    pub fn bytes_in(&self, time: Duration) -> usize {
        let bytes = time.as_nanos() / self.byte_time.as_nanos().max(1);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// How large the pieces are that a router hands over, so that nothing urgent waits for more than two of them.
    #[must_use]
    pub fn chunk(&self) -> usize {
        self.bytes_in(self.queue).clamp(LEAST_CHUNK, 64 * 1024)
    }

    /// The largest payload of a segment that is sent: one is on the line, and one waits, in the time of a chunk.
    pub(super) fn segment(&self) -> usize {
        (self.chunk() / 2).min(self.largest())
    }

    /// The largest payload of a segment that is taken.
    pub(super) fn largest(&self) -> usize {
        let frame = self.max_frame;
        frame
            .saturating_sub(cobs::max_encoded_len(frame) - frame + AROUND)
            .max(1)
    }

    /// How many bytes wait to become segments.
    pub(super) fn waiting(&self) -> usize {
        (self.chunk() / 2).max(self.segment())
    }
}
