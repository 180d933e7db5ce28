//! Where the messages of one link go.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::hub::{End, Hub, Links};
use super::link::{Link, Offer};
use super::topics::{Change, TooMany};
use super::wired::Wired;
use crate::Pattern;
use crate::forwarder::pump::Gate as _;
use crate::forwarder::way::Way;

/// The way of what comes in by one link.
pub(super) struct Route<'a> {
    hub: &'a Hub,
    /// The end where it comes in.
    end: End,
    from: &'a Link,
    /// Who is there at the other end, as of the messages that came together.
    targets: Links,
    /// Whom something was given that was not flushed.
    touched: Vec<Arc<Link>>,
}

impl<'a> Route<'a> {
    pub(super) fn new(hub: &'a Hub, end: End, from: &'a Link) -> Self {
        Self {
            hub,
            end,
            from,
            targets: Links::default(),
            touched: Vec::new(),
        }
    }

    /// Messages that came together follow.
    pub(super) fn begin(&mut self) {
        self.targets = self.hub.side(self.other()).links();
    }

    /// Sends what they became, many at once.
    pub(super) fn flush(&mut self) {
        self.touched.drain(..).for_each(|link| link.flush());
    }

    /// Whether its peer subscribes to anything.
    pub(super) fn hears_subscriptions(&self) -> bool {
        self.end == End::Back && matches!(self.hub.pattern, Pattern::Topics | Pattern::Broadcast)
    }

    /// A subscriber asks for something, or no more.
    pub(super) fn change(&self, change: &Change) -> Result<(), TooMany> {
        match self.hears_subscriptions() {
            true => self.hub.subscribed(self.from, change),
            false => Ok(()),
        }
    }

    /// Passes one message on, waiting where it must not be lost. `Break` when it was given up.
    pub(super) async fn pass(&mut self, message: Wired<'_>) -> ControlFlow<()> {
        match (self.end, self.hub.pattern) {
            (End::Front, Pattern::Topics | Pattern::Broadcast) => {
                passing(&self.hub.there, &message);
                self.spread(&message).await
            }
            (End::Front, Pattern::Requests) => {
                let from = self.from;
                let message = message.with_front(&from.address, from.name.len());
                passing(&self.hub.there, &message);
                self.share(&message).await
            }
            (End::Front, Pattern::Pipeline) => {
                passing(&self.hub.there, &message);
                self.share(&message).await
            }
            (End::Back, Pattern::Requests) => {
                passing(&self.hub.back_again, &message);
                self.reply(&message).await
            }
            (End::Back, Pattern::Topics) => {
                passing(&self.hub.back_again, &message);
                self.upstream(&message);
                ControlFlow::Continue(())
            }
            // Nothing is expected of who listens or works.
            (End::Back, Pattern::Broadcast | Pattern::Pipeline) => ControlFlow::Continue(()),
        }
    }

    /// To all who ask for it.
    async fn spread(&mut self, message: &Wired<'_>) -> ControlFlow<()> {
        let targets = Arc::clone(&self.targets);
        for link in &*targets {
            let attempt = || link.offer(Some(message.first()), message.front, &message.frames);
            let mut offer = attempt();
            if offer == Offer::Full && self.hub.options.no_drop {
                offer = self.wait(|| taken(attempt())).await?;
            }
            self.note(link, &offer);
        }
        ControlFlow::Continue(())
    }

    /// To the next who has room.
    async fn share(&mut self, message: &Wired<'_>) -> ControlFlow<()> {
        let side = self.hub.side(self.other());
        let next = || {
            let mut first = false;
            let link = side.in_turn(|link| match link.offer(None, message.front, &message.frames) {
                Offer::Taken { first: is_first } => {
                    first = is_first;
                    true
                }
                Offer::Unwanted | Offer::Full => false,
            })?;
            Some((link, first))
        };
        let (link, first) = match next() {
            Some(found) => found,
            None => self.wait(next).await?,
        };
        self.note(&link, &Offer::Taken { first });
        ControlFlow::Continue(())
    }

    /// To who asked.
    async fn reply(&mut self, message: &Wired<'_>) -> ControlFlow<()> {
        let asker = self.hub.side(self.other()).named(message.first());
        let Some(link) = asker.filter(|_| !message.is_one_frame()) else {
            self.hub.back_again.dropped();
            return ControlFlow::Continue(());
        };
        let reply = message.rest();
        let mut offer = link.offer(None, b"", &reply);
        if offer == Offer::Full && self.hub.options.mandatory {
            offer = self.wait(|| taken(link.offer(None, b"", &reply))).await?;
        }
        if !matches!(offer, Offer::Taken { .. }) {
            self.hub.back_again.dropped();
        }
        self.note(&link, &offer);
        ControlFlow::Continue(())
    }

    /// What a subscriber sends that is no subscription, to all publishers.
    fn upstream(&mut self, message: &Wired<'_>) {
        let targets = Arc::clone(&self.targets);
        for link in &*targets {
            let offer = link.offer(None, message.front, &message.frames);
            self.note(link, &offer);
        }
    }

    /// Waits for room at the other end, after what is there already was sent.
    async fn wait<T>(&mut self, attempt: impl FnMut() -> Option<T>) -> ControlFlow<(), T> {
        self.flush();
        match self.hub.room(self.other(), attempt).await {
            Some(done) => ControlFlow::Continue(done),
            None => {
                match self.end {
                    End::Front => self.hub.there.dropped(),
                    End::Back => self.hub.back_again.dropped(),
                }
                ControlFlow::Break(())
            }
        }
    }

    fn note(&mut self, link: &Arc<Link>, offer: &Offer) {
        if *offer == (Offer::Taken { first: true }) {
            self.touched.push(Arc::clone(link));
        }
    }

    const fn other(&self) -> End {
        match self.end {
            End::Front => End::Back,
            End::Back => End::Front,
        }
    }
}

fn passing(way: &Way, message: &Wired<'_>) {
    way.pass(message.first(), message.bytes, || message.to_message());
}

fn taken(offer: Offer) -> Option<Offer> {
    (offer != Offer::Full).then_some(offer)
}
