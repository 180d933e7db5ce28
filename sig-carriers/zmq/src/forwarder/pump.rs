//! One direction of a forwarder.

use std::ops::ControlFlow;
use std::pin::pin;

use crate::backend::{Backend, TrySend};
use crate::{Error, Kind, Message};

/// How many messages go one way until others have a turn.
const BURST: usize = 64;

/// What a [`pump`] tells about each message, and asks before it takes more.
pub(crate) trait Gate: Send + Sync {
    /// A message arrived and is about to go on.
    fn passing(&self, message: &Message);

    /// A message was not passed on, because nobody is there who could take it.
    fn dropped(&self);

    /// Ends when more may be taken; `Break` when none shall.
    fn open(&self) -> impl Future<Output = ControlFlow<()>> + Send;

    /// Ends when no more shall be taken, or none for now.
    fn shut(&self) -> impl Future<Output = ()> + Send;

    /// Ends when a message in hand is to be given up.
    fn overdue(&self) -> impl Future<Output = ()> + Send;
}

/// Passes whole messages from one socket to another, in order, until the gate says `Break` or one of the sockets fails.
pub(crate) async fn pump(from: &dyn Backend, to: &dyn Backend, gate: &impl Gate) -> Result<(), Error> {
    while gate.open().await.is_continue() {
        // Kept as long as nothing is to be shut, for it costs as much as a message to begin to wait for that.
        let mut shut = pin!(gate.shut());
        loop {
            let message = tokio::select! {
                biased;
                () = &mut shut => break,
                message = from.recv() => message?,
            };
            if burst(from, to, message, gate).await?.is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Passes a message on, and those behind it.
async fn burst(
    from: &dyn Backend,
    to: &dyn Backend,
    mut message: Message,
    gate: &impl Gate,
) -> Result<ControlFlow<()>, Error> {
    for left in (0..BURST).rev() {
        gate.passing(&message);
        match to.try_send(message) {
            Ok(()) => {}
            Err(TrySend::Full(message)) => return slowly(to, message, gate).await,
            Err(TrySend::Failed(error)) => excused(error, gate)?,
        }
        // What is taken must go on, so none is taken for a turn that does not come.
        if left == 0 {
            break;
        }
        match from.try_recv()? {
            Some(next) => message = next,
            None => return Ok(ControlFlow::Continue(())),
        }
    }
    // Receiving what is there never yields by itself.
    tokio::task::yield_now().await;
    Ok(ControlFlow::Continue(()))
}

async fn slowly(to: &dyn Backend, message: Message, gate: &impl Gate) -> Result<ControlFlow<()>, Error> {
    tokio::select! {
        biased;
        sent = to.send(message) => match sent {
            Ok(()) => Ok(ControlFlow::Continue(())),
            Err(error) => excused(error, gate).map(ControlFlow::Continue),
        },
        () = gate.overdue() => {
            gate.dropped();
            Ok(ControlFlow::Break(()))
        }
    }
}

/// A message that cannot go on is no reason to end: its peer has left, or it is none that the other side could carry.
fn excused(error: Error, gate: &impl Gate) -> Result<(), Error> {
    match error {
        Error::Unroutable { .. } | Error::Message { .. } => {
            gate.dropped();
            Ok(())
        }
        error => Err(error),
    }
}

/// Whether messages go from a socket of the one type to one of the other.
pub(crate) const fn flows(from: Kind, to: Kind) -> bool {
    from.receives() && to.sends()
}
