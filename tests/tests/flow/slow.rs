//! A listener that takes its time, but takes, is waited for however long that is.

use std::time::Duration;

use sig_router::{Listen, Policy};
use tokio::time::{Instant, interval};

use crate::account::{Account, Stream as _};
use crate::virtually::World;

/// So slow that its queue is not half empty before the router has lost patience with a client that only says that it is
/// full.
const PAUSE: Duration = Duration::from_millis(20);

/// For how long: the router would have lost patience many times.
const LONG: Duration = Duration::from_secs(60);

/// More than the sender can bring on its way in that time, unless it is not held up at all.
const MANY: u64 = 200_000;

/// The least and the usual patience.
#[tokio::test(start_paused = true)]
async fn promise_6_a_slow_listener_of_a_client_loses_nothing_and_holds_its_sender_up_all_the_time() {
    for patience in [Duration::from_millis(100), Duration::from_secs(5)] {
        let world = World::new();
        let (publisher, client) = (world.client(), world.client());
        let sender = publisher.add_remote_sender("s").event("e").connect().await.unwrap();
        let signal = sender.signal("e").unwrap();
        let wanted = Listen::to("s/e").unwrap().policy(Policy::Block(patience));
        let mut slow = client.listen_remote(wanted).await.unwrap();
        let began = Instant::now();
        let sending = async {
            let (data, mut sent) = ("x".repeat(500), 0);
            while began.elapsed() < LONG {
                assert!(sent < MANY, "nobody holds the sender up after {:?}", began.elapsed());
                signal.trigger(&data).await.unwrap();
                sent += 1;
            }
            sent
        };
        let reading = async {
            let (mut account, mut beat) = (Account::default(), interval(PAUSE));
            while began.elapsed() < LONG {
                beat.tick().await;
                account.take(&slow.next().await);
            }
            account
        };
        let (sent, mut account) = tokio::join!(sending, reading);
        account.hear(&mut slow, sent).await;
        assert_eq!((account.received, account.lost), (sent, 0), "{patience:?}");
    }
}
