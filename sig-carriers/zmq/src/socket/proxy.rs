//! The bare proxy.

use std::future::{Future, pending, ready};
use std::ops::ControlFlow;

use super::Socket;
use crate::forwarder::pump::{Gate, flows, pump};
use crate::{Error, Message};

impl Socket {
    /// Passes whole messages both ways between two sockets, until it is dropped or one of them is closed. Of the pairs, XSUB/XPUB (with the
    /// subscriptions flowing back), ROUTER/DEALER, SUB/PUB and PULL/PUSH are of use. [`Forwarder`](crate::Forwarder) does more.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] when one of them is closed, before or while it runs.
    ///
    /// # Cancel safety
    ///
    /// Dropping it is how it ends. A message that waits for room at that moment is lost.
    pub async fn proxy(front: &Self, back: &Self) -> Result<(), Error> {
        let (a, b) = (front.open_for("forward")?, back.open_for("forward")?);
        let there = async {
            match flows(front.kind(), back.kind()) {
                true => pump(a, b, &Open).await,
                false => pending().await,
            }
        };
        let back_again = async {
            match flows(back.kind(), front.kind()) {
                true => pump(b, a, &Open).await,
                false => pending().await,
            }
        };
        tokio::select! {
            ended = there => ended,
            ended = back_again => ended,
        }
    }
}

/// Always open.
struct Open;

impl Gate for Open {
    fn passing(&self, _: &Message) {}

    fn dropped(&self) {}

    fn open(&self) -> impl Future<Output = ControlFlow<()>> + Send {
        ready(ControlFlow::Continue(()))
    }

    fn shut(&self) -> impl Future<Output = ()> + Send {
        pending()
    }

    fn overdue(&self) -> impl Future<Output = ()> + Send {
        pending()
    }
}
