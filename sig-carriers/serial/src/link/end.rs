//! How a link ends.

use std::fmt;

use super::segment::VERSION;

/// How a link ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEnd {
    /// Both sides had sent everything.
    Closed,
    /// The other side ended it at once.
    Reset,
    /// The other side knows of no such link: it was restarted, or another program has the port now.
    Unknown,
    /// The other side opened another link.
    Replaced,
    /// Nothing was heard for ten seconds, though something should have been.
    Silent,
    /// The other side speaks another version of links, which this is.
    Version(u8),
    /// Both sides dial: one of the two has to listen.
    BothDial,
    /// What is sent comes back: the line is looped, or the adapter echoes.
    Echo,
    /// The line itself has ended.
    LineLost,
    /// This side let go of it.
    Dropped,
}

impl fmt::Display for LinkEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the link was closed"),
            Self::Reset => f.write_str("the other side ended the link"),
            Self::Unknown => f.write_str("the other side does not know the link; it was restarted"),
            Self::Replaced => f.write_str("the other side opened another link"),
            Self::Silent => f.write_str("the other side was silent for too long"),
            Self::Version(theirs) => write!(
                f,
                "the other side speaks version {theirs} of links, this side {VERSION}; update the older one"
            ),
            Self::BothDial => f.write_str("both sides dial; let one of the two listen (sig serve serial:..)"),
            Self::Echo => f.write_str("what is sent comes back; the line is looped or the adapter echoes"),
            Self::LineLost => f.write_str("the line was lost"),
            Self::Dropped => f.write_str("this side let go of the link"),
        }
    }
}
