//! What became of the bytes of a line.

/// What became of the bytes of a line so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Bytes that came.
    pub bytes: u64,
    /// Those of them that no text has: frames are full of them, and so is a line that is sampled at the wrong rate.
    pub binary: u64,
    /// Documents, in lines or frames.
    pub documents: u64,
    /// Segments of a link between routers.
    pub segments: u64,
    /// Lines and frames whose check sum, or form, shows that they were damaged.
    pub crc_errors: u64,
    /// Lines and frames beyond the limit.
    pub oversize: u64,
    /// Times that a delimiter brought order again behind something damaged or too large.
    pub resyncs: u64,
    /// Lines of text that the device printed.
    pub log_lines: u64,
    /// Documents without the check sum that is required. They count among the log as well.
    pub unchecked: u64,
    /// Frames that are whole, and whose content is not known here.
    pub unknown: u64,
}
