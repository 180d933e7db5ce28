//! What a remote sender does while there is no link.

/// What a remote sender does with events that are triggered while there is no link: see
/// [`SenderBuilder::offline`](crate::SenderBuilder::offline).
///
/// "No link" is also the time in which the router does not take the sender, because another client has its name. The
/// program's own listeners get every event at once in any case.
///
/// Events that are kept go first when the link is back, in the order in which they were triggered; newer triggers wait
/// until they have gone. At most 8 MiB of data are kept for a sender, or one event if that has more. What has to make
/// room is lost: it shows in the events' numbers, and in [`RemoteSender::lost`](crate::RemoteSender::lost).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Offline {
    /// Keeps nothing: [`trigger`](crate::Signal::trigger) waits up to five seconds for a link and then errs, which uses
    /// up the event's number; [`try_trigger`](crate::Signal::try_trigger) errs at once.
    #[default]
    Wait,
    /// Keeps the newest of each event, for values of which only the last one is of interest. Triggering succeeds at
    /// once.
    Latest,
    /// Keeps the last so many events of the sender, whichever they are. Triggering succeeds at once.
    Buffer(usize),
}
