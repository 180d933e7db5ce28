//! What senders do without a link that were told what to do: on every carrier.

use std::path::PathBuf;
use std::sync::Arc;

use futures::FutureExt as _;
use sig_carrier_local::Local;
use sig_core::Carrier;
use sig_router::{
    CarrierHandle, ClientRouter, EventStream, Offline, RemoteSender, SenderState, ServerRouter, Signal, TriggerError,
};
use sig_tests::proxy::{Cable, Proxy};
use sig_tests::rig::{TcpServer, WAIT, becomes, client_of, client_over, soon};
use tempfile::TempDir;

/// The carriers of this platform.
const CARRIERS: &[&str] = if cfg!(unix) {
    &["tcp", "ipc", "local"]
} else {
    &["tcp", "local"]
};

/// How the link of a client is cut.
enum Cut {
    /// By a proxy.
    Cable(Proxy),
    /// By stopping the server's carrier; nobody listens then.
    Carrier(Option<CarrierHandle>),
}

/// A server, and a client whose link can be cut.
struct World {
    server: ServerRouter,
    client: ClientRouter,
    cut: Cut,
    hub: Arc<Local>,
    socket: PathBuf,
    carrier: &'static str,
    _directory: TempDir,
}

impl World {
    async fn over(carrier: &'static str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("socket");
        let hub = Arc::new(Local::new());
        let (server, client, cut) = if carrier == "tcp" {
            let server = TcpServer::start();
            let proxy = Proxy::to(&server.address).await;
            let client = client_of(&proxy.address.to_string());
            (server.router, client, Cut::Cable(proxy))
        } else {
            let client = if carrier == "ipc" {
                client_over(sig_carrier_ipc::dial(socket.to_str().unwrap()).unwrap())
            } else {
                client_over(hub.dialer())
            };
            (ServerRouter::new().unwrap(), client, Cut::Carrier(None))
        };
        let mut world = Self {
            server,
            client,
            cut,
            hub,
            socket,
            carrier,
            _directory: directory,
        };
        world.heal();
        world
    }

    fn heal(&mut self) {
        match &mut self.cut {
            Cut::Cable(proxy) => proxy.set(Cable::Whole),
            Cut::Carrier(handle) => {
                let carrier: Arc<dyn Carrier> = if self.carrier == "ipc" {
                    Arc::new(sig_carrier_ipc::listen(self.socket.to_str().unwrap()).unwrap())
                } else {
                    Arc::clone(&self.hub) as _
                };
                *handle = Some(self.server.attach(carrier));
            }
        }
    }

    /// Cuts the link, until the sender has noticed.
    async fn cut(&mut self, sender: &RemoteSender) {
        match &mut self.cut {
            Cut::Cable(proxy) => proxy.set(Cable::Cut),
            Cut::Carrier(handle) => soon("the carrier stops", handle.take().unwrap().stop()).await,
        }
        becomes(sender.states(), |state| *state == SenderState::Pending).await;
    }

    async fn sender(&self, events: &[&str], offline: Offline) -> RemoteSender {
        let sender = self.client.add_remote_sender("s").events(events).offline(offline);
        soon("the sender", sender.connect()).await.unwrap()
    }
}

/// The next event: its name, number and data. Presence is left out; what was lost is in the listener's statistics.
async fn next(stream: &mut EventStream) -> (String, u64, u64) {
    loop {
        let Ok(event) = soon("an event", stream.recv()).await.unwrap() else {
            continue;
        };
        if !event.name().is_presence() {
            return (event.name().to_string(), event.number(), event.decode().unwrap());
        }
    }
}

/// Triggers at once, in either way.
fn at_once(signal: &Signal, value: u64) {
    let result = if value.is_multiple_of(2) {
        signal.try_trigger(&value)
    } else {
        signal.trigger(&value).now_or_never().expect("it does not wait")
    };
    result.unwrap();
}

#[tokio::test]
async fn promise_5_latest_keeps_the_newest_of_each_event_and_sends_it_first() {
    for carrier in CARRIERS {
        let mut world = World::over(carrier).await;
        let sender = world.sender(&["a", "b", "c"], Offline::Latest).await;
        let [a, b] = ["a", "b"].map(|event| sender.signal(event).unwrap());
        let mut stream = world.server.listen("s").unwrap();
        let mut local = world.client.local().listen("s/a").unwrap();
        for (name, signal) in [("a", &a), ("b", &b)] {
            signal.trigger(&1_u64).await.unwrap();
            assert_eq!(next(&mut stream).await, (name.to_owned(), 1, 1), "{carrier}");
        }
        assert_eq!((sender.kept(), sender.lost()), (0, 0));

        world.cut(&sender).await;
        (2..=4).for_each(|n| at_once(&b, n));
        (2..=6).for_each(|n| at_once(&a, n));
        assert_eq!((sender.kept(), sender.lost()), (2, 2 + 4), "{carrier}");
        // Listeners of this program miss nothing.
        for n in 1..=6 {
            assert_eq!(next(&mut local).await.1, n);
        }
        world.heal();
        becomes(sender.states(), |state| *state == SenderState::Live).await;
        soon("a newer one", a.trigger(&7_u64)).await.unwrap();
        assert_eq!(next(&mut stream).await, ("b".to_owned(), 4, 4), "{carrier}");
        assert_eq!(next(&mut stream).await, ("a".to_owned(), 6, 6));
        assert_eq!(next(&mut stream).await, ("a".to_owned(), 7, 7));
        assert_eq!((sender.kept(), sender.lost()), (0, 6));
        assert_eq!(stream.stats().lost, 6, "{carrier}: what is lost here is told there");
    }
}

#[tokio::test]
async fn promise_5_buffer_keeps_the_last_ones_in_order_and_counts_the_others() {
    for carrier in CARRIERS {
        let mut world = World::over(carrier).await;
        let sender = world.sender(&["a", "b"], Offline::Buffer(4)).await;
        let [a, b] = ["a", "b"].map(|event| sender.signal(event).unwrap());
        let mut stream = world.server.listen("s").unwrap();
        for (name, signal) in [("a", &a), ("b", &b)] {
            signal.trigger(&0_u64).await.unwrap();
            assert_eq!(next(&mut stream).await, (name.to_owned(), 1, 0), "{carrier}");
        }
        for _ in 0..3 {
            world.cut(&sender).await;
            let lost = sender.lost();
            (1..=10).for_each(|n| at_once(if n % 3 == 0 { &b } else { &a }, n));
            assert_eq!((sender.kept(), sender.lost()), (4, lost + 6), "{carrier}");
            world.heal();
            let got: Vec<_> = [
                next(&mut stream).await,
                next(&mut stream).await,
                next(&mut stream).await,
                next(&mut stream).await,
            ]
            .map(|(event, _, value)| (event, value))
            .into();
            let wanted = [("a", 7), ("a", 8), ("b", 9), ("a", 10)].map(|(event, n)| (event.to_owned(), n));
            assert_eq!(got, wanted, "{carrier}");
        }
        // Seven a and three b each time: the numbers tell the whole of it.
        soon("a trigger", a.trigger(&11_u64)).await.unwrap();
        assert_eq!(next(&mut stream).await, ("a".to_owned(), 23, 11));
        soon("a trigger", b.trigger(&12_u64)).await.unwrap();
        assert_eq!(next(&mut stream).await, ("b".to_owned(), 11, 12));
        assert_eq!((sender.kept(), sender.lost()), (0, 18));
        assert_eq!(stream.stats().lost, 18, "{carrier}: what is lost here is told there");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_5_a_backlog_beyond_the_credit_drains_in_order_before_newer_events() {
    const KEPT: u64 = 3000;
    for carrier in CARRIERS {
        let mut world = World::over(carrier).await;
        let sender = world.sender(&["e"], Offline::Buffer(KEPT as usize)).await;
        let signal = sender.signal("e").unwrap();
        let mut stream = world.server.listen("s/e").unwrap();
        world.cut(&sender).await;
        // Some megabytes, of which the router grants some hundred kilobytes at a time.
        let data = "x".repeat(1000);
        for n in 1..=KEPT {
            signal.try_trigger(&(n, data.clone())).unwrap();
        }
        assert_eq!((sender.kept() as u64, sender.lost()), (KEPT, 0), "{carrier}");
        let newer = async {
            for n in KEPT + 1..=KEPT + 200 {
                signal.trigger(&(n, data.clone())).await.unwrap();
            }
        };
        world.heal();
        let live = becomes(sender.states(), |state| *state == SenderState::Live);
        let newer = async {
            live.await;
            newer.await;
        };
        let reading = async {
            for n in 1..=KEPT + 200 {
                let event = soon("an event", stream.recv()).await.unwrap().unwrap();
                assert_eq!(event.number(), n, "{carrier}");
                assert_eq!(event.decode::<(u64, String)>().unwrap().0, n);
            }
        };
        tokio::join!(soon("the newer ones", newer), reading);
        assert_eq!((sender.kept(), sender.lost()), (0, 0), "{carrier}");
    }
}

#[tokio::test]
async fn promise_5_backlogs_of_many_senders_do_not_overrun_the_link() {
    // More than a link holds at all, in the first credits alone.
    const SENDERS: usize = 110;
    let data = "x".repeat(200_000);
    for carrier in CARRIERS {
        let mut world = World::over(carrier).await;
        let mut senders = Vec::new();
        for n in 0..SENDERS {
            let sender = world.client.add_remote_sender(format!("s{n}")).event("e");
            let sender = sender.offline(Offline::Buffer(2)).connect().await.unwrap();
            let stream = world.server.listen((format!("s{n}").as_str(), "e")).unwrap();
            senders.push((sender, stream));
        }
        world.cut(&senders[0].0).await;
        for (sender, _) in &senders {
            becomes(sender.states(), |state| *state == SenderState::Pending).await;
            let signal = sender.signal("e").unwrap();
            for _ in 0..2 {
                signal.try_trigger(&data).unwrap();
            }
        }
        world.heal();
        for (sender, stream) in &mut senders {
            for n in 1..=2 {
                let event = soon("an event", stream.recv()).await.unwrap().unwrap();
                assert_eq!(event.number(), n, "{carrier}");
            }
            assert_eq!((sender.kept(), sender.lost()), (0, 0), "{carrier}");
        }
    }
}

#[tokio::test]
async fn promise_5_a_sender_that_is_removed_sends_what_it_kept_first() {
    for carrier in CARRIERS {
        let mut world = World::over(carrier).await;
        let sender = world.sender(&["e"], Offline::Buffer(1000)).await;
        let mut stream = world.server.listen("s/e").unwrap();
        world.cut(&sender).await;
        let signal = sender.signal("e").unwrap();
        let data = "x".repeat(1000);
        (0..1000).for_each(|_| signal.try_trigger(&data).unwrap());
        world.heal();
        becomes(sender.states(), |state| *state == SenderState::Live).await;
        let reading = async {
            for n in 1..=1000 {
                assert_eq!(
                    soon("an event", stream.recv()).await.unwrap().unwrap().number(),
                    n,
                    "{carrier}"
                );
            }
        };
        tokio::join!(soon("the removal", sender.remove()), reading);
        let triggered = signal.try_trigger(&1);
        assert!(
            matches!(triggered, Err(TriggerError::SenderGone { .. })),
            "{triggered:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promise_1_and_5_under_cuts_nothing_is_given_up_here_and_nothing_is_out_of_order() {
    const COUNT: u64 = 20_000;
    for carrier in CARRIERS {
        let mut world = World::over(carrier).await;
        let sender = world.sender(&["e"], Offline::Buffer(COUNT as usize)).await;
        let signal = sender.signal("e").unwrap();
        let mut stream = world.server.listen("s/e").unwrap();
        signal.trigger(&1_u64).await.unwrap();
        assert_eq!(next(&mut stream).await.1, 1, "{carrier}");
        let sending = async {
            for n in 2..=COUNT {
                signal.trigger(&n).await.unwrap();
                if n % 4000 == 1000 {
                    world.cut(&sender).await;
                }
                if n % 4000 == 2000 {
                    world.heal();
                }
            }
        };
        let receiving = async {
            let (mut last, mut received, mut lost) = (1, 1, 0);
            while received + lost < COUNT {
                match soon("an event", stream.recv()).await.unwrap() {
                    Ok(event) => {
                        assert_eq!(
                            event.number(),
                            event.decode::<u64>().unwrap(),
                            "{carrier}: after {last} and {lost} lost"
                        );
                        assert!(event.number() > last, "{carrier}: {} after {last}", event.number());
                        received += 1;
                        last = event.number();
                    }
                    Err(lagged) => lost += lagged.count(),
                }
            }
            (received, lost)
        };
        let ((), (received, lost)) = tokio::join!(sending, receiving);
        assert_eq!(received + lost, COUNT);
        // At least what followed the last cut; what was under way in one may be missing.
        assert!(received >= COUNT / 8, "{carrier}: {received} received");
        assert_eq!((sender.kept(), sender.lost()), (0, 0), "{carrier}");
    }
}

#[tokio::test]
async fn promise_5_a_full_listener_here_is_not_taken_for_a_missing_link() {
    let mut world = World::over("tcp").await;
    let sender = world.sender(&["e"], Offline::Latest).await;
    let signal = sender.signal("e").unwrap();
    let frozen = world.client.local().listen("s/e").unwrap();
    world.cut(&sender).await;
    let mut triggered = signal.try_trigger(&1);
    while triggered.is_ok() {
        triggered = signal.try_trigger(&1);
        assert!(frozen.len() < 100_000);
    }
    assert!(matches!(triggered, Err(TriggerError::Busy { .. })), "{triggered:?}");
    drop(frozen);
    signal.try_trigger(&1).unwrap();
}

#[tokio::test]
async fn promise_1_what_is_too_large_uses_no_number_with_or_without_a_link() {
    let mut world = World::over("tcp").await;
    let sender = world.sender(&["e"], Offline::Latest).await;
    let signal = sender.signal("e").unwrap();
    let mut stream = world.server.listen("s/e").unwrap();
    let huge = "x".repeat(17 * 1024 * 1024);
    let refused = |result| assert!(matches!(result, Err(TriggerError::Pack(_))), "{result:?}");
    refused(signal.try_trigger(&huge));
    world.cut(&sender).await;
    refused(signal.try_trigger(&huge));
    at_once(&signal, 5);
    world.heal();
    assert_eq!(next(&mut stream).await, ("e".to_owned(), 1, 5));
    assert_eq!(sender.lost(), 0);
}

#[tokio::test]
async fn promise_5_latest_goes_on_while_somebody_else_has_the_name() {
    let server = TcpServer::start();
    let proxy = Proxy::to(&server.address).await;
    let client = client_of(&proxy.address.to_string());
    let sender = client.add_remote_sender("s").event("e").offline(Offline::Latest);
    let sender = sender.connect().await.unwrap();
    let signal = sender.signal("e").unwrap();
    proxy.set(Cable::Cut);
    becomes(sender.states(), |state| *state == SenderState::Pending).await;
    let thief = server.client();
    let taken = loop {
        // As soon as the server has noticed.
        if let Ok(taken) = thief.add_remote_sender("s").event("e").connect().await {
            break taken;
        }
    };
    proxy.set(Cable::Whole);
    becomes(sender.states(), |state| matches!(state, SenderState::Refused { .. })).await;
    let mut stream = server.router.listen("s/e").unwrap();
    (1..=3).for_each(|n| at_once(&signal, n));
    taken.remove().await;
    assert_eq!(next(&mut stream).await, ("e".to_owned(), 3, 3));
}

#[tokio::test]
async fn promise_9_closing_sends_what_was_kept_and_counts_what_cannot_be_sent() {
    for carrier in CARRIERS {
        for heals in [true, false] {
            let mut world = World::over(carrier).await;
            let sender = world.sender(&["e"], Offline::Buffer(1000)).await;
            let mut stream = world.server.listen("s/e").unwrap();
            world.cut(&sender).await;
            let signal = sender.signal("e").unwrap();
            let data = "x".repeat(1000);
            (0..1000).for_each(|_| signal.try_trigger(&data).unwrap());
            if heals {
                world.heal();
                becomes(sender.states(), |state| *state == SenderState::Live).await;
            }
            let closed = soon("the end", world.client.close(WAIT)).await;
            if !heals {
                assert_eq!((closed.flushed, closed.dropped), (0, 1000), "{carrier}");
                assert_eq!(sender.lost(), 1000);
                continue;
            }
            assert_eq!(closed.dropped, 0, "{carrier}");
            for n in 1..=1000 {
                let event = soon("an event", stream.recv()).await.unwrap().unwrap();
                assert_eq!(event.number(), n, "{carrier}");
            }
            assert_eq!((sender.kept(), sender.lost()), (0, 0), "{carrier}");
        }
    }
}
