//! Telling the peer what became of its events.

use std::sync::Arc;

use sig_core::{MessageId, Outcome, RawJson};

use super::Peer;
use crate::confirm::Tally;

/// Most events of one peer of which a tally is kept at a time. What became of more is told as far as it is known at once.
pub(super) const MAX_CONFIRMING: usize = 4096;

impl Peer {
    /// Whether the peer tells what became of events.
    pub(crate) fn confirms(&self) -> bool {
        *self.confirms.get().unwrap_or(&false)
    }

    /// The hello says whether the peer tells what became of events.
    pub(super) fn set_confirms(&self, confirms: bool) {
        // There is one hello.
        let _ = self.confirms.set(confirms);
    }

    /// Tells the peer what became of its event, once everyone has dealt with it, or at the deadline.
    pub(crate) fn confirm(self: &Arc<Self>, id: u64, tally: Arc<Tally>) {
        if tally.is_settled() {
            return self.reply_counts(id, &tally);
        }
        let Ok(permit) = Arc::clone(&self.work().tallies).try_acquire_owned() else {
            return self.reply_counts(id, &tally);
        };
        let peer = Arc::clone(self);
        self.tasks.spawn("confirming", async move {
            // Over a link that ends nothing more is said: what was not dealt with until then is lost, and not pending.
            let result = peer.gone.run_until_cancelled(tally.result()).await;
            drop(permit);
            if result.is_some() {
                peer.reply_counts(id, &tally);
            }
        });
    }

    fn reply_counts(&self, id: u64, tally: &Tally) {
        let counts = RawJson::new(&tally.confirmation()).unwrap_or_default();
        self.reply(Some(MessageId::Number(id)), Outcome::Done(counts));
    }
}
