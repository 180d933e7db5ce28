//! When a sender's events go to the router, and when they are kept or lost: without sockets and clocks.

use super::backlog::Backlog;
use crate::client::Offline;
use crate::session::Credit;

/// The flow of one sender's events: through a link `L` within its credit, or into the backlog.
///
/// Events leave in the order in which they came. So while anything is kept, newer events are kept behind it, and the
/// sender's gate is shut as soon as there is a link, until all of it has gone.
#[derive(Debug)]
pub(super) struct Flow<L, T> {
    link: Option<(L, Credit)>,
    backlog: Backlog<T>,
    lost: u64,
}

/// What became of an event that was handed to a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is under way, and cost so much credit.
    Cost(u64),
    /// The link could not take this one.
    Lost,
    /// The link takes nothing any more.
    Closed,
}

impl<L, T> Flow<L, T> {
    pub(super) fn new(policy: Offline) -> Self {
        Self {
            link: None,
            backlog: Backlog::new(policy),
            lost: 0,
        }
    }

    /// There is a link, with so much credit. What was kept waits for [`send_kept`](Self::send_kept).
    pub(super) fn online(&mut self, link: L, credit: Credit) {
        self.link = Some((link, credit));
    }

    /// There is no link. Gives it back, to be dropped where no lock is held.
    pub(super) fn offline(&mut self) -> Option<L> {
        self.link.take().map(|(link, _)| link)
    }

    pub(super) fn link(&self) -> Option<&L> {
        self.link.as_ref().map(|(link, _)| link)
    }

    /// Lends all credit that is left, for events that go over the link without coming by here. Nothing may be kept, and it
    /// is given back before anything else is offered.
    pub(super) fn lend(&mut self) -> Option<u64> {
        if !self.backlog.is_empty() {
            return None;
        }
        let (_, credit) = self.link.as_mut().filter(|(_, credit)| credit.is_open())?;
        Some(credit.lend())
    }

    /// So much of it is left.
    pub(super) fn give_back(&mut self, left: u64) {
        if let Some((_, credit)) = &mut self.link {
            credit.give_back(left);
        }
    }

    /// The link's credit is this much in all.
    pub(super) fn granted(&mut self, total: u64) {
        if let Some((_, credit)) = &mut self.link {
            credit.granted(total);
        }
    }

    /// A new event: sent at once, or kept behind those before it, or lost. `keep` is asked for what to keep of it, and
    /// how large that is.
    pub(super) fn offer(&mut self, event: u32, send: impl FnOnce(&mut L) -> Sent, keep: impl FnOnce() -> (usize, T)) {
        if self.backlog.is_empty() {
            if let Some((link, credit)) = self.link.as_mut().filter(|(_, credit)| credit.is_open()) {
                match send(link) {
                    Sent::Cost(cost) => {
                        credit.spend(cost);
                        return;
                    }
                    Sent::Lost => return self.lose(1),
                    Sent::Closed => self.link = None,
                }
            }
        }
        if !self.backlog.keeps() {
            return self.lose(1);
        }
        let (bytes, item) = keep();
        let lost = self.backlog.push(event, bytes, item);
        self.lose(lost);
    }

    /// Sends the oldest event that was kept, if there is one and it may be sent now; whether that was so.
    pub(super) fn send_kept(&mut self, send: impl FnOnce(&mut L, &T) -> Sent) -> bool {
        let link = self.link.as_mut().filter(|(_, credit)| credit.is_open());
        let Some(((link, credit), kept)) = link.zip(self.backlog.front()) else {
            return false;
        };
        match send(link, kept) {
            Sent::Cost(cost) => {
                credit.spend(cost);
            }
            Sent::Lost => self.lost += 1,
            Sent::Closed => {
                self.link = None;
                return false;
            }
        }
        self.backlog.pop();
        true
    }

    /// Whether the sender's gate is to be shut: for want of a link, of credit, or until what was kept has gone.
    pub(super) fn shuts_gate(&self) -> bool {
        match &self.link {
            None => !self.backlog.keeps(),
            Some((_, credit)) => !credit.is_open() || !self.backlog.is_empty(),
        }
    }

    /// Whether nothing but a link opens the gate.
    pub(super) fn waits_for_link(&self) -> bool {
        self.link.is_none() && !self.backlog.keeps()
    }

    /// What was kept and has not gone yet.
    pub(super) fn kept(&self) -> &Backlog<T> {
        &self.backlog
    }

    /// So many events will never be sent.
    pub(super) fn lose(&mut self, count: u64) {
        self.lost = self.lost.saturating_add(count);
    }

    /// How many events were not sent and will never be.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Gives up what was kept: it is lost. Gives it back, to be dropped where no lock is held.
    pub(super) fn clear(&mut self) -> Backlog<T> {
        self.lose(self.backlog.len() as u64);
        let policy = self.backlog.policy();
        std::mem::replace(&mut self.backlog, Backlog::new(policy))
    }
}
