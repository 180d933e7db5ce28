use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sig_core::{
    Batch, Call, Carrier, CarrierError, ClientId, ContentType, Disconnect, Encoding, EventName, Json, Message, Payload,
    PeerInfo, Profile, RawJson, SenderName, Uplink, async_trait,
};
use sig_wire::{EventFrame, Extension, Flags, Kind, Split};

use super::{Heading, Outbox, Take};
use crate::hub::{EventRecord, Hub};
use crate::outlet::{Item, Terms};
use crate::policy::Policy;
use crate::pressure::{Gate, Stallable as _, Stalls};
use crate::session::params::Announce;

/// A carrier that packs like any other and is never sent anything.
#[derive(Debug)]
struct Nowhere;

#[async_trait]
impl Carrier for Nowhere {
    fn name(&self) -> &'static str {
        "nowhere"
    }

    async fn run(self: Arc<Self>, _: Uplink) -> Result<(), CarrierError> {
        Ok(())
    }

    async fn handle_tx(&self, _: ClientId, _: &mut Batch) -> Result<(), CarrierError> {
        Ok(())
    }

    fn close_client(&self, _: ClientId, _: &Disconnect) {}
}

const BLOCK: Terms = Terms {
    policy: Policy::Block(Duration::from_secs(5)),
    listener: 1,
};

fn heading(alias: u32, announce: bool) -> Heading {
    Heading {
        alias,
        announce,
        ask: None,
        prompt: false,
    }
}

struct Bench {
    outbox: Arc<Outbox>,
    event: Arc<EventRecord>,
    gate: Arc<Gate>,
    _hub: Arc<Hub>,
}

impl Bench {
    fn new(encoding: Encoding) -> Self {
        Self::over(encoding, Arc::new(Nowhere))
    }

    fn over(encoding: Encoding, carrier: Arc<dyn Carrier>) -> Self {
        let hub = Hub::new(None);
        let event = hub.event(&SenderName::new("s").unwrap(), &EventName::new("e").unwrap());
        let peer = PeerInfo::new("nowhere", encoding);
        let outbox = Outbox::new(ClientId::next(), carrier, peer, Arc::new(Stalls::default()));
        outbox.greeted();
        Self {
            outbox,
            event,
            gate: Arc::new(Gate::new()),
            _hub: hub,
        }
    }

    fn offer(&self, number: u64, payload: &Payload) -> bool {
        self.offer_under(number, payload, &BLOCK)
    }

    fn offer_under(&self, number: u64, payload: &Payload, terms: &Terms) -> bool {
        let item = Item::new(number, payload);
        self.outbox
            .offer(heading(self.event.alias, true), &self.event, &item, &self.gate, terms)
            .unwrap()
            .is_some()
    }

    fn call(&self, method: &'static str) -> Message {
        Call::notice(method, RawJson::null()).into()
    }

    /// Everything that would go out now, as words: `method` or `event N`.
    fn sent(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut batch = Batch::new(self.outbox.peer().encoding);
        while let Take::Ready = self.outbox.take(&mut batch) {
            for frame in frames(&mut batch) {
                words.push(word(&frame));
            }
        }
        words
    }
}

/// The frames of a batch, each with its length.
fn frames(batch: &mut Batch) -> Vec<Bytes> {
    let bytes = std::mem::take(batch.bytes()).freeze();
    let mut at = 0;
    let mut frames = Vec::new();
    while let Ok(Split::Frame(frame)) = sig_wire::split(&bytes[at..], u32::MAX) {
        frames.push(bytes.slice(at..at + frame.size()));
        at += frame.size();
    }
    frames
}

fn word(frame: &[u8]) -> String {
    let Ok(Split::Frame(frame)) = sig_wire::split(frame, u32::MAX) else {
        panic!("not a frame")
    };
    if frame.kind == Kind::Event {
        let event = EventFrame::parse(&frame).unwrap();
        let mut known = event.tlvs().filter_map(|tlv| tlv.unwrap().known().ok());
        let skipped = known.find_map(|known| match known {
            Extension::Skipped(skipped) => Some(format!(" skipped {skipped}")),
            _ => None,
        });
        return format!("event {}{}", event.header.number, skipped.unwrap_or_default());
    }
    match sig_core::Codec::unpack(&Json, Bytes::copy_from_slice(frame.body)).unwrap() {
        Message::Call(call) if call.method.as_deref() == Some("announce") => {
            format!("announce {}", call.params.parse::<Announce>().unwrap().number)
        }
        Message::Call(call) => call.method.unwrap().into_owned(),
        Message::Event(event) => format!("event {}", event.number),
        Message::Reply(reply) => panic!("unexpected {reply:?}"),
    }
}

#[test]
fn control_overtakes_events_and_what_is_sent_in_order_does_not() {
    let bench = Bench::new(Encoding::Sig1);
    bench.offer(1, &Payload::null());
    bench.outbox.send_in_order(&bench.call("behind")).unwrap();
    bench.outbox.send(&bench.call("ahead")).unwrap();
    assert_eq!(bench.sent(), ["ahead", "announce 0", "event 1", "behind"]);
}

#[test]
fn an_alias_is_announced_once_and_before_its_first_event() {
    for encoding in [Encoding::Sig1, Encoding::Values] {
        let bench = Bench::new(encoding);
        bench.offer(1, &Payload::null());
        bench.offer(2, &Payload::null());
        let words = bench.sent();
        assert_eq!(
            words.iter().filter(|word| *word == "announce 0").count(),
            1,
            "{encoding:?}"
        );
        assert_eq!(words[0], "announce 0", "{encoding:?}");
        bench.offer(3, &Payload::null());
        assert_eq!(bench.sent().len(), 1, "{encoding:?}");
    }
}

#[test]
fn a_frame_is_forwarded_byte_for_byte() {
    let bench = Bench::new(Encoding::Sig1);
    let payload = Payload::from_bytes(vec![1, 2, 3]);
    let published = {
        let mut batch = Batch::new(Encoding::Sig1);
        let item = Item::new(9, &payload);
        super::pack::event(
            &mut batch,
            &Nowhere,
            bench.outbox.peer(),
            heading(77, false),
            &item,
            usize::MAX,
        )
        .unwrap();
        frames(&mut batch).remove(0)
    };
    let item = Item::from_frame(9, &published, ContentType::BYTES, &[1, 2, 3]);
    let (outbox, event) = (&bench.outbox, &bench.event);
    outbox
        .offer(heading(77, false), event, &item, &bench.gate, &BLOCK)
        .unwrap();
    let mut batch = Batch::new(Encoding::Sig1);
    assert!(matches!(bench.outbox.take(&mut batch), Take::Ready));
    assert_eq!(frames(&mut batch), [published]);
}

#[test]
fn losses_ride_on_the_next_event() {
    let bench = Bench::new(Encoding::Sig1);
    let large = Payload::from_bytes(vec![0; 512 * 1024]);
    (1..=2).for_each(|number| assert!(bench.offer(number, &large)));
    assert!(!bench.gate.is_open(), "the queue is at its mark");
    let later = Instant::now() + 2 * super::PEER_MARKS.patience;
    let crate::pressure::GivenUp::Lagging(gates, None) = bench.outbox.give_up(later) else {
        panic!("still patient")
    };
    crate::pressure::release_all(gates);
    assert!(bench.gate.is_open());
    assert!(
        !bench.offer(3, &large) && !bench.offer(4, &large),
        "it lags until it is drained"
    );
    // Nothing may follow for long: where the numbers are is said as soon as there is room.
    assert_eq!(bench.sent(), ["announce 0", "event 1", "event 2", "announce 4"]);
    assert!(bench.offer(5, &Payload::null()));
    assert_eq!(bench.sent(), ["event 5"]);
}

#[test]
fn promise_6_a_queue_that_drops_holds_nobody_up_and_says_what_it_dropped() {
    let bench = Bench::new(Encoding::Sig1);
    let three = Terms {
        policy: Policy::DropOldest(3),
        listener: 1,
    };
    let data = Payload::from_bytes(vec![0; 1024]);
    for number in 1..=1000 {
        bench.offer_under(number, &data, &three);
    }
    assert!(bench.gate.is_open());
    let sent = bench.sent();
    // What was put in before the peer was known to be slow, and then the newest three.
    assert_eq!(sent[sent.len() - 3..], ["event 998", "event 999", "event 1000"]);
    assert_eq!(bench.outbox.lost() as usize, 1000 - (sent.len() - 1));
    assert!(sent.len() < 25, "{}", sent.len());
}

#[test]
fn promise_6_the_latest_waits_alone_and_says_how_many_it_replaced() {
    let bench = Bench::new(Encoding::Sig1);
    let latest = Terms {
        policy: Policy::Latest,
        listener: 1,
    };
    (1..=100).for_each(|number| assert!(bench.offer_under(number, &Payload::null(), &latest)));
    // Behind it others wait as well, so that the order stays.
    bench.offer(101, &Payload::null());
    bench.outbox.send_in_order(&bench.call("behind")).unwrap();
    assert_eq!(
        bench.sent(),
        ["announce 0", "event 1", "event 100 skipped 98", "event 101", "behind"]
    );
    assert_eq!((bench.outbox.lost(), bench.outbox.skipped()), (0, 98));
}

#[test]
fn what_is_too_large_for_the_peer_is_refused_and_leaves_nothing_behind() {
    let bench = Bench::new(Encoding::Sig1);
    bench.outbox.limit_frames(200);
    let item = Payload::from_bytes(vec![0; 300]);
    let refused = bench.outbox.offer(
        heading(77, false),
        &bench.event,
        &Item::new(1, &item),
        &bench.gate,
        &BLOCK,
    );
    assert_eq!(
        refused.unwrap_err().to_string(),
        "a message of 300 bytes is over the limit of 200 bytes for this link"
    );
    let text = RawJson::new(&"x".repeat(300)).unwrap();
    assert!(bench.outbox.send(&Call::notice("large", text).into()).is_err());
    bench.outbox.send(&bench.call("small")).unwrap();
    assert_eq!(bench.sent(), ["small"]);
}

#[test]
fn a_closed_outbox_takes_nothing_and_holds_nobody() {
    let bench = Bench::new(Encoding::Sig1);
    bench.offer(1, &Payload::from_bytes(vec![0; 2 * 1024 * 1024]));
    assert!(!bench.gate.is_open());
    bench.outbox.close();
    assert!(bench.gate.is_open());
    assert!(!bench.offer(2, &Payload::null()));
    assert!(bench.outbox.send(&bench.call("late")).is_err());
    assert!(matches!(
        bench.outbox.take(&mut Batch::new(Encoding::Sig1)),
        Take::Closed
    ));
}

#[test]
fn what_is_sent_among_the_events_does_not_count_for_ever() {
    let bench = Bench::new(Encoding::Sig1);
    let text = RawJson::new(&"x".repeat(1024 * 1024)).unwrap();
    let large: Message = Call::notice("large", text).into();
    for _ in 0..2 * super::MAX_CONTROL / (1024 * 1024) {
        bench.outbox.send_in_order(&large).unwrap();
        assert_eq!(bench.sent(), ["large"]);
    }
    let unread = (0..=super::MAX_CONTROL / (1024 * 1024)).find_map(|_| bench.outbox.send_in_order(&large).err());
    assert!(unread.is_some(), "what is not read counts");
}

/// A carrier of packed messages over a byte stream.
#[derive(Debug, Default)]
struct PackedStream(parking_lot::Mutex<Vec<u8>>);

#[async_trait]
impl Carrier for PackedStream {
    fn name(&self) -> &'static str {
        "packed"
    }

    async fn run(self: Arc<Self>, _: Uplink) -> Result<(), CarrierError> {
        Ok(())
    }

    async fn handle_tx(&self, _: ClientId, batch: &mut Batch) -> Result<(), CarrierError> {
        self.0.lock().extend_from_slice(&std::mem::take(batch.bytes()));
        Ok(())
    }

    fn close_client(&self, _: ClientId, _: &Disconnect) {}
}

/// What one batch is, as words: the frames in it, or which piece of which lane.
fn sent_once(bench: &Bench, batch: &mut Batch) -> Option<String> {
    let Take::Ready = bench.outbox.take(batch) else {
        return None;
    };
    let words: Vec<String> = frames(batch)
        .iter()
        .map(|frame| match sig_wire::split(frame, u32::MAX) {
            Ok(Split::Frame(frame)) if frame.kind == Kind::Chunk => {
                let lane = if frame.flags.contains(Flags::AHEAD) {
                    "ahead"
                } else {
                    "event"
                };
                let last = if frame.flags.contains(Flags::MORE) {
                    ""
                } else {
                    ", last"
                };
                format!("{} KiB {lane}{last}", frame.body.len().div_ceil(1024))
            }
            _ => word(frame),
        })
        .collect();
    Some(words.join(" + "))
}

#[test]
fn large_events_go_in_pieces_that_control_messages_overtake() {
    let bench = Bench::new(Encoding::Sig1);
    bench.outbox.cut_frames();
    let (small, large) = (Payload::from_bytes(&b"x"[..]), Payload::from_bytes(vec![7; 150 * 1024]));
    assert!(bench.offer(1, &small) && bench.offer(2, &large) && bench.offer(3, &small));
    assert_eq!(bench.outbox.waiting(), 3);
    let mut batch = Batch::new(Encoding::Sig1);
    let mut next = || sent_once(&bench, &mut batch);
    assert_eq!(next().unwrap(), "announce 0 + event 1");
    assert_eq!(next().unwrap(), "64 KiB event");
    bench.outbox.send(&bench.call("ping")).unwrap();
    assert_eq!(next().unwrap(), "ping");
    assert_eq!(next().unwrap(), "64 KiB event");
    assert_eq!(bench.outbox.waiting(), 2, "it waits until all of it has gone");
    assert_eq!(next().unwrap(), "23 KiB event, last");
    assert_eq!(next().unwrap(), "event 3");
    assert_eq!(next(), None);
    assert_eq!((bench.outbox.waiting(), bench.outbox.tally().flushed), (0, 3));
}

#[test]
fn large_replies_and_large_events_take_turns_and_a_cancel_stays_behind_its_request() {
    let bench = Bench::new(Encoding::Sig1);
    bench.outbox.cut_frames();
    let text = "x".repeat(100 * 1024);
    let request: Message = Call::new(1_u64, "request", RawJson::new(&text).unwrap()).into();
    bench.outbox.send(&request).unwrap();
    bench.outbox.send(&bench.call("cancel")).unwrap();
    assert!(bench.offer(1, &Payload::from_bytes(vec![7; 100 * 1024])));
    let mut batch = Batch::new(Encoding::Sig1);
    let sent: Vec<String> = std::iter::from_fn(|| sent_once(&bench, &mut batch)).collect();
    let expected = [
        "64 KiB ahead",
        "announce 0",
        "37 KiB ahead, last",
        "64 KiB event",
        "cancel",
        "37 KiB event, last",
    ];
    assert_eq!(sent, expected);
}

#[test]
fn who_cannot_put_pieces_together_gets_whole_frames() {
    let bench = Bench::new(Encoding::Sig1);
    assert!(bench.offer(1, &Payload::from_bytes(vec![7; 150 * 1024])));
    assert_eq!(bench.sent(), ["announce 0", "event 1"]);
}

#[test]
fn large_events_are_not_copied_for_each_peer() {
    let bench = Bench::new(Encoding::Sig1);
    bench.outbox.cut_frames();
    let payload = Payload::from_bytes(vec![7; 100 * 1024]);
    assert!(bench.offer(1, &payload));
    let mut batch = Batch::new(Encoding::Sig1);
    assert!(matches!(bench.outbox.take(&mut batch), Take::Ready));
    batch.clear();
    assert!(matches!(bench.outbox.take(&mut batch), Take::Ready));
    let pieces = batch.pieces().unwrap();
    let memory = payload.bytes().as_ptr_range();
    assert!(pieces.iter().any(|piece| memory.contains(&piece.as_ptr())));
}

#[test]
fn large_events_under_a_policy_go_in_pieces_too() {
    let bench = Bench::new(Encoding::Sig1);
    bench.outbox.cut_frames();
    let terms = Terms {
        policy: Policy::DropOldest(2),
        ..BLOCK
    };
    for number in 1..=4 {
        bench.offer_under(number, &Payload::from_bytes(vec![7; 100 * 1024]), &terms);
    }
    let mut batch = Batch::new(Encoding::Sig1);
    let sent: Vec<String> = std::iter::from_fn(|| sent_once(&bench, &mut batch)).collect();
    let pieces = ["64 KiB event", "37 KiB event, last"];
    // The first went directly; of the three behind it two were kept.
    assert_eq!(sent, [&["announce 0"][..], &pieces, &pieces, &pieces].concat());
    assert_eq!(bench.outbox.tally().flushed, 3);
}

#[tokio::test]
async fn every_batch_of_packed_messages_keeps_its_frames() {
    let carrier = Arc::new(PackedStream::default());
    let peer = PeerInfo::new("packed", Encoding::Packed);
    let outbox = Outbox::new(ClientId::next(), carrier.clone(), peer, Arc::new(Stalls::default()));
    let mut sending = Box::pin(Arc::clone(&outbox).send_all());
    for _ in 0..2 {
        outbox.send(&Call::notice("m", RawJson::null()).into()).unwrap();
        assert!(futures::poll!(sending.as_mut()).is_pending());
    }
    let mut sent = Batch::from_stream(carrier.0.lock().as_slice().into());
    let kinds: Vec<_> = frames(&mut sent).iter().map(|frame| frame[4]).collect();
    assert_eq!(kinds, [Kind::Packed.to_byte(); 2]);
}

/// A carrier over a slow line.
#[derive(Debug)]
struct Slow;

#[async_trait]
impl Carrier for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn profile(&self) -> Profile {
        Profile::default().with_chunk(512)
    }

    async fn run(self: Arc<Self>, _: Uplink) -> Result<(), CarrierError> {
        Ok(())
    }

    async fn handle_tx(&self, _: ClientId, _: &mut Batch) -> Result<(), CarrierError> {
        Ok(())
    }

    fn close_client(&self, _: ClientId, _: &Disconnect) {}
}

#[test]
fn over_a_slow_medium_small_events_go_a_chunk_at_a_time_and_control_messages_overtake_them() {
    let bench = Bench::over(Encoding::Sig1, Arc::new(Slow));
    bench.outbox.cut_frames();
    let (small, large) = (Payload::from_bytes(vec![7; 64]), Payload::from_bytes(vec![7; 1200]));
    for number in 1..=30 {
        assert!(bench.offer(number, &small));
    }
    assert!(bench.offer(31, &large) && bench.offer(32, &small));
    // Those that have no count of their own are cut as well.
    for _ in 0..20 {
        bench.outbox.send_in_order(&bench.call("behind")).unwrap();
    }
    assert_eq!(bench.outbox.waiting(), 32);
    let mut batch = Batch::new(Encoding::Sig1);
    let (mut portions, mut words) = (0, Vec::new());
    loop {
        bench.outbox.send(&bench.call("ping")).unwrap();
        assert_eq!(sent_once(&bench, &mut batch).as_deref(), Some("ping"));
        let Some(portion) = sent_once(&bench, &mut batch) else {
            break;
        };
        assert!(batch.byte_len() <= 512 + 6, "{} bytes: {portion}", batch.byte_len());
        portions += 1;
        words.extend(portion.split(" + ").map(str::to_owned));
    }
    assert!(portions <= 12, "{portions} portions of 4,300 bytes");
    let mut wanted = vec!["announce 0".to_owned()];
    wanted.extend((1..=30).map(|number| format!("event {number}")));
    wanted.extend(["1 KiB event", "1 KiB event", "1 KiB event, last", "event 32"].map(str::to_owned));
    wanted.extend(std::iter::repeat_n("behind".to_owned(), 20));
    assert_eq!(words, wanted);
    assert_eq!((bench.outbox.waiting(), bench.outbox.tally().flushed), (0, 32));
}

#[test]
fn promise_6_over_a_slow_medium_less_waits() {
    let bench = Bench::over(Encoding::Sig1, Arc::new(Slow));
    let small = Payload::from_bytes(vec![7; 64]);
    let is_full = || bench.outbox.is_full(&bench.gate, Duration::from_secs(5));
    let taken = (1..=10_000)
        .take_while(|number| !is_full() && bench.offer(*number, &small))
        .count();
    assert!((300..700).contains(&taken), "{taken} events wait");
    let latest = Bench::over(Encoding::Sig1, Arc::new(Slow));
    let oldest = Terms {
        policy: Policy::DropOldest(5),
        listener: 1,
    };
    for number in 1..=1000 {
        latest.offer_under(number, &small, &oldest);
    }
    assert!(latest.outbox.waiting() < 15, "{} wait", latest.outbox.waiting());
    assert_eq!(latest.sent().last().unwrap(), "event 1000");
}
