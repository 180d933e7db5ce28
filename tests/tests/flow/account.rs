//! What a listener got of one event of one sender: nothing twice, nothing out of order, everything accounted for.

use sig_router::{Event, EventStream, Lagged, RemoteEventStream};
use sig_tests::rig::soon;

/// What a listener takes.
pub(crate) type Delivery = Result<Event<'static>, Lagged>;

/// Any stream of events.
pub(crate) trait Stream {
    /// The next delivery, which has to come.
    fn next(&mut self) -> impl Future<Output = Delivery> + Send;

    /// How many events wait.
    fn depth(&self) -> usize;
}

impl Stream for EventStream {
    async fn next(&mut self) -> Delivery {
        soon("an event", self.recv()).await.unwrap()
    }

    fn depth(&self) -> usize {
        self.len()
    }
}

impl Stream for RemoteEventStream {
    async fn next(&mut self) -> Delivery {
        soon("an event", self.recv()).await.unwrap()
    }

    fn depth(&self) -> usize {
        self.len()
    }
}

/// What a listener got of one event of one sender.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) received: u64,
    pub(crate) skipped: u64,
    pub(crate) lost: u64,
    /// The number of the last one.
    pub(crate) last: u64,
}

impl Account {
    /// One of a listener that came after this number.
    pub(crate) fn after(last: u64) -> Self {
        Self {
            last,
            ..Self::default()
        }
    }

    /// Takes a delivery; gives the number of an event.
    pub(crate) fn take(&mut self, delivery: &Delivery) -> Option<u64> {
        match delivery {
            Ok(event) => {
                assert!(event.number() > self.last, "{event:?} after {}", self.last);
                self.last = event.number();
                self.received += 1;
                self.skipped += event.skipped();
                Some(event.number())
            }
            Err(lagged) => {
                assert!(lagged.count() > 0);
                self.lost += lagged.count();
                None
            }
        }
    }

    /// All that is accounted for.
    pub(crate) fn total(&self) -> u64 {
        self.received + self.skipped + self.lost
    }

    /// Hears until so many are accounted for; not one more may be.
    pub(crate) async fn hear(&mut self, stream: &mut impl Stream, total: u64) {
        while self.total() < total {
            let delivery = stream.next().await;
            self.take(&delivery);
        }
        assert_eq!(self.total(), total, "{self:?}");
    }
}
