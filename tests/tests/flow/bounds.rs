//! What may be dropped takes no more memory than 64 MiB for one listener, whatever its policy may keep.

use sig_router::{EventStream, Listen, Payload, Policy, Router, Sender, Signal};

use crate::account::Account;

const MEBIBYTE: usize = 1 << 20;

/// How many mebibytes may wait.
const MOST: usize = 64;

/// More kinds of events than that.
const KINDS: usize = 80;

/// A sender with that many events, and a listener to all of them under this policy.
fn listen(policy: Policy) -> (Sender, Vec<Signal>, EventStream) {
    let router = Router::new();
    let events: Vec<_> = (0..KINDS).map(|n| format!("e{n}")).collect();
    let sender = router.add_sender("s").events(events.iter().map(String::as_str));
    let sender = sender.connect().unwrap();
    let signals = events.iter().map(|event| sender.signal(event).unwrap()).collect();
    let stream = router.listen(Listen::to("s").unwrap().policy(policy)).unwrap();
    (sender, signals, stream)
}

fn large(mebibytes: usize) -> Payload {
    Payload::from_bytes(vec![0; mebibytes * MEBIBYTE])
}

const POLICIES: [Policy; 4] = [
    Policy::DropOldest(1000),
    Policy::DropNewest(1000),
    Policy::Latest,
    Policy::Rate(1.0),
];

#[tokio::test(start_paused = true)]
async fn promise_6_what_may_be_dropped_is_bounded_in_bytes_as_well() {
    for policy in POLICIES {
        let (_sender, signals, mut stream) = listen(policy);
        let data = large(1);
        for signal in &signals {
            signal.try_trigger(&data).unwrap();
            assert!(stream.len() <= MOST, "{policy:?}: {} MiB wait", stream.len());
        }
        assert_eq!(stream.len(), MOST, "{policy:?}");
        let mut account = Account::default();
        while account.total() < KINDS as u64 {
            let delivery = stream.recv().await.unwrap();
            // Each is of another event.
            account.last = 0;
            account.take(&delivery);
        }
        let lost = (KINDS - MOST) as u64;
        assert_eq!((account.received, account.lost), (MOST as u64, lost), "{policy:?}");
        // There is room again.
        signals[0].try_trigger(&data).unwrap();
        signals[0].try_trigger(&data).unwrap();
        assert!(stream.recv().await.unwrap().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_one_event_that_is_larger_than_that_fits_where_none_waits() {
    for policy in POLICIES {
        let (_sender, signals, mut stream) = listen(policy);
        signals[0].try_trigger(&large(MOST + 1)).unwrap();
        let event = stream.recv().await.unwrap().unwrap();
        assert_eq!((event.number(), event.lost()), (1, 0), "{policy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn promise_6_what_a_pace_leaves_out_takes_no_room_any_more() {
    let (_sender, signals, mut stream) = listen(Policy::Rate(100.0));
    let (data, mut account) = (large(1), Account::default());
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(7));
    for _ in 0..3 * MOST {
        ticks.tick().await;
        signals[0].try_trigger(&data).unwrap();
        // What waits now is taken; what is held back may be replaced.
        while stream.len() > 1 {
            account.take(&stream.recv().await.unwrap());
        }
    }
    account.hear(&mut stream, 3 * MOST as u64).await;
    assert_eq!(account.lost, 0, "{account:?}");
}
