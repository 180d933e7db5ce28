//! What can be wrong with a carrier.

/// One bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bug {
    None,
    /// The end of a link is not reported.
    LostClose,
    /// One link is announced as two clients.
    DuplicateConnect,
    /// A batch is sent back to front.
    ReorderedBatch,
    /// The first message on a link is taken for something else.
    SwallowedFirst,
    /// Nothing is read while a write waits.
    ReadsOrWrites,
    /// The client is announced before its writer is registered.
    WriterTooLate,
    /// A task does not hear that it is to stop.
    LeakOnShutdown,
    /// A task that nobody owns.
    BareSpawn,
    /// What one read brings is taken for a whole frame.
    SplitFrame,
    /// Now and then a message is sent twice.
    DuplicatedMessage,
    /// `close_client` waits for something.
    HangingClose,
    /// `close_client` closes everybody.
    ClosesNeighbour,
    /// An error from `handle_rx` is ignored.
    IgnoresErrors,
    /// `run` does not return when it is told to stop.
    NeverReturns,
    /// `handle_tx` takes everything at once and a task writes it later, or never.
    WriteBehind,
    /// Messages go to whoever came last.
    WrongClient,
    /// The size of frames is not limited.
    NoLimit,
    /// The batch is not drained.
    LeavesBatch,
    /// One lock for all writers.
    OneWriterForAll,
    /// The table keeps clients that are gone.
    StaleEntry,
    /// A malformed frame ends the run.
    EndsForOneBadPeer,
    /// A refused client keeps its link.
    RefusedStays,
    /// A write that waits is not woken by `close_client`.
    StuckWriter,
    /// Half a message counts as a goodbye.
    HalfIsWhole,
    /// `pack` forgets the extensions of events.
    LossyCodec,
    /// `unpack` panics.
    PanickingCodec,
}
