//! Where events go that are not delivered on the spot.

use std::fmt;
use std::sync::Arc;

use sig_core::Payload;

use crate::hub::EventRecord;
use crate::pressure::Gate;

/// An event on its way out, packed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item<'a> {
    /// Counts per sender generation and event.
    pub(crate) number: u64,
    pub(crate) payload: &'a Payload,
    /// The whole sig/1 frame, when the event arrived as one.
    pub(crate) frame: Option<&'a [u8]>,
    /// Its extensions.
    pub(crate) ext: &'a [u8],
    /// Presence is never lost to a policy.
    pub(crate) presence: bool,
}

/// A bounded queue behind which a stream, a callback's task or a client takes events.
pub(crate) trait Outlet: fmt::Debug + Send + Sync {
    /// Takes an event or counts it as lost; never waits. When it is full from now on, it shuts the sender's gate.
    fn offer(&self, event: &Arc<EventRecord>, item: &Item<'_>, gate: &Arc<Gate>);
}

/// The way from a sender of this router to another router.
pub(crate) trait Uplink: Outlet {
    /// Whether there is no link at the moment.
    fn is_offline(&self) -> bool;
}
