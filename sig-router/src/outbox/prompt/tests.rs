use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use parking_lot::Mutex;
use sig_core::{
    Batch, Carrier, CarrierError, ClientId, Disconnect, Encoding, EventName, Payload, PeerInfo, SenderName, Uplink,
    async_trait,
};

use super::{PIECES, PORTION};
use crate::hub::{EventRecord, Hub};
use crate::outbox::{Heading, Outbox};
use crate::outlet::{Item, Terms};
use crate::pressure::{Gate, Stalls};

/// Sends at once; what it woke has the core for a while before it goes on.
#[derive(Debug, Default)]
struct AtOnce {
    sent: Mutex<Vec<usize>>,
    away: Duration,
}

#[async_trait]
impl Carrier for AtOnce {
    fn name(&self) -> &'static str {
        "at-once"
    }

    async fn run(self: Arc<Self>, _: Uplink) -> Result<(), CarrierError> {
        Ok(())
    }

    async fn handle_tx(&self, client: ClientId, batch: &mut Batch) -> Result<(), CarrierError> {
        self.try_handle_tx(client, batch).map(|_| ())
    }

    fn try_handle_tx(&self, _: ClientId, batch: &mut Batch) -> Result<bool, CarrierError> {
        self.sent.lock().push(batch.byte_len());
        pass(self.away);
        Ok(true)
    }

    fn close_client(&self, _: ClientId, _: &Disconnect) {}
}

/// Lets the paused clock go on.
fn pass(time: Duration) {
    // What is left of it then is to let other tasks run.
    let _ = tokio::time::advance(time).now_or_never();
}

struct Bench {
    carrier: Arc<AtOnce>,
    outbox: Arc<Outbox>,
    event: Arc<EventRecord>,
    gate: Arc<Gate>,
    number: u64,
    _hub: Arc<Hub>,
}

impl Bench {
    /// With the sending task waiting for something to do.
    fn new(away: Duration) -> Self {
        let hub = Hub::new(None);
        let event = hub.event(&SenderName::new("s").unwrap(), &EventName::new("e").unwrap());
        let carrier = Arc::new(AtOnce {
            away,
            ..AtOnce::default()
        });
        let peer = PeerInfo::new("nowhere", Encoding::Sig1);
        let outbox = Outbox::new(ClientId::next(), carrier.clone(), peer, Arc::new(Stalls::default()));
        outbox.greeted();
        assert!(Arc::clone(&outbox).send_all().now_or_never().is_none());
        pass(Duration::from_secs(1));
        Self {
            carrier,
            outbox,
            event,
            gate: Arc::new(Gate::new()),
            number: 0,
            _hub: hub,
        }
    }

    /// Puts in an event of a size as who triggers does.
    fn trigger(&mut self, size: usize) {
        self.number += 1;
        let payload = Payload::from_bytes(vec![0; size]);
        let heading = Heading {
            alias: self.event.alias,
            announce: false,
            ask: None,
            prompt: true,
        };
        let item = Item::new(self.number, &payload);
        let put = self.outbox.offer(heading, &self.event, &item, &self.gate, &Terms::OWN);
        assert!(put.unwrap().is_some());
        if self.outbox.is_unsent() {
            self.outbox.send_now();
        }
    }

    fn sent(&self) -> Vec<usize> {
        std::mem::take(&mut self.carrier.sent.lock())
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_nothing_else_waits_for_goes_at_once() {
    let mut bench = Bench::new(Duration::ZERO);
    for _ in 0..3 {
        bench.trigger(64);
        assert_eq!(bench.sent().len(), 1);
        pass(Duration::from_micros(3));
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_goes_in_portions_although_the_task_never_runs() {
    let mut bench = Bench::new(Duration::ZERO);
    bench.trigger(64);
    assert_eq!(bench.sent().len(), 1, "the first one at once");
    for _ in 0..10_000 {
        bench.trigger(64);
    }
    let sent = bench.sent();
    assert!((5..=7).contains(&sent.len()), "{sent:?}");
    assert!(
        sent.iter().all(|size| (PORTION..PORTION + 256).contains(size)),
        "{sent:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn who_was_woken_and_had_the_core_meanwhile_does_not_split_a_burst() {
    let mut bench = Bench::new(Duration::from_micros(50));
    for _ in 0..100 {
        bench.trigger(64);
    }
    assert_eq!(bench.sent().len(), 1, "only the first went by itself");
}

#[tokio::test(start_paused = true)]
async fn a_few_pieces_of_a_large_event_go_at_once_and_the_rest_with_the_task() {
    let mut bench = Bench::new(Duration::ZERO);
    bench.outbox.cut_frames();
    bench.trigger(600 * 1024);
    assert_eq!(bench.sent().len(), PIECES);
    bench.trigger(64);
    assert!(bench.sent().is_empty(), "it stays behind the large one");
    bench.outbox.finish();
    let sent = Arc::clone(&bench.outbox).send_all().now_or_never();
    assert!(matches!(sent, Some(Ok(()))));
    // Five more whole ones, what is left, and the small one.
    assert_eq!(bench.sent().len(), 10 - PIECES + 1);
    assert_eq!(bench.outbox.tally().flushed, 2);
}
