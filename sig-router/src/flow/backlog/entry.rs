//! What waits in a backlog, and what becomes of what comes.

use sig_core::SenderName;

use crate::policy::Policy;

/// An event on its way in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arriving<'a> {
    pub(crate) alias: u32,
    pub(crate) number: u64,
    pub(crate) sender: &'a SenderName,
    /// How many a policy has left out before it on its way here.
    pub(crate) skipped: u64,
    pub(crate) bytes: usize,
    pub(crate) class: Class,
}

/// How an event is treated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Class {
    /// Under a policy, together with the others of this listener.
    Event { policy: Policy, listener: u64 },
    /// `#connect`, or else `#disconnect`: never lost, but where much of it waits not more than a pair of each sender.
    Presence { connects: bool },
    /// Neither: it just keeps its place.
    Notice,
}

/// What waits.
#[derive(Debug)]
pub(crate) struct Entry<T> {
    pub(crate) item: T,
    pub(crate) alias: u32,
    pub(crate) number: u64,
    /// Left out before it: on its way here and in this queue.
    pub(crate) skipped: u64,
    pub(crate) bytes: usize,
    pub(crate) class: Class,
    /// Whose presence it is.
    pub(super) presence: Option<SenderName>,
}

/// What became of an event that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// Whether it waits now; else it is lost.
    pub(crate) stored: bool,
    /// Older ones that were lost for it: their aliases and numbers.
    pub(crate) dropped: Vec<(u32, u64)>,
    /// How many were left out.
    pub(crate) skipped: u64,
}

impl<T> Entry<T> {
    pub(super) fn new(event: &Arriving<'_>, skipped: u64, item: T) -> Self {
        Self {
            item,
            alias: event.alias,
            number: event.number,
            skipped: event.skipped + skipped,
            bytes: event.bytes,
            class: event.class,
            presence: matches!(event.class, Class::Presence { .. }).then(|| event.sender.clone()),
        }
    }

    pub(super) fn is_droppable(&self) -> bool {
        matches!(self.class, Class::Event { policy, .. } if !policy.blocks())
    }
}

impl Pushed {
    pub(crate) const STORED: Self = Self {
        stored: true,
        dropped: Vec::new(),
        skipped: 0,
    };
    pub(super) const LOST: Self = Self {
        stored: false,
        dropped: Vec::new(),
        skipped: 0,
    };

    /// How many events were lost: it, or older ones.
    pub(crate) fn lost(&self) -> u64 {
        self.dropped.len() as u64 + u64::from(!self.stored)
    }
}
