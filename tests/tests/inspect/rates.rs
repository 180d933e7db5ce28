//! Rates, from counters that are read now and then. The clock is stopped, so they are exact.

use std::sync::Arc;
use std::time::Duration;

use sig_router::inspect::{ClientReport, Order, Query, Stats};
use sig_router::{ClientRouter, Router, ServerRouter};
use tokio::time::{advance, sleep};

use crate::next;

#[tokio::test(start_paused = true)]
async fn a_rate_is_what_came_since_the_last_reading() {
    let router = Router::new();
    let busy = router.add_sender("busy").event("e").event("quiet").connect().unwrap();
    let _idle = router.add_sender("idle").event("e").connect().unwrap();
    let signal = busy.signal("e").unwrap();
    signal.try_trigger(&0).unwrap();
    let senders = || router.inspect().senders(&Query::new());
    let first = senders();
    assert_eq!((first.interval_ms, first.rows[0].rate), (None, None));
    (0..10).for_each(|n| signal.try_trigger(&n).unwrap());
    advance(Duration::from_secs(2)).await;
    let second = senders();
    assert_eq!((second.interval_ms, second.rows[0].rate), (Some(2000), Some(5.0)));
    let rates: Vec<_> = second.rows[0]
        .events
        .iter()
        .map(|event| (&*event.event, event.rate))
        .collect();
    assert_eq!(rates, [("e", Some(5.0)), ("quiet", Some(0.0))]);
    // Whoever asks right behind gets the same reading, and disturbs nobody.
    signal.try_trigger(&0).unwrap();
    advance(Duration::from_millis(500)).await;
    assert_eq!(senders().rows[0].rate, Some(5.0));
    advance(Duration::from_millis(500)).await;
    assert_eq!((senders().interval_ms, senders().rows[0].rate), (Some(1000), Some(1.0)));
    // A sender that came back counts anew.
    drop(busy);
    let again = router.add_sender("busy").event("e").connect().unwrap();
    again.signal("e").unwrap().try_trigger(&0).unwrap();
    advance(Duration::from_secs(1)).await;
    assert_eq!(senders().rows[0].rate, None);
}

/// A server, and a client in the same process.
fn pair() -> (ServerRouter, ClientRouter) {
    let (hub, dialer) = sig_carrier_local::pair();
    let server = ServerRouter::new().unwrap();
    server.attach(Arc::new(hub));
    (server, ClientRouter::connect(Arc::new(dialer)).unwrap())
}

#[tokio::test(start_paused = true)]
async fn statistics_come_every_second_and_only_while_somebody_listens() {
    let (server, client) = pair();
    let sender = client.add_remote_sender("s").event("e").connect().await.unwrap();
    let mut heard = client.listen_remote("s/e").await.unwrap();
    let told = || {
        let own = server.inspect().senders(&Query::new().with_router()).rows.remove(0);
        own.events
            .into_iter()
            .find(|event| event.event == "stats")
            .unwrap()
            .number
    };
    sleep(Duration::from_secs(10)).await;
    assert_eq!(told(), 0, "nobody listens");

    let mut stats = server.listen("#router/stats").unwrap();
    let _: Stats = next(&mut stats).await;
    let signal = sender.signal("e").unwrap();
    for n in 0..40 {
        signal.trigger(&n).await.unwrap();
        heard.recv().await.unwrap().unwrap();
    }
    let mut now: Stats = next(&mut stats).await;
    assert_eq!(
        (now.interval_ms, now.clients, now.senders, now.listeners),
        (1000, 1, 1, 2)
    );
    assert_eq!(
        (now.events_in, now.events_out, now.waiting, now.lost),
        (40.0, 40.0, 0, 0)
    );
    let busiest = now.busiest.remove(0);
    assert_eq!((&*busiest.sender, &*busiest.event, busiest.rate), ("s", "e", 40.0));
    let client: ClientReport = server.inspect().clients(&Query::new().by(Order::Rate)).rows.remove(0);
    assert_eq!((client.rate_in, client.rate_out), (Some(40.0), Some(40.0)));
    let quiet: Stats = next(&mut stats).await;
    assert_eq!((quiet.events_in, quiet.busiest.len()), (0.0, 0));

    drop(stats);
    let before = told();
    sleep(Duration::from_secs(10)).await;
    assert_eq!(told(), before, "nobody listens any more");
}
